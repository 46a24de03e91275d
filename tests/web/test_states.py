"""What a driver sees in each state of a real robot, on three screens: the words are in sight.

Each test writes pictures of its state. With ROBOSIGNAL_PICTURES=DIR they are kept there, to be
looked at; those of the documents are `tools/screenshots.py`'s.
"""

import os
import signal
from base64 import b64decode
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, expect

from robosignal.testing import LocalBackend
from tests.e2e.processes import Process
from tests.e2e.rover import OWNER, ROBOT, running_rover
from tests.web.test_layout import IN_SIGHT, OVERFLOW, POOR

pytestmark = pytest.mark.asyncio(loop_scope="module")

SCREENS = {
    "desktop": (1280, 800, False),
    "phone-upright": (390, 844, True),
    "phone-across": (844, 390, True),
}
"""Width and height in CSS pixels, and whether it has nothing but a touch screen."""
ROW = f"li[data-robot-id={ROBOT}]"
OTHERS = [f"cart-{n:02}" for n in range(1, 40)]
RIGHT_SECONDS = 25
END_MS = 60_000
STATE_MS = 20_000
# Words that do not fit into their element.
CUT = """selectors => selectors.filter((selector) => {
    const element = document.querySelector(selector);
    const isWide = element.scrollWidth > element.clientWidth + 1;
    return element.clientWidth > 0 && (isWide || element.scrollHeight > element.clientHeight + 1);
})"""
PICTURES = os.environ.get("ROBOSIGNAL_PICTURES")


@pytest.fixture(scope="module")
def backend() -> Iterator[LocalBackend]:
    """The backend, on a thread of its own, without rate limits."""
    with LocalBackend(environment={"LIMITS": "off"}) as running:
        yield running


@pytest.fixture(scope="module")
def rover(backend: LocalBackend) -> Iterator[Process]:
    """A robot whose camera and process can be stopped."""
    with running_rover(backend.url, backend.token(OWNER)) as process:
        yield process


async def open_console(browser: Browser, backend: LocalBackend, token: str) -> Page:
    """Return a console that is signed in and drives."""
    page = await browser.new_page(color_scheme="light", viewport={"width": 1280, "height": 800})
    await page.goto(f"{backend.page_url}#token={token}")
    await page.click(f"{ROW} [data-action=drive]")
    return page


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def driver(browser: Browser, backend: LocalBackend, rover: Process) -> AsyncIterator[Page]:
    """A console that drives the last of 40 robots; each test leaves it so."""
    assert rover
    async with AsyncExitStack() as stack:
        for robot_id in OTHERS:
            client = await stack.enter_async_context(backend.connect(OWNER))
            await client.request("register", robotId=robot_id)
        page = await open_console(browser, backend, backend.token(OWNER))
        await becomes(page, "live", "you-drive")
        yield page
        await page.close()


async def becomes(page: Page, picture: str, banner: str) -> None:
    """Wait until picture and banner are those."""
    panel = page.locator("#panel")
    await expect(panel).to_have_attribute("data-picture", picture, timeout=STATE_MS)
    await expect(panel).to_have_attribute("data-banner", banner, timeout=STATE_MS)


