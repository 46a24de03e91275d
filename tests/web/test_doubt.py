"""Never a doubt who drives: the console while the server, or the robot, does not know better."""

import asyncio

import pytest
from playwright.async_api import Locator, Page, expect

from tests.web.scripted import ALICE, ME, SESSION, Scripted
from tests.web.steps import FRAME_SHOWN, WAIT_S, banner, drive, sign_in, watch

pytestmark = pytest.mark.asyncio(loop_scope="module")
RENEWAL_MS = 20_000
SILENCE_MS = 5_000
STREAM = "() => document.querySelector('video').srcObject.id"
PONG = """() => new Promise(answered =>
    new MutationObserver(answered).observe(document.querySelector("#panel"),
        { attributes: true, attributeFilter: ["data-rtt-ms"] }))"""


def driver_shown(page: Page) -> Locator:
    """Return the fact that names the driver."""
    return page.locator("#fact-driver")


async def lose_server(script: Scripted) -> None:
    """Cut the console off; the server that it dials doesn't greet it."""
    script.silent.add("ready")
    await script.sockets[-1].close(1001)


async def pass_time(page: Page, ms: int) -> None:
    """Let time pass in steps, for a data channel that is silent for 10 seconds counts as dead."""
    for _ in range(ms // SILENCE_MS):
        await page.clock.fast_forward(SILENCE_MS)
        await page.evaluate(PONG)


async def test_a_socket_that_is_dead_without_a_word_is_replaced_and_the_video_goes_on(
    page: Page, script: Scripted
) -> None:
    """Nothing that is asked is answered: another socket, the session resumed, the same stream."""
    await page.clock.install()
    await drive(page, script)
    stream = await page.evaluate(STREAM)
    script.silent |= {"ping", "robots"}
    resumed = script.awaiting(type="resume")
    await pass_time(page, RENEWAL_MS + SILENCE_MS)

    assert (await asyncio.wait_for(resumed, WAIT_S))["sessionId"] == SESSION
    await asyncio.wait_for(script.sockets[0].wait_closed(), WAIT_S)
    await expect(page.locator("body")).to_have_attribute("data-state", "online")
    await expect(banner(page)).to_have_text("You drive demo")
    assert await page.evaluate(STREAM) == stream


async def test_a_viewer_who_is_cut_off_reads_that_the_driver_is_unknown(
    page: Page, script: Scripted
) -> None:
    """The video goes on; who drives is what was last heard, and is known again with the server."""
    await page.clock.install()
    await watch(page, script)
    await lose_server(script)
    await expect(banner(page)).to_have_text("Who drives is not known — you watch")
    await expect(page.locator("#banner-text")).to_contain_text("“Alice” drove")
    await expect(driver_shown(page)).to_have_text("Not known")
    await expect(page.locator("li[data-robot-id=demo]")).to_contain_text("Not known just now")
    await page.evaluate(FRAME_SHOWN)
    script.silent.clear()
    script.holder, script.epoch = None, script.epoch + 1
    await pass_time(page, 3 * SILENCE_MS)

    await expect(banner(page)).to_have_text("No one drives demo — you watch")


async def test_a_driver_who_is_cut_off_and_whose_robot_closes_the_peer_does_not_read_that_he_drives(
    page: Page, script: Scripted
) -> None:
    """Somebody took over meanwhile: the page says that it is not connected, then who took over."""
    await page.clock.install()
    await drive(page, script)
    await lose_server(script)
    await expect(page.locator("#notice")).to_contain_text("the video goes on")
    await expect(banner(page)).to_have_text("You drive demo")
    await script.robot.close()
    await expect(banner(page)).to_have_text("Not connected to demo")
    await expect(page.locator("#notice")).not_to_contain_text("the video goes on")
    await expect(driver_shown(page)).to_have_text("Not known")
    script.silent.clear()
    gone = {"code": "no_session", "message": "no such session"}
    script.refuse["resume"], script.holder = gone, ALICE
    offered = script.awaiting(type="offer", role="viewer")
    await page.clock.fast_forward(3 * SILENCE_MS)
    await asyncio.wait_for(offered, WAIT_S)

    await expect(banner(page)).to_have_text("You lost control to “Alice”")


async def test_while_a_robot_is_joined_the_page_says_so_and_drives_the_former_no_more(
    page: Page, script: Scripted
) -> None:
    """From one robot to another whose answer takes long: not one word more of the first."""
    script.fleet.append({"robotId": "other", "online": True, "owner": ME, "relation": "owner"})
    await drive(page, script)
    script.silent.add("offer")
    await page.click("li[data-robot-id=other] [data-action=watch]")

    await expect(banner(page)).to_have_text("Joining other…")
    await expect(driver_shown(page)).to_have_text("\u2013")
    await expect(page.locator("li[data-robot-id=demo]")).to_have_attribute("data-chosen", "false")


async def test_a_refusal_that_the_list_did_not_foretell_makes_the_page_look_again(
    page: Page, script: Scripted
) -> None:
    """Alice drives, and the push that said so was lost: after the refusal her name is shown."""
    await sign_in(page, script)
    script.holder = ALICE
    await page.click("li[data-robot-id=demo] [data-action=drive]")

    await expect(page.locator("li[data-robot-id=demo]")).to_have_attribute("data-driver", "Alice")
    await expect(page.locator("#notice")).to_have_text("Somebody drives this robot.")


async def test_a_robot_that_has_not_heard_who_drives_is_told_and_obeys(
    page: Page, script: Scripted
) -> None:
    """It refuses at an older epoch: one offer in the session, and it obeys a new press."""
    await drive(page, script)
    stream = await page.evaluate(STREAM)
    offers = script.asked("offer")
    script.robot.refuses_at = script.epoch - 1
    offered = script.awaiting(type="offer")
    await page.keyboard.down("ArrowUp")
    await asyncio.wait_for(offered, WAIT_S)
    await page.evaluate(FRAME_SHOWN)
    held = list(script.robot.commands)
    await page.keyboard.up("ArrowUp")
    commanded = script.robot.awaiting({"x": 0, "y": 1})
    await page.keyboard.down("ArrowUp")
    await asyncio.wait_for(commanded, WAIT_S)
    await page.keyboard.up("ArrowUp")
    await page.evaluate(FRAME_SHOWN)

    assert {"x": 0, "y": 1} not in held
    assert script.asked("offer") == offers + 1
    assert await page.evaluate(STREAM) == stream
    await expect(page.locator("#notice")).to_have_text("")
    await expect(banner(page)).to_have_text("You drive demo")
