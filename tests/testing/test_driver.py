"""The driver of `robosignal.testing` on a path that loses what it sends."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiortc import RTCDataChannel

from robosignal.robot import STILL, Drive, Robot
from robosignal.testing import Client, LocalBackend
from robosignal.testing.driver import Driver

PATIENCE_S = 30


class Path:
    """Loses the next messages of a data channel."""

    def __init__(self, channel: RTCDataChannel) -> None:
        self.loses = 0
        self._send = channel.send
        channel.send = self.send  # type: ignore[method-assign]

    def send(self, data: str | bytes) -> None:
        """Send a message unless it is lost."""
        if self.loses > 0:
            self.loses -= 1
        else:
            self._send(data)


@asynccontextmanager
async def driving(told: list[Drive]) -> AsyncIterator[tuple[Client, Driver]]:
    """Drive a robot, whose motors note what they are told, until left."""
    async with LocalBackend() as backend, backend.connect("alice", timeout_s=PATIENCE_S) as client:
        robot = Robot(
            backend.url,
            "rover-1",
            token=backend.token("alice"),
            on_drive=told.append,
            video=lambda: None,
        )
        stop = asyncio.Event()
        running = asyncio.create_task(robot.run(stop=stop))
        try:
            await client.wait_until_online("rover-1")
            async with client.drive("rover-1") as driver:
                yield client, driver
        finally:
            stop.set()
            await running


async def test_a_command_that_is_lost_goes_again() -> None:
    """Here the zeros that come first: no motion would be obeyed without them."""
    told: list[Drive] = []
    async with driving(told) as (_, driver):
        path = Path(driver._channels.drive)  # noqa: SLF001 - the path is what is harmed
        path.loses = 2
        await driver.drive(0.0, 0.5)

    assert path.loses == 0
    assert Drive(0.0, 0.5) in told
    assert told[-1] == STILL