async def look(page: Page, state: str, folder: Path, *words: str) -> None:
    """On each screen: take a picture, and see that these elements are whole and inside."""
    devtools = await page.context.new_cdp_session(page)
    where = Path(PICTURES) if PICTURES else folder
    for name, (width, height, touch) in SCREENS.items():
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": touch}
        await devtools.send("Emulation.setDeviceMetricsOverride", metrics)
        await devtools.send("Emulation.setTouchEmulationEnabled", {"enabled": touch})
        await page.wait_for_function("width => innerWidth === width", arg=width)
        # The next picture or figure draws the hint for this screen.
        await page.wait_for_timeout(1_100)
        path = where / f"{state}-{name}.png"
        # Playwright's own would set the screen's size again.
        picture = await devtools.send("Page.captureScreenshot")
        path.write_bytes(b64decode(picture["data"]))
        assert await page.evaluate("() => [innerWidth, innerHeight]") == [width, height]
        for selector in ("#banner-title", "#stop [data-action=stop]", "#fact-path", *words):
            assert await page.evaluate(IN_SIGHT, selector), (name, selector)
        texts = [
            "#connection",
            "#banner",
            "#banner-title",
            "#banner-text",
            "#picture",
            "#facts",
            "#desk",
        ]
        assert await page.evaluate(CUT, texts) == [], name
        assert await page.evaluate(OVERFLOW) <= 0, name
        assert await page.evaluate(POOR) == [], name
        hint = await page.text_content("#banner-text") or ""
        assert not (touch and "Arrow keys" in hint), name
    await devtools.send("Emulation.clearDeviceMetricsOverride")
    await devtools.send("Emulation.setTouchEmulationEnabled", {"enabled": False})
    await devtools.detach()


async def test_live_and_the_last_of_forty_robots_is_driven(driver: Page, tmp_path: Path) -> None:
    """Green; the video is in sight beside a list that is as long."""
    assert await driver.locator("#robots li").count() == len(OTHERS) + 1
    await look(driver, "live", tmp_path, "#video", "#fact-rtt")
    await expect(driver.locator("#banner-text")).to_contain_text("Arrow keys")


async def test_stale(driver: Page, rover: Process, tmp_path: Path) -> None:
    """Its camera has stopped: words and age lie over the picture."""
    os.kill(rover.pid, signal.SIGUSR1)
    await becomes(driver, "stale", "waiting")
    await look(driver, "stale", tmp_path, "#picture-words", "#picture-age")
    os.kill(rover.pid, signal.SIGUSR2)
    await becomes(driver, "live", "you-drive")


async def test_frozen(driver: Page, rover: Process, tmp_path: Path) -> None:
    """Its process has stopped."""
    os.kill(rover.pid, signal.SIGSTOP)
    try:
        await becomes(driver, "frozen", "waiting")
        await look(driver, "frozen", tmp_path, "#picture-words", "#picture-age")
    finally:
        os.kill(rover.pid, signal.SIGCONT)
    await becomes(driver, "live", "you-drive")


async def test_stopped(driver: Page, tmp_path: Path) -> None:
    """By whom, and the button that clears it."""
    await driver.click("[data-action=stop]")
    await becomes(driver, "live", "waiting")
    await look(driver, "stopped", tmp_path, "#stop [data-action=clear-stop]")
    await driver.click("[data-action=clear-stop]")
    await becomes(driver, "live", "you-drive")


async def test_no_picture(driver: Page, rover: Process, tmp_path: Path) -> None:
    """The camera gives nothing from the beginning on; a press is ignored in words."""
    os.kill(rover.pid, signal.SIGUSR1)
    await driver.click("#actions [data-action=leave]")
    await driver.click(f"{ROW} [data-action=drive]")
    await expect(driver.locator("#banner-title")).to_have_text(f"No picture of {ROBOT} yet")
    await look(driver, "no-picture", tmp_path, "#banner-text", "#veil")
    await driver.focus("#video")
    await driver.keyboard.press("KeyW")
    await expect(driver.locator("#notice")).to_contain_text("Nothing moves.")
    await look(driver, "ignored", tmp_path, "#notice")
    os.kill(rover.pid, signal.SIGUSR2)
    await becomes(driver, "live", "you-drive")


async def test_right_ended(
    driver: Page, browser: Browser, backend: LocalBackend, tmp_path: Path
) -> None:
    """The token is over, and is not renewed."""
    await driver.click("#actions [data-action=leave]")
    page = await open_console(browser, backend, backend.token(OWNER, ttl_s=RIGHT_SECONDS))
    title = page.locator("#banner-title")
    await expect(title).to_have_text("Your right to drive has ended", timeout=END_MS)
    await look(page, "right-ended", tmp_path, "#notice")
    await page.close()
    await driver.click(f"{ROW} [data-action=drive]")
    await becomes(driver, "live", "you-drive")
