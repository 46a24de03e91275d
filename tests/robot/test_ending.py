"""A robot that ends while it is driven: its motors are told to stop before anything else."""

import asyncio
import logging

import pytest

from robosignal.robot import actions
from robosignal.robot.client import Client
from robosignal.robot.commands import STILL, Drive
from robosignal.robot.link import Span
from robosignal.robot.presence import Presence
from robosignal.robot.token import fixed
from tests.robot.stage import ALICE, INSTANCE, PATIENCE, ROBOT, TOKEN, Stage, browser

FORWARD = Drive(0.0, 1.0)


class Motors(Client):
    """The robot's client, with a list of what its motors are told."""

    def __init__(self, url: str) -> None:
        presence = Presence(ROBOT, INSTANCE, {})
        log = logging.Logger("robot-under-test")  # noqa: LOG001 - one for each test
        super().__init__(url, fixed(TOKEN), presence, Span(), log, is_renewable=False)
        self.told: list[Drive] = []

    def _carry_out(self, action: actions.Action) -> None:
        if isinstance(action, actions.Move):
            self.told.append(action.drive)
        super()._carry_out(action)


@pytest.mark.parametrize("code", [0, 1])
async def test_robot_that_ends_stands_still_first(code: int) -> None:
    """As when it is stopped, and when another device takes its id: with what exit code it may."""
    stage, stop = Stage(), asyncio.Event()
    async with stage.open(), browser(stage, "a", "pc-a1", ALICE) as alice:
        robot = Motors(stage.url)
        running = asyncio.create_task(robot.run(stop))
        await stage.frame("register")
        await alice.join("controller", 2)
        await alice.drive(1)
        if code:
            await stage.push("replaced", instanceId="another-run")
        else:
            stop.set()

        assert await asyncio.wait_for(running, PATIENCE) == code
        assert (robot.told[0], robot.told[-1]) == (FORWARD, STILL)
