"""Control by consent, pushed presence and the redial, as an operator at the console sees them."""

import asyncio
import time

import pytest
from playwright.async_api import Locator, Page, expect

from tests.web.scripted import ALICE, ALICES, ME, SESSION, Scripted
from tests.web.steps import FRAME_SHOWN, WAIT_S, banner, drive, sign_in, watch

pytestmark = pytest.mark.asyncio(loop_scope="module")
REQUESTED = {"type": "control-requested", "sessionId": ALICES, "by": ALICE}
LAPSE_MS = 30_000
REDIAL_MS = 10_000
STREAM = "() => document.querySelector('video').srcObject.id"
PONG = """() => new Promise(answered =>
    new MutationObserver(answered).observe(document.querySelector("#panel"),
        { attributes: true, attributeFilter: ["data-rtt-ms"] }))"""
# Each redraw writes the state again: only another one is noted.
NOTE_STATES = """() => {
    window.states = [];
    const note = () => document.body.dataset.state !== "online" &&
        window.states.push(document.body.dataset.state);
    new MutationObserver(note).observe(document.body, { attributes: true });
}"""


def requests(page: Page) -> Locator:
    """Return what shows who asks for control."""
    return page.locator("#requests li")


async def test_a_driver_who_is_asked_sees_by_whom_without_anything_moving(
    page: Page, script: Scripted
) -> None:
    """The request lies over the video: pad and buttons stay where the hands are."""
    await drive(page, script)
    before = await page.locator("#pad").bounding_box()
    await script.push(REQUESTED)

    await expect(requests(page)).to_contain_text("“Alice” asks for control")
    await expect(page).to_have_title("“Alice” asks for control · robosignal")
    assert await page.locator("#pad").bounding_box() == before


async def test_handing_over_keeps_the_video_and_the_page_watches_on(
    page: Page, script: Scripted
) -> None:
    """Grant by keyboard: Alice drives, the same stream goes on, the keys are free again."""
    await drive(page, script)
    stream = await page.evaluate(STREAM)
    await script.push(REQUESTED)
    granted = script.awaiting(type="grant-control")
    await page.locator("[data-action=grant]").focus()
    await page.keyboard.press("Enter")

    assert (await asyncio.wait_for(granted, WAIT_S))["sessionId"] == ALICES
    await expect(banner(page)).to_have_text("“Alice” drives — you watch")
    await expect(requests(page)).to_have_count(0)
    await expect(page.locator("video")).to_be_focused()
    assert await page.evaluate(STREAM) == stream


async def test_keeping_control_tells_the_asker(page: Page, script: Scripted) -> None:
    """Deny: the request is gone, and the page drives on."""
    await drive(page, script)
    await script.push(REQUESTED)
    denied = script.awaiting(type="deny-control")
    await page.click("[data-action=deny]")

    assert (await asyncio.wait_for(denied, WAIT_S))["sessionId"] == ALICES
    await expect(requests(page)).to_have_count(0)
    await expect(banner(page)).to_have_text("You drive demo")


async def test_a_viewer_asks_and_is_handed_the_control(page: Page, script: Scripted) -> None:
    """Asked, waiting for Alice, then driving over the same video: commands flow at once."""
    await watch(page, script)
    stream = await page.evaluate(STREAM)
    await page.click("[data-action=request]")
    await expect(banner(page)).to_have_text("“Alice” drives — you have asked for control")
    await expect(page.locator("#banner-text")).to_contain_text("Waiting for “Alice”")
    await script.control(ME, SESSION)
    await expect(banner(page)).to_have_text("You drive demo")
    commanded = script.robot.awaiting({"x": 0, "y": 1})
    await page.locator("video").focus()
    await page.keyboard.down("ArrowUp")
    await asyncio.wait_for(commanded, WAIT_S)
    await page.keyboard.up("ArrowUp")

    assert await page.evaluate(STREAM) == stream


async def test_a_viewer_who_is_denied_is_told_by_whom(page: Page, script: Scripted) -> None:
    """“Alice” keeps the control; asking again is possible."""
    await watch(page, script)
    await page.click("[data-action=request]")
    await expect(banner(page)).to_contain_text("you have asked")
    await script.push({"type": "control-denied", "by": ALICE})

    await expect(page.locator("#notice")).to_have_text("“Alice” keeps the control.")
    await expect(banner(page)).to_have_text("“Alice” drives — you watch")
    await expect(page.locator("[data-action=request]")).to_be_enabled()


async def test_a_request_without_an_answer_lapses(page: Page, script: Scripted) -> None:
    """After 30 seconds the request ends, and the page says so."""
    await page.clock.install()
    await watch(page, script)
    await page.click("[data-action=request]")
    await expect(banner(page)).to_contain_text("you have asked")
    await page.clock.fast_forward(LAPSE_MS)

    await expect(page.locator("#notice")).to_contain_text("“Alice” has not answered")


async def test_presence_is_pushed(page: Page, script: Scripted) -> None:
    """Alice begins to drive, then the robot goes offline: each push shows, no list is asked for."""
    await sign_in(page, script)
    row = page.locator("li[data-robot-id=demo]")
    script.holder = ALICE
    await script.present()
    await expect(row).to_have_attribute("data-driver", "Alice")
    script.holder, script.online = None, False
    await script.present()

    await expect(row).to_have_attribute("data-online", "false")
    assert script.asked("robots") == 0


async def test_presence_that_runs_out_is_asked_for_and_else_not_known(
    page: Page, script: Scripted
) -> None:
    """No news and no answer within the time that the server named: the row says so."""
    await page.clock.install()
    await sign_in(page, script)
    script.silent.add("robots")
    asked = script.awaiting(type="robots")
    await page.clock.fast_forward(script.valid_s * 1000)

    assert (await asyncio.wait_for(asked, WAIT_S))["robotIds"] == ["demo"]
    await expect(page.locator("li[data-robot-id=demo]")).to_have_attribute("data-online", "unknown")


async def test_an_admins_page_watches_every_robot(page: Page, script: Scripted) -> None:
    """The token says admin: the page asks for all."""
    watched = script.awaiting(type="watch")
    await sign_in(page, script, "ADMINS")

    assert (await asyncio.wait_for(watched, WAIT_S))["all"] is True


async def test_a_connection_near_its_end_is_replaced_unseen(page: Page, script: Scripted) -> None:
    """A second socket takes over before the token's end: no word of it, no break in the video."""
    await page.clock.install()
    script.welcome = {"expiresAt": int(time.time() * 1000) + REDIAL_MS}
    await drive(page, script)
    stream = await page.evaluate(STREAM)
    await page.evaluate(NOTE_STATES)
    resumed, watched = script.awaiting(type="resume"), script.awaiting(type="watch")
    # In two jumps, for a data channel that is silent for longer than that counts as dead.
    await page.clock.fast_forward(REDIAL_MS // 2)
    await page.evaluate(PONG)
    await page.clock.fast_forward(REDIAL_MS // 2)
    await asyncio.wait_for(asyncio.gather(resumed, watched), WAIT_S)
    await asyncio.wait_for(script.sockets[0].wait_closed(), WAIT_S)
    await page.evaluate(FRAME_SHOWN)

    assert await page.evaluate("() => window.states") == []
    assert await page.evaluate(STREAM) == stream
    await expect(banner(page)).to_have_text("You drive demo")
