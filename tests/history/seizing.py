"""Clients on real sockets that take over one robot, all at once, and record what they see."""

import asyncio
import json
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from robosignal.gateway.backend import Backend
from tests.history.checker import Asked, Granted, LostTo, RobotHeard, Seen

ROBOT = "r1"
PATIENCE_SECONDS = 30


class Log:
    """What everybody has seen, in one order: one loop reads every socket."""

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self._more = asyncio.Condition()

    async def add(self, seen: Seen) -> None:
        """Write something down."""
        async with self._more:
            self.seen.append(seen)
            self._more.notify_all()

    async def until(self, ready: Callable[[Sequence[Seen]], bool]) -> None:
        """Wait until what was seen is enough."""
        async with self._more, asyncio.timeout(PATIENCE_SECONDS):
            await self._more.wait_for(lambda: ready(self.seen))


class Wire:
    """One connection: replies come back to who asked, all else goes to `told`."""

    def __init__(self, socket: ClientConnection, told: Callable[[dict[str, Any]], Any]) -> None:
        self._socket = socket
        self._told = told
        self._asked: dict[str, asyncio.Future[dict[str, Any]]] = {}
        self.reading = asyncio.create_task(self._read())

    async def ask(self, **message: Any) -> dict[str, Any]:
        """Send a message and return its reply."""
        number = str(len(self._asked))
        self._asked[number] = asyncio.get_running_loop().create_future()
        await self._socket.send(json.dumps({**message, "id": number}))
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self._asked[number]

    async def _read(self) -> None:
        async for text in self._socket:
            frame = json.loads(text)
            if "replyTo" in frame:
                self._asked[frame["replyTo"]].set_result(frame)
            else:
                await self._told(frame)


async def _wire(
    stack: AsyncExitStack, local: Backend, token: str, told: Callable[[dict[str, Any]], Any]
) -> Wire:
    offered = [Subprotocol("robosignal.v1"), Subprotocol(f"bearer.{token}")]
    dialled = connect(local.gateway.websocket_url, subprotocols=offered, compression=None)
    return Wire(await stack.enter_async_context(dialled), told)


async def seized(local: Backend, clients: int, rounds: int) -> list[Seen]:
    """Let so many clients take the robot over, all at once, so many times; return the history."""
    log = Log()
    async with AsyncExitStack() as stack:
        robot = await _wire(stack, local, local.key.sign("ann"), _robots_ear(log))
        register = {"type": "register", "robotId": ROBOT, "instanceId": "run"}
        await robot.ask(**register)
        wires = [await _client(stack, local, log, number) for number in range(clients)]
        for _ in range(rounds):
            await asyncio.gather(*(_seize(log, n, wire) for n, wire in enumerate(wires)))
        await log.until(_all_told)
        control = (await robot.ask(**register))["control"]
        await log.add(RobotHeard(control.get("sessionId"), control["epoch"]))
    await asyncio.gather(*(wire.reading for wire in (robot, *wires)))
    return log.seen


async def _client(stack: AsyncExitStack, local: Backend, log: Log, number: int) -> Wire:
    # Half of them are the owner's connections, half are admins.
    token = local.key.sign("ann") if number % 2 else local.key.sign(f"boss{number}", ["ADMINS"])

    async def told(frame: dict[str, Any]) -> None:
        if frame["type"] == "control-lost":
            await log.add(LostTo(number, frame["epoch"]))

    return await _wire(stack, local, token, told)


def _robots_ear(log: Log) -> Callable[[dict[str, Any]], Any]:
    async def told(frame: dict[str, Any]) -> None:
        if frame["type"] == "takeover":
            await log.add(RobotHeard(frame["sessionId"], frame["epoch"]))

    return told


async def _seize(log: Log, number: int, wire: Wire) -> None:
    await log.add(Asked(number))
    reply = await wire.ask(type="takeover", robotId=ROBOT)
    await log.add(Granted(number, reply["sessionId"], reply["epoch"]))


def _all_told(seen: Sequence[Seen]) -> bool:
    """Say whether everyone displaced has heard of it, and the robot of every holder."""
    epochs = {each.epoch for each in seen if isinstance(each, Granted)}
    lost = {each.epoch for each in seen if isinstance(each, LostTo)}
    heard = {each.epoch for each in seen if isinstance(each, RobotHeard)}
    return epochs - {min(epochs)} <= lost and epochs <= heard
