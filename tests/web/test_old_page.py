"""A page of the form before the channel `drive`, in a real browser, and a robot of today."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page

from robosignal.robot import STILL, Drive, Robot
from robosignal.testing import LocalBackend

pytestmark = pytest.mark.asyncio(loop_scope="module")

SCRIPT = Path(__file__).with_name("old_page.js").read_text(encoding="utf-8")
ROBOT, OWNER = "rover-1", "olga"
FORWARD = Drive(0.0, 1.0)
WATCHDOG_MS = 500
IGNORED_MS = 300
WAIT_S = 20

ANSWERED = "n => window.page.answers.some((answer) => answer.n >= n)"
ANSWERS = "() => window.page.answers"


@dataclass
class Wheels:
    """What the motors were told, from the robot's own thread."""

    told: list[Drive] = field(default_factory=list)

    def __call__(self, drive: Drive) -> None:
        """Be the robot's `on_drive`."""
        self.told.append(drive)


@asynccontextmanager
async def driven(page: Page, wheels: Wheels, *, old_pages: bool = True) -> AsyncIterator[None]:
    """Have a robot that the old page drives, until left."""
    stop = asyncio.Event()
    async with LocalBackend() as backend:
        token = backend.token(OWNER)
        robot = Robot(backend.url, ROBOT, token=token, on_drive=wheels, old_pages=old_pages)
        running = asyncio.create_task(robot.run(stop=stop))
        async with backend.connect(OWNER) as client:
            await client.wait_until_online(ROBOT)
        await page.goto(backend.page_url)
        await page.evaluate(SCRIPT, [backend.url, token, ROBOT])
        yield
        await page.goto("about:blank")
        stop.set()
        await asyncio.wait_for(running, WAIT_S)


async def send(page: Page, y: float) -> dict[str, Any]:
    """Send one command, and return the robot's answer to it."""
    n = await page.evaluate("y => window.page.drive(y)", y)
    await page.wait_for_function(ANSWERED, arg=n)
    answers: list[dict[str, Any]] = await page.evaluate(ANSWERS)
    return next(answer for answer in answers if answer["n"] >= n)


async def test_it_drives_and_after_a_gap_nothing_that_waited_moves_the_robot(page: Page) -> None:
    """Its first press drives. After a gap 300 ms are ignored, and zeros come before motion."""
    wheels = Wheels()
    async with driven(page, wheels):
        first = await send(page, 1)
        await asyncio.sleep(2 * WATCHDOG_MS / 1000)  # The gap: the robot has stopped by itself.
        stopped = list(wheels.told)
        before = len(await page.evaluate(ANSWERS))
        await page.evaluate("() => window.page.hold(1, 600)")
        after_gap = (await page.evaluate(ANSWERS))[before:]
        still = list(wheels.told)
        zero = await send(page, 0)
        last = await send(page, 1)

    assert first["type"] == "done"
    assert stopped == [FORWARD, STILL]
    assert {answer["type"] for answer in after_gap} == {"refused"}
    assert after_gap[-1]["at"] - after_gap[0]["at"] >= IGNORED_MS
    assert still == stopped
    assert (zero["type"], last["type"]) == ("done", "done")
    assert FORWARD in wheels.told[len(stopped) :]


async def test_zeros_right_after_a_gap_are_ignored_too(page: Page) -> None:
    """They may have waited with what comes behind them."""
    async with driven(page, Wheels()):
        await send(page, 1)
        await asyncio.sleep(2 * WATCHDOG_MS / 1000)
        before = len(await page.evaluate(ANSWERS))
        await page.evaluate("() => window.page.hold(0, 1000)")
        answers = (await page.evaluate(ANSWERS))[before:]

    kinds = [answer["type"] for answer in answers]
    obeyed = kinds.index("done")
    assert kinds[0] == "refused"
    assert set(kinds[obeyed:]) == {"done"}
    # The robot counts from the first that came, and the page from the answer to it.
    assert answers[obeyed]["at"] - answers[0]["at"] >= IGNORED_MS - 50


async def test_a_robot_that_takes_no_old_pages_refuses_each_command(page: Page) -> None:
    """`old_pages=False`: the page hears it, and nothing moves."""
    wheels = Wheels()
    async with driven(page, wheels, old_pages=False):
        answers = [await send(page, y) for y in (0, 1, 1)]

    assert {answer["type"] for answer in answers} == {"refused"}
    assert FORWARD not in wheels.told
