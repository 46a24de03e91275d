"""A robot that ends while it is driven: its motors are told to stop before anything else."""

import asyncio
from types import NoneType

import pytest

from robosignal.robot import RobotReplaced
from robosignal.robot.drive import STILL, Drive
from tests.robot.stage import ALICE, PATIENCE, Running, Stage, browser

FORWARD = Drive(0.0, 1.0)


@pytest.mark.parametrize("is_replaced", [False, True])
async def test_robot_that_ends_stops_its_motors_first(*, is_replaced: bool) -> None:
    """When it is stopped, and when another device takes its id."""
    stage, told, first = Stage(), list[Drive](), asyncio.Event()
    loop = asyncio.get_running_loop()

    def move(drive: Drive) -> None:
        told.append(drive)
        loop.call_soon_threadsafe(first.set)

    async with stage.open(), browser(stage, "a", "pc-a1", ALICE) as alice:
        running = Running(stage.url, on_drive=move)
        await stage.frame("register")
        await alice.join("controller", 2)
        await alice.drive(1)
        await asyncio.wait_for(first.wait(), PATIENCE)
        if is_replaced:
            await stage.push("replaced", instanceId="another-run")

        error = await (running.ended() if is_replaced else running.stop())

        assert isinstance(error, RobotReplaced if is_replaced else NoneType)
        assert (told[0], told[-1]) == (FORWARD, STILL)
