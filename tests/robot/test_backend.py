"""The robot and the whole backend: redials while offers and answers flow between them."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any

from aiortc import RTCConfiguration, RTCPeerConnection
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from robosignal.robot import Robot as RobotClient
from robosignal.robot import RobotError, RobotReplaced
from robosignal.robot.connection.state import Timing
from robosignal.testing import LocalBackend
from tests.robot.server import PATIENCE, LogLines, logged

ROBOT = "rover-1"
OWNER = "alice"
SHORT = Timing(life_ms=400, drain_ms=150)
REDIALS = 3


class Client:
    """One client's socket. It asks, and it waits for the reply or the relayed answer."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._asked = 0

    async def ask(self, kind: str, **fields: Any) -> dict[str, Any]:
        """Send a message and return its reply."""
        self._asked += 1
        number = f"n{self._asked}"
        await self._socket.send(json.dumps({"type": kind, "id": number, **fields}))
        return await self.hear("replyTo", number)

    async def hear(self, field: str, value: str) -> dict[str, Any]:
        """Return the next frame of which this field has this value."""
        async with asyncio.timeout(PATIENCE):
            while True:
                frame: dict[str, Any] = json.loads(await self._socket.recv())
                if frame.get(field) == value:
                    return frame


@asynccontextmanager
async def backend() -> AsyncIterator[LocalBackend]:
    """Run the backend on a free port until left."""
    async with LocalBackend(environment={"LIMITS": "off"}) as local:
        yield local


@asynccontextmanager
async def client(local: LocalBackend, ttl_s: int = 600) -> AsyncIterator[Client]:
    """Connect as the robot's owner until left."""
    token = local.token(OWNER, ttl_s=ttl_s)
    carried = [Subprotocol("robosignal.v1"), Subprotocol(f"bearer.{token}")]
    async with connect(local.url, subprotocols=carried) as socket:
        one = Client(socket)
        await socket.send(json.dumps({"type": "ready", "protocol": 1}))
        await one.hear("type", "welcome")
        yield one


class Robot:
    """A robot that runs against the backend, with a new token for each dial."""

    def __init__(self, local: LocalBackend, instance: str, timing: Timing) -> None:
        self.lines = LogLines()
        self._local = local
        self._stop = asyncio.Event()
        client = RobotClient(
            local.url,
            ROBOT,
            token=self._token,
            instance_id=instance,
            timing=timing,
        )
        self._run = asyncio.create_task(self._be(client))

    async def _be(self, client: RobotClient) -> RobotError | None:
        with logged(self.lines):
            try:
                await client.run(stop=self._stop)
            except RobotError as error:
                return error
        return None

    @property
    def runs(self) -> bool:
        """Whether it has not ended."""
        return not self._run.done()

    async def ended(self) -> RobotError | None:
        """Return why the robot has ended, as soon as it has; None if it was stopped."""
        return await asyncio.wait_for(self._run, PATIENCE)

    async def stop(self) -> RobotError | None:
        """Stop the robot, and return why it had ended before, if it had."""
        self._stop.set()
        return await self.ended()

    async def _token(self) -> str:
        return self._local.token(OWNER)


@asynccontextmanager
async def robot(
    local: LocalBackend, instance: str = "one-run", timing: Timing | None = None
) -> AsyncIterator[Robot]:
    """Run a robot that is online until left."""
    running = Robot(local, instance, timing or Timing())
    try:
        await running.lines.wait_for("online")
        yield running
    finally:
        await running.stop()


async def sdp() -> str:
    """Return what a browser that wants video would offer."""
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    peer.addTransceiver("video", direction="recvonly")
    await peer.setLocalDescription(await peer.createOffer())
    text = peer.localDescription.sdp
    await peer.close()
    return text


async def test_every_offer_is_answered_while_the_robot_redials() -> None:
    """Numbered peer connections go one way, their answers the other, over several sockets."""
    payload = {"type": "offer", "sdp": await sdp()}
    epochs: set[int] = set()
    answers: list[str] = []
    async with backend() as local, robot(local, timing=SHORT) as running, client(local) as one:
        while running.lines.count("registered again") < REDIALS:
            pc = f"peer-connection-{len(answers)}"
            ack = await one.ask("offer", robotId=ROBOT, pcId=pc, payload=payload)
            epochs.add(ack["epoch"])
            answers.append((await one.hear("type", "answer"))["pcId"])

    assert answers == [f"peer-connection-{number}" for number in range(len(answers))]
    assert len(answers) > REDIALS
    assert len(epochs) == 1
    assert running.lines.count("offline") == 0


async def test_right_to_drive_ends_with_the_token_unless_a_resume_brings_a_newer_one() -> None:
    """The robot stops by itself, and hears of the new end long before its next ping."""
    payload = {"type": "offer", "sdp": await sdp()}
    async with backend() as local, robot(local) as running:
        async with client(local, ttl_s=4) as first:
            began = monotonic()
            ack = await first.ask("offer", robotId=ROBOT, pcId="pc-1", payload=payload)
            session = ack["sessionId"]
            async with client(local, ttl_s=7) as second:
                await second.ask("resume", sessionId=session)
                await running.lines.wait_for("right to drive has ended")
                lasted = monotonic() - began
        async with client(local) as third:
            resumed = await third.ask("resume", sessionId=session)
            await running.lines.wait_for("may drive again")

    # The first token ended 4 s after it was issued, and the second has two seconds rounded down.
    assert lasted > 4
    assert (resumed["role"], resumed["epoch"]) == ("controller", ack["epoch"])
    assert running.lines.count("right to drive has ended") == 1


async def test_of_two_devices_with_one_id_the_older_says_so_and_ends() -> None:
    """It does not redial, which would push the other out for ever; the other stays online."""
    async with (
        backend() as local,
        robot(local, "device-1") as older,
        robot(local, "device-2") as newer,
        client(local) as one,
    ):
        error = await older.ended()
        robots = await one.ask("robots")
        stays = newer.runs

    assert isinstance(error, RobotReplaced)
    assert stays
    assert "two devices have the id rover-1" in str(error)
    assert [one["online"] for one in robots["robots"]] == [True]
    assert await newer.ended() is None


async def test_device_that_comes_back_pushes_the_other_out_once() -> None:
    """Whichever registers last is the robot, and each of the two says that there are two."""
    async with (
        backend() as local,
        robot(local, "device-1") as first,
        robot(local, "device-2") as second,
    ):
        first_error = await first.ended()
        async with robot(local, "device-1-again") as third:
            second_error = await second.ended()
            stays = third.runs

    assert isinstance(first_error, RobotReplaced)
    assert isinstance(second_error, RobotReplaced)
    assert stays
    assert await third.ended() is None
