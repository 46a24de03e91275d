"""The console in a real browser, against a scripted server and a real WebRTC robot."""

import asyncio
import re

import pytest
from playwright.async_api import Page, expect

from tests.web.scripted import ALICE, SESSION, Scripted
from tests.web.steps import FRAME_SHOWN, WAIT_S, banner, drive, sign_in

pytestmark = pytest.mark.asyncio(loop_scope="module")
OFFLINE = {"code": "robot_offline", "message": "the robot is offline: try again when it is back"}
BUSY = {"code": "robot_busy", "message": "“Alice” drives this robot", "controlledBy": ALICE}


async def test_without_a_token_the_page_says_how_to_sign_in(page: Page, script: Scripted) -> None:
    """No link, no connection: a sentence with the next step."""
    await page.goto(script.url)

    await expect(page.locator("#notice")).to_contain_text("Open the link that “make run” prints")
    assert script.sockets == []


async def test_the_token_leaves_the_address_bar_at_once(page: Page, script: Scripted) -> None:
    """The link's fragment is kept for the tab and shown no more; a reload is still signed in."""
    await sign_in(page, script)
    address = page.url
    await page.reload()

    assert address == script.url
    await expect(page.locator("body")).to_have_attribute("data-state", "online")


async def test_drive_shows_video_round_trip_and_who_drives(page: Page, script: Scripted) -> None:
    """One press: video plays, the data channel is timed, every mark names the driver."""
    await drive(page, script)

    await expect(page.locator("#panel")).to_have_attribute("data-rtt-ms", re.compile(r"^\d+\.\d$"))
    await expect(page.locator("#panel")).to_have_attribute("data-driver", "Dana")
    await expect(page.locator("li[data-robot-id=demo]")).to_have_attribute("data-driver", "Dana")
    await expect(page.locator("video")).to_have_attribute("data-robot-id", "demo")


async def test_keys_drive_and_letting_go_stops(page: Page, script: Scripted) -> None:
    """Commands flow while a key is held; the last one is a stop."""
    await drive(page, script)
    commanded = script.robot.awaiting({"x": 0, "y": 1})
    await page.keyboard.down("ArrowUp")
    await asyncio.wait_for(commanded, WAIT_S)
    commanded = script.robot.awaiting({"x": 0, "y": 0})
    await page.keyboard.up("ArrowUp")
    await asyncio.wait_for(commanded, WAIT_S)

    assert script.robot.commands[-1] == {"x": 0, "y": 0}


async def test_an_old_robot_is_driven_over_control_and_the_driver_reads_what_that_means(
    page: Page, script: Scripted
) -> None:
    """It declares nothing within a second: commands may come late, and a stop does not stay."""
    await drive(page, script)
    commanded = script.robot.awaiting({"x": 0, "y": 1})
    await page.keyboard.down("ArrowUp")
    await asyncio.wait_for(commanded, WAIT_S)
    commanded = script.robot.awaiting({"x": 0, "y": 0})
    await page.keyboard.press("Space")
    await asyncio.wait_for(commanded, WAIT_S)

    assert script.robot.labels == {"control"}
    await expect(page.locator("#banner-text")).to_contain_text("may reach it late")
    await expect(page.locator("#notice")).to_contain_text("cannot stay stopped")
    await page.keyboard.up("ArrowUp")


async def test_losing_the_window_stops_the_robot(page: Page, script: Scripted) -> None:
    """A held key whose release is never seen does not drive on."""
    await drive(page, script)
    commanded = script.robot.awaiting({"x": -1, "y": 0})
    await page.keyboard.down("KeyA")
    await asyncio.wait_for(commanded, WAIT_S)
    commanded = script.robot.awaiting({"x": 0, "y": 0})
    await page.evaluate("() => window.dispatchEvent(new Event('blur'))")
    await asyncio.wait_for(commanded, WAIT_S)

    assert script.robot.commands[-1] == {"x": 0, "y": 0}


async def test_a_stop_that_was_not_asked_for_is_said_until_the_next_press(
    page: Page, script: Scripted
) -> None:
    """Why the robot has stopped though a key is held, and what to do."""
    await drive(page, script)
    await page.keyboard.down("KeyW")
    await page.keyboard.press("Escape")
    await expect(page.locator("#notice")).to_have_text(
        "Stopped. A system key was pressed, such as Ctrl or Escape. Press again to drive."
    )
    await page.keyboard.up("KeyW")
    await page.keyboard.down("KeyW")

    await expect(page.locator("#notice")).to_have_text("")


