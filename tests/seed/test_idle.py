"""An hour without a message, by limits that are 300 times as short as API Gateway's."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from robosignal.protocol.limits import IDLE_SECONDS
from robosignal.testing import LocalBackend
from tests.seed.conftest import OpenPage
from tests.seed.page import kept, open_seed_page, wait_for_video
from tests.seed.robot import SeedRobot, seed_robot

pytestmark = pytest.mark.asyncio(loop_scope="module")

ROBOT = "rover-1"
OWNER = "olga"
IDLE_S = IDLE_SECONDS / 300
# More often than on AWS, where a run takes no second of its three hundred.
KEEPALIVE_S = IDLE_S / 8
HOUR = round(3600 / 300 / KEEPALIVE_S)
"""How many frames keep a connection for an hour."""


@asynccontextmanager
async def silent_backend(keepalive_s: float | None) -> AsyncIterator[LocalBackend]:
    """Run a backend with short limits until left."""
    async with LocalBackend(idle_timeout_s=IDLE_S, seed_keepalive_s=keepalive_s) as running:
        yield running


@asynccontextmanager
async def registered(backend: LocalBackend) -> AsyncIterator[SeedRobot]:
    """Run a strict robot of the seed's until left."""
    url, token = backend.url, backend.token(OWNER)
    async with seed_robot(url, ROBOT, token) as robot:
        yield robot


async def pass_keepalives(robot: SeedRobot, count: int) -> None:
    """Wait until the robot has read on over so many of them."""
    async with asyncio.timeout(60):
        for _ in range(count):
            await robot.empty.get()


async def test_a_seed_robot_and_page_outlive_an_hour_of_silence(new_page: OpenPage) -> None:
    """The robot without a driver, then both in a session: still open, reading, and with video."""
    page, next_page = await new_page(), await new_page()
    async with silent_backend(KEEPALIVE_S) as backend, registered(backend) as robot:
        await pass_keepalives(robot, HOUR // 4)
        await open_seed_page(page, backend, ROBOT, OWNER)
        await wait_for_video(page)
        await pass_keepalives(robot, HOUR)

        assert (robot.ended, robot.closed) == (None, None)
        assert await kept(page, "closed") is False
        assert set(await kept(page, "unknown")) == {"ping"}
        assert await kept(page, "faults") == []
        await wait_for_video(page)
        await page.context.close()
        await open_seed_page(next_page, backend, ROBOT, OWNER)
        await wait_for_video(next_page)


async def test_without_keepalive_a_silent_robot_and_page_are_closed(new_page: OpenPage) -> None:
    """As API Gateway does after ten minutes: the page's video ends, the robot does not redial."""
    page = await new_page()
    async with silent_backend(None) as backend, registered(backend) as robot:
        await open_seed_page(page, backend, ROBOT, OWNER)
        await wait_for_video(page)
        await page.wait_for_function("() => window.page.closed")
        async with asyncio.timeout(15):
            await robot.gone.wait()

        assert (robot.ended, robot.closed, robot.empty.qsize()) == (None, 1001, 0)
        assert await page.evaluate("() => window.page.peer.connectionState") == "closed"


async def test_a_page_without_a_session_is_not_kept(new_page: OpenPage) -> None:
    """It was refused: once it is idle it is closed, as the seed's own server did."""
    driver, refused = await new_page(), await new_page()
    async with silent_backend(KEEPALIVE_S) as backend, registered(backend):
        await open_seed_page(driver, backend, ROBOT, OWNER)
        await wait_for_video(driver)
        await open_seed_page(refused, backend, ROBOT, OWNER)
        await refused.wait_for_function("() => window.page.closed")

        assert (await kept(refused, "locked"))["robotId"] == ROBOT
        assert await kept(refused, "unknown") == []
        assert await kept(driver, "closed") is False
