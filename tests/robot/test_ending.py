"""A robot that ends while it is driven: its motors are told to stop before anything else."""

import asyncio
from types import NoneType

import pytest

from robosignal.robot import Robot, RobotReplaced
from robosignal.robot.drive import STILL, Drive
from tests.robot.server import (
    ALICE,
    PATIENCE,
    ROBOT,
    TOKEN,
    Running,
    SignalingServer,
    browser,
)

FORWARD = Drive(0.0, 1.0)


@pytest.mark.parametrize("is_replaced", [False, True])
async def test_robot_that_ends_stops_its_motors_first(*, is_replaced: bool) -> None:
    """When it is stopped, and when another device takes its id."""
    server, told, first = SignalingServer(), list[Drive](), asyncio.Event()
    loop = asyncio.get_running_loop()

    def move(drive: Drive) -> None:
        told.append(drive)
        loop.call_soon_threadsafe(first.set)

    async with server.open(), browser(server, "a", "pc-a1", ALICE) as alice:
        running = Running(server.url, on_drive=move)
        await server.frame("register")
        await alice.join("controller", 2)
        await alice.drive(1)
        await asyncio.wait_for(first.wait(), PATIENCE)
        if is_replaced:
            await server.push("replaced", instanceId="another-run")

        error = await (running.ended() if is_replaced else running.stop())

        assert isinstance(error, RobotReplaced if is_replaced else NoneType)
        assert (told[0], told[-1]) == (FORWARD, STILL)


async def test_run_that_is_cancelled_stops_the_motors_and_unregisters() -> None:
    """As when the program's own task group fails around it."""
    server, drives, first = SignalingServer(), list[Drive](), asyncio.Event()
    loop = asyncio.get_running_loop()

    def move(drive: Drive) -> None:
        drives.append(drive)
        loop.call_soon_threadsafe(first.set)

    async with server.open(), browser(server, "a", "pc-a1", ALICE) as alice:
        running = asyncio.create_task(Robot(server.url, ROBOT, token=TOKEN, on_drive=move).run())
        await server.frame("register")
        await alice.join("controller", 2)
        await alice.drive(1)
        await asyncio.wait_for(first.wait(), PATIENCE)
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        unregister = await server.frame("unregister")

    assert (drives[0], drives[-1]) == (FORWARD, STILL)
    assert unregister["robotId"] == ROBOT
