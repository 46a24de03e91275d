"""Every pairing of the dialects shows real video, and leaves each end as it was: alive."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from playwright.async_api import Locator, Page, expect

from robosignal.robot import Robot
from robosignal.testing import LocalBackend
from tests.seed.conftest import OpenPage
from tests.seed.page import kept, open_seed_page, wait_for_video
from tests.seed.robot import seed_robot
from tests.seed.trickling import trickling_robot

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROBOT = "rover-1"
OWNER, ADMIN = "olga", "boss"


@asynccontextmanager
async def own_robot(backend: LocalBackend) -> AsyncIterator[None]:
    """Run the shipped robot until left."""
    stop = asyncio.Event()
    robot = Robot(backend.url, ROBOT, token=backend.token(OWNER))
    running = asyncio.create_task(robot.run(stop=stop))
    yield
    stop.set()
    await running


async def open_console(page: Page, backend: LocalBackend, user: str, *groups: str) -> None:
    """Sign in to the console, and wait for the robot's row."""
    await page.goto(f"{backend.page_url}#token={backend.token(user, groups)}")
    await expect(row(page)).to_have_attribute("data-online", "true")


def row(page: Page) -> Locator:
    """Return the robot's row in the console."""
    return page.locator(f"li[data-robot-id={ROBOT}]")


async def press(page: Page, action: str) -> None:
    """Press a button of the robot's row."""
    await page.click(f"li[data-robot-id={ROBOT}] [data-action={action}]:enabled")


async def misread(page: Page) -> list[Any]:
    """Return what a seed page failed on, and what it was sent and does not know."""
    return [*await kept(page, "faults"), *await kept(page, "unknown")]


async def command_of(heard: asyncio.Queue[str | bytes]) -> dict[str, Any]:
    """Return the next drive command that came over a data channel."""
    async with asyncio.timeout(15):
        while True:
            message: dict[str, Any] = json.loads(await heard.get())
            if message["type"] == "command":
                return message


async def test_a_seed_page_sees_the_shipped_robot(
    backend: LocalBackend, new_page: OpenPage
) -> None:
    """The robot's answer holds its candidates; nothing reaches the page that it cannot use."""
    page = await new_page()
    async with own_robot(backend):
        await open_seed_page(page, backend, ROBOT, OWNER)
        await wait_for_video(page)

        assert await misread(page) == []


async def test_a_seed_page_sees_a_v1_robot_that_trickles(
    backend: LocalBackend, new_page: OpenPage
) -> None:
    """Each text candidate arrives as the object that the page needs, by the word that it knows."""
    page = await new_page()
    url, token = backend.url, backend.token(OWNER)
    async with trickling_robot(url, ROBOT, token) as robot:
        await open_seed_page(page, backend, ROBOT, OWNER)
        await wait_for_video(page)

        assert await misread(page) == []
        assert await kept(page, "added") > 0
        assert robot.added


async def test_a_seed_page_sees_a_seed_robot(backend: LocalBackend, new_page: OpenPage) -> None:
    """As they did before there was v1."""
    page = await new_page()
    url, token = backend.url, backend.token(OWNER)
    async with seed_robot(url, ROBOT, token) as robot:
        await open_seed_page(page, backend, ROBOT, OWNER)
        await wait_for_video(page)

        assert await misread(page) == []
        assert await kept(page, "added") > 0
        assert robot.added
        assert robot.ended is None


async def test_the_console_drives_a_seed_robot_again_and_again(
    backend: LocalBackend, new_page: OpenPage
) -> None:
    """Drive, leave, drive: the robot hears each command, and goes on reading."""
    page = await new_page()
    url, token = backend.url, backend.token(OWNER)
    async with seed_robot(url, ROBOT, token) as robot:
        await open_console(page, backend, OWNER)
        for drive in (1, 2):
            await press(page, "drive")
            await wait_for_video(page)
            await page.locator("video").focus()
            # A frame is shown before the page says that it drives; a press before that is no press.
            await expect(page.locator("#pad")).to_have_attribute("data-active", "true")
            await page.keyboard.down("w")
            await command_of(robot.heard)
            await page.keyboard.up("w")
            await page.click("#panel [data-action=leave]")

            assert robot.ended is None
            assert len(robot.offers) == drive
        assert robot.added


