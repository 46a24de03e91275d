"""A robot that ends while it is driven: its motors are told to stop before anything else."""

import asyncio

import pytest

from robosignal.robot.session.commands import STILL, Drive
from tests.robot.stage import ALICE, PATIENCE, Running, Stage, browser

FORWARD = Drive(0.0, 1.0)


@pytest.mark.parametrize("code", [0, 1])
async def test_robot_that_ends_stands_still_first(code: int) -> None:
    """As when it is stopped, and when another device takes its id: with what exit code it may."""
    stage, told, first = Stage(), list[Drive](), asyncio.Event()
    loop = asyncio.get_running_loop()

    def move(drive: Drive) -> None:
        told.append(drive)
        loop.call_soon_threadsafe(first.set)

    async with stage.open(), browser(stage, "a", "pc-a1", ALICE) as alice:
        running = Running(stage.url, move=move)
        await stage.frame("register")
        await alice.join("controller", 2)
        await alice.drive(1)
        await asyncio.wait_for(first.wait(), PATIENCE)
        if code:
            await stage.push("replaced", instanceId="another-run")

        assert await (running.ended() if code else running.stop()) == code
        assert (told[0], told[-1]) == (FORWARD, STILL)
