"""The gateway is killed again and again under twenty robots and twenty drivers: all come back.

The gateway is a process, killed while control changes hands; the robots are the shipped client,
and redial as it does.
"""

import asyncio
import json
import logging
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from robosignal.gateway.keys import LocalKey
from robosignal.robot import Robot
from tests.explorer.amounts import amount

KILLS = amount(5, 20)
FLEET = [f"rover-{number:02}" for number in range(20)]
PATIENCE = 30

Frame = dict[str, Any]
Record = Callable[[str, object], None]


class Gateway:
    """`robosignal serve`, on one port and one state, in one process after another."""

    def __init__(self, state: Path) -> None:
        self.url = ""
        self._state = state
        self._port = "0"
        self._process: Process | None = None
        self._unread: asyncio.Task[bytes] | None = None

    async def start(self) -> None:
        """Start it, and return when it listens."""
        serve = ("-m", "robosignal", "serve", "--unlimited", "--state", str(self._state))
        self._process = process = await asyncio.create_subprocess_exec(
            sys.executable, *serve, "--port", self._port, stdout=PIPE
        )
        assert process.stdout is not None
        async with asyncio.timeout(PATIENCE):
            while "connect to ws" not in (line := (await process.stdout.readline()).decode()):
                assert line, "it has ended"
        self.url = line.split()[-1]
        self._port = self.url.rpartition(":")[2].partition("/")[0]
        # What it logs from now on is not read, and must not fill a pipe.
        self._unread = asyncio.create_task(process.stdout.read())

    async def kill(self) -> None:
        """End it at once, as a crash does."""
        process, unread = self._process, self._unread
        if process is not None and process.returncode is None:
            process.kill()
            await process.wait()
        if unread is not None:
            await unread


class Heard(logging.Handler):
    """The robots' log: how often each has said that it is online."""

    def __init__(self) -> None:
        super().__init__()
        self._online = dict.fromkeys(FLEET, 0)
        self._more = asyncio.Event()
        self.said: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Count a line."""
        robot, _, what = record.getMessage().partition(": ")
        self.said.append(record.getMessage())
        if what.startswith("online"):
            self._online[robot] += 1
            self._more.set()

    async def all_online(self, times: int) -> None:
        """Return once every robot has been online so many times."""
        async with asyncio.timeout(PATIENCE):
            while min(self._online.values()) < times:
                self._more.clear()
                await self._more.wait()


class Person:
    """One user's connection after another."""

    def __init__(self, gateway: Gateway, token: str) -> None:
        self._gateway = gateway
        self._token = token
        self._asked = 0
        self._socket: ClientConnection

    async def dial(self) -> None:
        """Connect, and be welcomed."""
        carried = [Subprotocol("robosignal.v1"), Subprotocol(f"bearer.{self._token}")]
        self._socket = await connect(self._gateway.url, subprotocols=carried)
        assert (await self.ask(type="ready"))["type"] == "welcome"

    async def ask(self, **message: Any) -> Frame:
        """Send a message and return its reply. Raise ConnectionClosed when the socket is lost."""
        self._asked += 1
        await self._socket.send(json.dumps({"id": f"n{self._asked}", **message}))
        async with asyncio.timeout(PATIENCE):
            while True:
                frame: Frame = json.loads(await self._socket.recv())
                if frame.get("replyTo") == f"n{self._asked}":
                    return frame

    async def leave(self) -> None:
        """Close the connection."""
        await self._socket.close()


