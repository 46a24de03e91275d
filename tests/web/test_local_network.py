"""A page of the internet, a robot on the operator's own network, and a browser between the two."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import Page, async_playwright, expect

from tests.browser import ARGUMENTS, require_browser
from tests.web.scripted import Scripted, scripted
from tests.web.steps import banner, token

pytestmark = pytest.mark.asyncio(loop_scope="module")
HOST = "drive.example"
UNREACHED = "10.255.255.1"
LINK_MS = 16_000
NAMES = ("local-network", "local-network-access")


@pytest_asyncio.fixture(loop_scope="module")
async def public() -> AsyncIterator[tuple[Page, Scripted]]:
    """Yield a page whose origin is a name of the internet, and the server behind it."""
    async with scripted() as script, async_playwright() as playwright:
        origin = f"http://{HOST}:{script.port}"
        browser = await playwright.chromium.launch(
            executable_path=require_browser(),
            args=[
                *ARGUMENTS,
                f"--host-resolver-rules=MAP {HOST} 127.0.0.1",
                f"--unsafely-treat-insecure-origin-as-secure={origin}",
            ],
        )
        page = await browser.new_page()
        await page.clock.install()
        yield page, script
        await browser.close()


async def allow(page: Page, setting: str) -> None:
    """Answer for the operator whether pages may reach the local network."""
    browser = await page.context.new_cdp_session(page)
    target = await browser.send("Target.getTargetInfo")
    context = target["targetInfo"]["browserContextId"]
    for name in NAMES:
        permission = {"permission": {"name": name}, "setting": setting}
        await browser.send("Browser.setPermission", {**permission, "browserContextId": context})


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("denied", "keeps this page from devices on your own network"),
        ("prompt", "only if you allow it"),
        ("granted", "TURN server"),
    ],
)
async def test_a_robot_that_the_browser_may_keep_us_from_is_explained_by_the_permission(
    public: tuple[Page, Scripted], setting: str, words: str
) -> None:
    """Its answer names an address of a local network, and no path opens."""
    page, script = public
    script.robot.address = UNREACHED
    await allow(page, setting)
    await page.goto(f"http://{HOST}:{script.port}/#token={token()}")
    await page.click("li[data-robot-id=demo] [data-action=drive]")
    await expect(banner(page)).to_have_text("Joining demo…")
    await expect(page.locator("#fact-epoch")).to_have_text("1")
    await page.clock.fast_forward(LINK_MS)

    await expect(banner(page)).to_have_text("Waiting for demo")
    await expect(page.locator("#banner-text")).to_contain_text(words)