async def test_the_pad_drives_by_pointer(page: Page, script: Scripted) -> None:
    """A drag from the middle to the right rim is full right."""
    await drive(page, script)
    await page.locator("#pad").scroll_into_view_if_needed()
    pad = await page.locator("#pad").bounding_box()
    assert pad is not None
    middle = (pad["x"] + pad["width"] / 2, pad["y"] + pad["height"] / 2)
    await page.mouse.move(*middle)
    await page.mouse.down()
    commanded = script.robot.awaiting({"x": 1, "y": 0})
    await page.mouse.move(pad["x"] + pad["width"] + 40, middle[1])
    await asyncio.wait_for(commanded, WAIT_S)
    commanded = script.robot.awaiting({"x": 0, "y": 0})
    await page.mouse.up()
    await asyncio.wait_for(commanded, WAIT_S)


async def test_losing_control_is_said_and_the_page_watches_on(page: Page, script: Scripted) -> None:
    """A takeover: the banner names who took it, a new viewer's offer brings the video back."""
    await drive(page, script)
    script.holder, script.epoch = ALICE, script.epoch + 1
    offered = script.awaiting(type="offer", role="viewer")
    lost = {"type": "control-lost", "sessionId": SESSION, "by": ALICE, "epoch": script.epoch}
    await script.push(lost)
    await asyncio.wait_for(offered, WAIT_S)
    await page.evaluate(FRAME_SHOWN)

    await expect(banner(page)).to_have_text("You lost control to “Alice”")
    await expect(page.locator("#panel")).to_have_attribute("data-driver", "Alice")
    await expect(page.locator("#actions [data-action=take-over]")).to_be_enabled()


async def test_taking_over_drives_again(page: Page, script: Scripted) -> None:
    """The owner takes back what Alice has."""
    script.holder = ALICE
    await sign_in(page, script)
    await page.click("li[data-robot-id=demo] [data-action=watch]")
    await expect(banner(page)).to_have_text("“Alice” drives — you watch")
    await page.click("#actions [data-action=take-over]")

    await expect(banner(page)).to_have_text("You drive demo")


async def test_releasing_leaves_a_viewer(page: Page, script: Scripted) -> None:
    """Release: the robot is free, the video goes on."""
    await drive(page, script)
    await page.click("#actions [data-action=release]")

    await expect(banner(page)).to_have_text("No one drives demo — you watch")
    await page.evaluate(FRAME_SHOWN)


async def test_a_robot_that_went_away_is_driven_again_when_it_is_back(
    page: Page, script: Scripted
) -> None:
    """No reload: the page waits, says so, and drives on."""
    await drive(page, script)
    script.refuse["offer"], script.online = OFFLINE, False
    await script.robot.close()
    await script.push({"type": "peer-left", "sessionId": SESSION, "reason": "unregistered"})
    await expect(banner(page)).to_have_text("Waiting for demo")
    del script.refuse["offer"]
    script.online = True
    await script.present()

    await expect(banner(page)).to_have_text("You drive demo")
    await page.evaluate(FRAME_SHOWN)


async def test_a_lost_server_is_redialled_and_the_session_resumed(
    page: Page, script: Scripted
) -> None:
    """The socket goes: the page says so, redials, resumes; the peer connection never ends."""
    await drive(page, script)
    resumed = script.awaiting(type="resume")
    peers = dict(script.robot.peers)
    await script.sockets[-1].close(1001)
    frame = await asyncio.wait_for(resumed, WAIT_S)

    assert frame["sessionId"] == SESSION
    await expect(page.locator("body")).to_have_attribute("data-state", "online")
    await expect(banner(page)).to_have_text("You drive demo")
    assert script.robot.peers == peers


async def test_a_refusal_is_a_sentence(page: Page, script: Scripted) -> None:
    """A robot that somebody else took a moment ago: who, in words."""
    await sign_in(page, script)
    script.refuse["offer"] = BUSY
    await page.click("li[data-robot-id=demo] [data-action=drive]")

    await expect(page.locator("#notice")).to_have_text("“Alice” drives this robot.")


async def test_a_seed_robots_control_is_called_advisory(page: Page, script: Scripted) -> None:
    """A robot that cannot tell drivers apart is marked."""
    script.dialect = "seed"
    await sign_in(page, script)

    await expect(page.locator("li[data-robot-id=demo] .tag")).to_have_text("advisory control")
    await expect(page.locator("li[data-robot-id=demo] [data-action=watch]")).to_be_disabled()
