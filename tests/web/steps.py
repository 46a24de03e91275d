"""What an operator does again and again in the tests of the console."""

import base64
import json
import time

from playwright.async_api import Locator, Page, expect

from tests.web.scripted import ALICE, Scripted

expect.set_options(timeout=10_000)
WAIT_S = 10
FRAME_SHOWN = """() => new Promise(shown =>
    document.querySelector("video").requestVideoFrameCallback(() => shown()))"""


def token(expires_s: float = 3600, *groups: str) -> str:
    """Return what looks like a token to a browser; the scripted server reads none."""
    exp = int(time.time() + expires_s)
    claims = {"sub": "u-demo", "exp": exp, "cognito:groups": list(groups)}
    parts = (base64.urlsafe_b64encode(json.dumps(p).encode()).decode() for p in ({}, claims))
    return ".".join([*(part.rstrip("=") for part in parts), "c2ln"])


async def sign_in(page: Page, script: Scripted, *groups: str) -> None:
    """Open the sign-in link and wait for the robot's row."""
    await page.goto(f"{script.url}#token={token(3600, *groups)}")
    await expect(page.locator("li[data-robot-id=demo]")).to_be_visible()


async def drive(page: Page, script: Scripted) -> None:
    """Sign in, press Drive, and wait for video and round trip."""
    await sign_in(page, script)
    await page.click("li[data-robot-id=demo] [data-action=drive]")
    await expect(banner(page)).to_have_text("You drive demo")
    await page.evaluate(FRAME_SHOWN)


async def watch(page: Page, script: Scripted) -> None:
    """Sign in, and watch what Alice drives."""
    script.holder = ALICE
    await sign_in(page, script)
    await page.click("li[data-robot-id=demo] [data-action=watch]")
    await expect(banner(page)).to_have_text("“Alice” drives — you watch")
    await page.evaluate(FRAME_SHOWN)


def banner(page: Page) -> Locator:
    """Return what says who drives."""
    return page.locator("#banner-title")
