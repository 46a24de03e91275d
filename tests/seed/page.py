"""The strict page of the seed's in a real browser, and what a test asks of it."""

from pathlib import Path
from typing import Any

from playwright.async_api import Page

from robosignal.testing import LocalBackend

SCRIPT = Path(__file__).with_name("page.js").read_text()

PLAYS = "() => document.querySelector('video')?.getVideoPlaybackQuality().totalVideoFrames > {}"
FRAMES = "() => document.querySelector('video').getVideoPlaybackQuality().totalVideoFrames"


async def open_seed_page(
    page: Page, backend: LocalBackend, robot_id: str, user: str, *, takes_over: bool = False
) -> None:
    """Open the page as this user; it asks for the robot at once, or takes it over before."""
    await page.goto(f"{backend.page_url}health")
    given = [backend.url, backend.token(user), robot_id, takes_over]
    await page.evaluate(SCRIPT, given)


async def wait_for_video(page: Page) -> None:
    """Wait until the page has shown frames of video, and then some more."""
    await page.wait_for_function(PLAYS.format(0))
    shown = await page.evaluate(FRAMES)
    await page.wait_for_function(PLAYS.format(shown))


async def kept(page: Page, name: str) -> Any:
    """Return what the page has kept by this name."""
    return await page.evaluate("name => window.page[name]", name)
