"""A real backend, a real robot and real operators, for the tests of this folder."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from robosignal.operator import Operator
from robosignal.robot import Drive, Robot, Timing
from robosignal.testing import LocalBackend

Item = TypeVar("Item")

ROBOT, OWNER, FRIEND = "rover-1", "olga", "frank"
WAIT_S = 30
AHEAD, BACK = Drive(0.0, 1.0), Drive(0.0, -1.0)


async def until(condition: Callable[[], object]) -> None:
    """Return once the condition holds."""
    async with asyncio.timeout(WAIT_S):
        while not condition():  # noqa: ASYNC110 - it may be a robot's thread that changes it
            await asyncio.sleep(0.02)


async def next_of(feed: AsyncIterator[Any], kind: type[Item]) -> Item:
    """Return the next item of this kind."""
    async with asyncio.timeout(WAIT_S):
        async for item in feed:
            if isinstance(item, kind):
                return item
    raise AssertionError(f"no {kind.__name__} came")


class World:
    """A backend with a robot, and what its motors were told."""

    def __init__(self, backend: LocalBackend) -> None:
        self.backend = backend
        self.drives: list[Drive] = []
        self.robot: Robot

    def operator(
        self, user: str = OWNER, *, video: bool = False, timing: Timing | None = None
    ) -> Operator:
        """Return an operator of this user's."""
        token = self.backend.token(user)
        return Operator(self.backend.url, token=lambda: token, video=video, timing=timing)

    @asynccontextmanager
    async def running(self, **options: Any) -> AsyncIterator[Robot]:
        """Run the robot for this block; it is online."""
        options = {"on_drive": self.drives.append} | options
        robot = Robot(self.backend.url, ROBOT, token=self.backend.token(OWNER), **options)
        stop = asyncio.Event()
        running = asyncio.create_task(robot.run(stop=stop))
        try:
            async with self.backend.connect(OWNER, timeout_s=WAIT_S) as client:
                await client.wait_until_online(ROBOT)
            yield robot
        finally:
            stop.set()
            await asyncio.wait_for(running, WAIT_S)

    async def befriend(self) -> None:
        """Let a user who is not the owner drive."""
        async with self.backend.connect(OWNER) as owner, self.backend.connect(FRIEND) as friend:
            await owner.request("share", robotId=ROBOT, userId=FRIEND)
            await friend.request("accept-share", robotId=ROBOT)


@asynccontextmanager
async def open_world(
    state: Path | None = None, port: int = 0, **options: Any
) -> AsyncIterator[World]:
    """Yield a backend with a robot that is online."""
    async with LocalBackend(state=state, port=port) as backend:
        made = World(backend)
        async with made.running(**options) as made.robot:
            yield made