async def test_a_takeover_at_the_console_leaves_a_seed_robot_hearing(
    backend: LocalBackend, new_page: OpenPage
) -> None:
    """It is told nothing but the taker's offer; later the displaced driver drives it again."""
    owner, admin = await new_page(), await new_page()
    url, token = backend.url, backend.token(OWNER)
    async with seed_robot(url, ROBOT, token) as robot:
        await open_console(owner, backend, OWNER)
        await open_console(admin, backend, ADMIN, "ADMINS")
        await press(owner, "drive")
        await wait_for_video(owner)
        await press(admin, "take-over")
        await wait_for_video(admin)
        await expect(owner.locator("#banner-title")).to_have_text(f"You lost control to “{ADMIN}”")
        await admin.click("#panel [data-action=leave]")
        await press(owner, "drive")
        await wait_for_video(owner)

        assert robot.ended is None
        assert [offer["type"] for offer in robot.offers] == ["offer"] * 3


async def test_a_takeover_by_a_seed_page_leaves_a_seed_robot_hearing(
    backend: LocalBackend, new_page: OpenPage
) -> None:
    """The console's driver is displaced; the seed page's own offer shows it video."""
    owner, seed = await new_page(), await new_page()
    url, token = backend.url, backend.token(OWNER)
    async with seed_robot(url, ROBOT, token) as robot:
        await open_console(owner, backend, OWNER)
        await press(owner, "drive")
        await wait_for_video(owner)
        await open_seed_page(seed, backend, ROBOT, OWNER, takes_over=True)
        await wait_for_video(seed)

        assert robot.ended is None
        assert await kept(seed, "faults") == []
        assert await kept(seed, "unknown") == []


APPLICATION = """async ([url, token, robotId]) => {
  const { connect } = await import("/robosignal.js");
  const signal = connect({ url, token });
  window.unusable = [];
  const session = await signal.drive(robotId);
  session.on("candidate-unusable", (one) => window.unusable.push(one));
  const video = document.body.appendChild(document.createElement("video"));
  Object.assign(video, { muted: true, autoplay: true, srcObject: session.stream });
  session.on("stream", (stream) => (video.srcObject = stream));
}"""


async def test_a_candidate_that_the_browser_cannot_use_is_told_and_the_video_goes_on(
    backend: LocalBackend, new_page: OpenPage
) -> None:
    """One of a section that the peer connection does not have."""
    page = await new_page()
    url, token = backend.url, backend.token(OWNER)
    async with seed_robot(url, ROBOT, token) as robot:
        await page.goto(f"{backend.page_url}health")
        await page.evaluate(APPLICATION, [url, token, ROBOT])
        await wait_for_video(page)
        candidate = robot.added[0] | {"sdpMid": None, "sdpMLineIndex": 9}
        await robot.say(type="candidate", to=robot.offers[0]["from"], candidate=candidate)
        await page.wait_for_function("() => window.unusable.length > 0")

        assert [one["count"] for one in await page.evaluate("() => window.unusable")] == [1]
        await wait_for_video(page)


async def test_a_seed_page_reads_who_holds_the_robot_and_that_it_is_offline(
    backend: LocalBackend, new_page: OpenPage
) -> None:
    """Neither the page nor the robot that is driven is disturbed by what the page is told."""
    driver, second, third = await new_page(), await new_page(), await new_page()
    url, token = backend.url, backend.token(OWNER)
    async with seed_robot(url, ROBOT, token) as robot:
        await open_seed_page(driver, backend, ROBOT, OWNER)
        await wait_for_video(driver)
        await open_seed_page(second, backend, ROBOT, OWNER)
        await second.wait_for_function("() => window.page.locked !== null")

        assert (await kept(second, "locked"))["lockedBy"] == OWNER
        assert await kept(second, "errors") == []
        assert robot.ended is None
        await wait_for_video(driver)
    await open_seed_page(third, backend, ROBOT, OWNER)
    await third.wait_for_function("() => window.page.errors.length > 0")

    assert [one["error"] for one in await kept(third, "errors")] == ["robot_offline"]
