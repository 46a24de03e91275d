"""Takes the pictures of the console for the documents, from a backend that it starts itself.

`make screenshots` runs it. It writes every picture again: look at them before you commit them.
"""

import asyncio
import re
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, Page, ViewportSize, async_playwright, expect

from tests.browser import ARGUMENTS, MISSING, find_browser

IMAGES = Path(__file__).parent.parent / "docs" / "img"
SIZE = ViewportSize(width=1120, height=764)
SERVE = ("serve", "--demo", "--port", "0", "--state", ":memory:")
LINK = re.compile(r"^  (demo|admin),.*(http://\S+)$")
READY_SECONDS = 20
STOP_SECONDS = 10
FRAME_SHOWN = """() => new Promise(shown =>
    document.querySelector("video").requestVideoFrameCallback(() => shown()))"""

Links = dict[str, str]


@asynccontextmanager
async def backend() -> AsyncIterator[Links]:
    """Run a backend with its demo robot; yield the sign-in links by user."""
    command = (sys.executable, "-m", "robosignal", *SERVE)
    process = await asyncio.create_subprocess_exec(*command, stdout=PIPE)
    try:
        yield await asyncio.wait_for(_links(process), READY_SECONDS)
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), STOP_SECONDS)


async def _links(process: Process) -> Links:
    if process.stdout is None:
        raise AssertionError
    links: Links = {}
    async for line in process.stdout:
        if found := LINK.match(line.decode().rstrip()):
            links[found[1]] = found[2]
        if len(links) == 2:  # noqa: PLR2004 - demo's and admin's
            return links
    raise RuntimeError("the backend ended before it printed its links")


async def window(browser: Browser, link: str) -> Page:
    """Return a window of its own that is signed in and sees the demo robot online."""
    context = await browser.new_context(viewport=SIZE, color_scheme="light")
    page = await context.new_page()
    await page.goto(link)
    await expect(page.locator("li[data-robot-id=demo]")).to_have_attribute("data-online", "true")
    return page


async def showing(page: Page, banner: str) -> None:
    """Wait until the banner says so, over moving video whose round trip is known."""
    await expect(page.locator("#banner-title")).to_have_text(banner)
    await page.evaluate(FRAME_SHOWN)
    await expect(page.locator("#panel")).to_have_attribute("data-rtt-ms", re.compile(r"\d"))


async def take(page: Page, name: str) -> None:
    """Write the window as it is to `docs/img`."""
    path = IMAGES / f"{name}.png"
    await page.screenshot(path=path)
    sys.stdout.write(f"{path.name}: {path.stat().st_size // 1024} KiB\n")


async def scenes(browser: Browser, links: Links) -> None:
    """Idle, driving, and control lost to an admin, in this order."""
    demo = await window(browser, links["demo"])
    await take(demo, "idle")
    await demo.click("li[data-robot-id=demo] [data-action=drive]")
    await showing(demo, "You drive demo")
    await demo.keyboard.down("ArrowUp")
    # For the picture alone: the robot's marker needs a moment to move where it is seen to.
    await demo.wait_for_timeout(700)
    await take(demo, "driving")
    await demo.keyboard.up("ArrowUp")
    admin = await window(browser, links["admin"])
    await admin.click("li[data-robot-id=demo] [data-action=take-over]")
    await showing(demo, "You lost control to “admin”")
    await take(demo, "control-lost")


async def main() -> int:
    """Take all pictures and return the exit code."""
    executable = find_browser()
    if executable is None:
        sys.stderr.write(f"screenshots: {MISSING}\n")
        return 1
    expect.set_options(timeout=READY_SECONDS * 1000)
    async with backend() as links, async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        await scenes(browser, links)
        await browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
