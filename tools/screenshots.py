"""Takes the pictures of the console for the documents, from a backend that it starts itself.

`make screenshots` runs it. It writes every picture again: look at them before you commit them.
"""

import asyncio
import os
import re
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, Page, async_playwright, expect

from robosignal.testing import LocalBackend
from tests.browser import ARGUMENTS, MISSING, find_browser

IMAGES = Path(__file__).parent.parent / "docs" / "img"
DESKTOP: Mapping[str, Any] = {"viewport": {"width": 1024, "height": 640}}
UPRIGHT: Mapping[str, Any] = {
    "viewport": {"width": 390, "height": 844},
    "is_mobile": True,
    "has_touch": True,
}
ACROSS: Mapping[str, Any] = {**UPRIGHT, "viewport": {"width": 844, "height": 390}}
ROBOT = "demo"
ROW = f"li[data-robot-id={ROBOT}]"
# Their names come before the driven robot's in the list.
OTHERS = [f"cart-{n:02}" for n in range(1, 40)]
READY_SECONDS = 20
STOP_SECONDS = 10
MOVE_MS = 700
FRAME_SHOWN = """() => new Promise(shown =>
    document.querySelector("video").requestVideoFrameCallback(() => shown()))"""


@asynccontextmanager
async def robot(backend: LocalBackend) -> AsyncIterator[Process]:
    """Run the robot that is driven in the pictures."""
    command = (sys.executable, "-m", "robosignal", "robot", "--robot-id", ROBOT)
    environment = {**os.environ, "ROBOSIGNAL_TOKEN": backend.token(ROBOT)}
    process = await asyncio.create_subprocess_exec(
        *command, "--url", backend.url, env=environment, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), STOP_SECONDS)


async def register_others(backend: LocalBackend, stack: AsyncExitStack) -> None:
    """Bring the other robots of a fleet online, without media, until the stack unwinds."""
    for robot_id in OTHERS:
        client = await stack.enter_async_context(backend.connect(ROBOT))
        await client.request("register", robotId=robot_id)


@asynccontextmanager
async def window(
    browser: Browser, backend: LocalBackend, screen: Mapping[str, Any], *groups: str
) -> AsyncIterator[Page]:
    """Open a window of its own that is signed in and sees the robot online."""
    context = await browser.new_context(color_scheme="light", **screen)
    page = await context.new_page()
    user = "admin" if groups else ROBOT
    await page.goto(f"{backend.page_url}#token={backend.token(user, groups)}")
    await expect(page.locator(ROW)).to_have_attribute("data-online", "true")
    yield page
    await context.close()


async def showing(page: Page, banner: str) -> None:
    """Wait until the banner says so, over moving video whose figures are known."""
    await expect(page.locator("#banner-title")).to_have_text(banner)
    await expect(page.locator("#veil")).to_have_text("")
    await page.evaluate(FRAME_SHOWN)
    await expect(page.locator("#panel")).to_have_attribute("data-rtt-ms", re.compile(r"\d"))
    await expect(page.locator("#fact-path")).to_contain_text("kbit/s")


async def take(page: Page, name: str) -> None:
    """Write the window as it is to `docs/img`."""
    path = IMAGES / f"{name}.png"
    await page.screenshot(path=path)
    sys.stdout.write(f"{path.name}: {path.stat().st_size // 1024} KiB\n")


async def drive(page: Page, name: str) -> None:
    """Drive the robot, and take the picture while it moves."""
    await page.click(f"{ROW} [data-action=drive]")
    await showing(page, f"You drive {ROBOT}")
    await page.keyboard.down("ArrowUp")
    # For the picture alone: the robot's marker needs a moment to move where it is seen to.
    await page.wait_for_timeout(MOVE_MS)
    await take(page, name)
    await page.keyboard.up("ArrowUp")


async def faults(page: Page, process: Process) -> None:
    """Stop the robot by the button, then suspend its process."""
    await page.click("[data-action=stop]")
    await showing(page, f"Stopped by “{ROBOT}”")
    await take(page, "stopped")
    await page.click("[data-action=clear-stop]")
    await showing(page, f"You drive {ROBOT}")
    process.send_signal(signal.SIGSTOP)
    await expect(page.locator("#panel")).to_have_attribute("data-picture", "frozen")
    await page.wait_for_timeout(MOVE_MS)
    await take(page, "frozen")
    process.send_signal(signal.SIGCONT)
    await showing(page, f"You drive {ROBOT}")


async def scenes(browser: Browser, backend: LocalBackend, process: Process) -> None:
    """One robot: what its driver sees. Then 40: idle, and the last one driven on each screen."""
    async with window(browser, backend, DESKTOP) as page:
        await drive(page, "driving")
        await faults(page, process)
        async with window(browser, backend, DESKTOP, "ADMINS") as other:
            await other.click(f"{ROW} [data-action=take-over]")
            await showing(page, "You lost control to “admin”")
            await take(page, "control-lost")
            await other.click("#actions [data-action=leave]")
    async with AsyncExitStack() as stack:
        await register_others(backend, stack)
        async with window(browser, backend, DESKTOP) as page:
            await take(page, "idle")
        for name, screen in (("fleet", DESKTOP), ("upright", UPRIGHT), ("across", ACROSS)):
            async with window(browser, backend, screen) as page:
                await drive(page, name)
                await page.click("#actions [data-action=leave]")


async def main() -> int:
    """Take all pictures and return the exit code."""
    executable = find_browser()
    if executable is None:
        sys.stderr.write(f"screenshots: {MISSING}\n")
        return 1
    expect.set_options(timeout=READY_SECONDS * 1000)
    unlimited = LocalBackend(environment={"LIMITS": "off"})
    async with unlimited as backend, robot(backend) as process, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        await scenes(browser, backend, process)
        await browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