class Driver(Person):
    """Drives one robot, gives control back and takes it again, until the socket is lost."""

    def __init__(self, gateway: Gateway, token: str, robot: str) -> None:
        super().__init__(gateway, token)
        self._robot = robot
        self._session = ""
        self.worked = asyncio.Event()
        self.epoch = 0
        self.fell: list[tuple[int, int]] = []
        """Where an epoch was lower than one that was acknowledged before."""

    async def come(self) -> None:
        """Open the session."""
        await self.dial()
        offer = await self.ask(type="offer", robotId=self._robot, payload={"sdp": "v=0"}, pcId="a")
        self._session = offer["sessionId"]
        self._note(offer)

    async def come_back(self) -> None:
        """Resume the session on a new socket."""
        await self.dial()
        self._note(await self.ask(type="resume", sessionId=self._session))

    async def hold(self) -> None:
        """Have control, whether it was lost half way or not."""
        answer = await self.ask(type="ping", sessionId=self._session)
        if answer["role"] == "viewer":
            answer = await self.ask(type="request-control", robotId=self._robot)
        self._note(answer)

    async def work(self) -> None:
        """Change who holds for as long as the socket lives."""
        try:
            while True:
                for kind in ("release-control", "request-control"):
                    self._note(await self.ask(type=kind, robotId=self._robot))
                self.worked.set()
        except ConnectionClosed:
            self.worked.clear()

    def _note(self, told: Frame) -> None:
        assert "epoch" in told, told
        if told["epoch"] < self.epoch:
            self.fell.append((self.epoch, told["epoch"]))
        self.epoch = told["epoch"]


@asynccontextmanager
async def robots(gateway: Gateway, key: LocalKey) -> AsyncIterator[Heard]:
    """Run the fleet until left."""
    heard, stop = Heard(), asyncio.Event()
    log = logging.getLogger("robosignal.robot")
    log.setLevel(logging.INFO)
    log.addHandler(heard)
    running = [
        asyncio.create_task(Robot(gateway.url, each, token=key.sign(each)).run(stop=stop))
        for each in FLEET
    ]
    try:
        yield heard
    finally:
        stop.set()
        await asyncio.gather(*running)
        log.removeHandler(heard)


async def listed(gateway: Gateway, key: LocalKey) -> list[Frame]:
    """Return what an admin sees."""
    admin = Person(gateway, key.sign("boss", ["ADMINS"]))
    await admin.dial()
    found: list[Frame] = (await admin.ask(type="robots", all=True))["robots"]
    await admin.leave()
    return sorted(found, key=lambda robot: str(robot["robotId"]))


def seen(found: list[Frame]) -> list[tuple[str, bool, str | None, int]]:
    """Return of each robot its id, whether it is online, who drives it, and how many watch."""
    return [
        (each["robotId"], each["online"], each.get("controlledBy", {}).get("userId"), viewers)
        for each in found
        for viewers in [each["viewers"]]
    ]


async def test_all_come_back_each_time_and_no_one_else_is_there(
    tmp_path: Path, record_property: Record
) -> None:
    """Robots online, drivers driving at no lower epoch than they were told, and no ghosts."""
    gateway, key = Gateway(tmp_path), LocalKey.load(tmp_path)
    drivers = [Driver(gateway, key.sign(each), each) for each in FLEET]
    expected = [(each, True, each, 0) for each in FLEET]
    views = []
    await gateway.start()
    try:
        async with robots(gateway, key) as heard:
            await heard.all_online(1)
            await asyncio.gather(*(driver.come() for driver in drivers))
            for kill in range(1, KILLS + 1):
                working = [asyncio.create_task(driver.work()) for driver in drivers]
                await asyncio.gather(*(driver.worked.wait() for driver in drivers))
                await gateway.kill()
                await asyncio.gather(*working)
                await gateway.start()
                returns = (driver.come_back() for driver in drivers)
                await asyncio.gather(heard.all_online(kill + 1), *returns)
                await asyncio.gather(*(driver.hold() for driver in drivers))
                views.append(seen(await listed(gateway, key)))
            await asyncio.gather(*(driver.leave() for driver in drivers))
        left = seen(await listed(gateway, key))
    finally:
        await gateway.kill()
    changes = sum(driver.epoch for driver in drivers)
    record_property(f"gateway killed {KILLS} times", f"{changes} changes of control")

    assert views == [expected] * KILLS
    assert [driver.fell for driver in drivers] == [[]] * len(FLEET)
    assert [(online, viewers) for _, online, _, viewers in left] == [(False, 0)] * len(FLEET)
