"""A robot that ends while it is driven: its motors are told to stop before anything else."""

import pytest

from robosignal.robot.commands import STILL, Drive
from tests.robot.stage import ALICE, Running, Stage, browser

FORWARD = Drive(0.0, 1.0)


@pytest.mark.parametrize("code", [0, 1])
async def test_robot_that_ends_stands_still_first(code: int) -> None:
    """As when it is stopped, and when another device takes its id: with what exit code it may."""
    stage, told = Stage(), list[Drive]()
    async with stage.open(), browser(stage, "a", "pc-a1", ALICE) as alice:
        running = Running(stage.url, move=told.append)
        await stage.frame("register")
        await alice.join("controller", 2)
        await alice.drive(1)
        if code:
            await stage.push("replaced", instanceId="another-run")

        assert await (running.ended() if code else running.stop()) == code
        assert (told[0], told[-1]) == (FORWARD, STILL)
