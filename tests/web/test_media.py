"""A robot whose picture or data channel is missing: what the console says, and that it is amber."""

import asyncio

import pytest
from playwright.async_api import Locator, Page, expect

from tests.web.scripted import ALICE, Scripted
from tests.web.steps import FRAME_SHOWN, WAIT_S, banner, sign_in

pytestmark = pytest.mark.asyncio(loop_scope="module")


def panel(page: Page) -> Locator:
    """Return the element with the banner's kind."""
    return page.locator("#panel")


async def press_drive(page: Page, script: Scripted) -> None:
    """Sign in, and press Drive."""
    await sign_in(page, script)
    await page.click("li[data-robot-id=demo] [data-action=drive]")


async def test_a_camera_that_gives_no_picture_is_named_and_no_key_drives(
    page: Page, script: Scripted
) -> None:
    """The robot declared video and none comes: the page says so before anyone drives blind."""
    script.robot.camera = "blind"
    await press_drive(page, script)
    await expect(banner(page)).to_have_text("No picture of demo yet")
    await page.keyboard.down("ArrowUp")
    await page.keyboard.up("ArrowUp")

    await expect(page.locator("#banner-text")).to_contain_text("check its camera")
    await expect(panel(page)).to_have_attribute("data-banner", "waiting")
    assert script.robot.commands == []


async def test_a_channel_that_never_opens_is_named_over_the_video(
    page: Page, script: Scripted
) -> None:
    """The picture is shown, the banner says that no command reaches the robot."""
    script.robot.channel = "shut"
    await press_drive(page, script)
    await expect(banner(page)).to_have_text("demo cannot be driven yet")
    await page.evaluate(FRAME_SHOWN)

    await expect(page.locator("#banner-text")).to_contain_text("data channel is not open")
    await expect(page.locator("#veil")).to_have_text("")
    await expect(panel(page)).to_have_attribute("data-banner", "waiting")
    await expect(page.locator("#pad")).to_have_attribute("data-active", "false")


async def test_a_robot_without_a_data_channel_is_watched_and_not_driven(
    page: Page, script: Scripted
) -> None:
    """Its answer refuses the channel: the control is ours, and of no use."""
    script.robot.channel = "refused"
    await press_drive(page, script)
    await expect(banner(page)).to_contain_text("You cannot drive demo")
    await page.evaluate(FRAME_SHOWN)

    await expect(page.locator("#banner-text")).to_contain_text("opened no data channel")
    await expect(panel(page)).to_have_attribute("data-banner", "waiting")
    await expect(page.locator("li[data-robot-id=demo]")).not_to_contain_text("You drive")


async def test_a_robot_without_video_is_driven_and_never_in_green(
    page: Page, script: Scripted
) -> None:
    """It declared none: the keys drive, and the banner says that there is no picture."""
    script.robot.camera = "none"
    await press_drive(page, script)
    await expect(banner(page)).to_have_text("You drive demo without a picture")
    commanded = script.robot.awaiting({"x": 0, "y": 1})
    await page.keyboard.down("ArrowUp")
    await asyncio.wait_for(commanded, WAIT_S)
    await page.keyboard.up("ArrowUp")

    await expect(panel(page)).to_have_attribute("data-banner", "waiting")


async def test_who_watches_a_robot_without_video_reads_so(page: Page, script: Scripted) -> None:
    """A viewer waits for no picture that never comes."""
    script.robot.camera, script.holder = "none", ALICE
    await sign_in(page, script)
    await page.click("li[data-robot-id=demo] [data-action=watch]")

    await expect(banner(page)).to_have_text("“Alice” drives — you watch")
    await expect(page.locator("#banner-text")).to_have_text("The robot sends no video.")
