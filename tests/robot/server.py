"""A small real server that speaks the protocol's frames, and a real peer that plays browser.

What is tested against them is the robot's shell; they decide nothing by themselves.
"""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any

from aioice import Connection
from aiortc import (
    MediaStreamTrack,
    RTCConfiguration,
    RTCDataChannel,
    RTCPeerConnection,
    RTCSessionDescription,
)
from av import VideoFrame
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

from robosignal.protocol.ids import InstanceId, RobotId
from robosignal.robot.client import Robot
from robosignal.robot.connection.state import Timing
from robosignal.robot.errors import RobotError
from robosignal.robot.media.camera import MakeTrack
from robosignal.robot.media.test_pattern import HEIGHT
from robosignal.robot.motors import DriveHandler
from robosignal.robot.token import TokenSource
from tests.robot.pictures import number_in
from tests.robot.relay import Relay

ROBOT = RobotId("demo")
INSTANCE = InstanceId("first-run")
TOKEN = "a.good.token"
PATIENCE = 10
LOGGER = logging.getLogger("robosignal.robot")
ALICE = {"userId": "u1", "name": "Alice"}
BOB = {"userId": "u2", "name": "Bob"}


def session(letter: str) -> str:
    """Return a session id of the robot's."""
    return f"{ROBOT}:{letter * 22}"


class SignalingServer:
    """The server. What it has taken of the robot waits for `frame`, by type.

    `current` is the socket that is registered; on any other, frames about sessions are refused.
    While `judging` is not set, it reads frames about sessions and does not go on to the next.
    `before_welcome` is sent on each socket before its welcome.
    """

    def __init__(self) -> None:
        self.welcome: dict[str, Any] = {}
        self.before_welcome: dict[str, Any] | None = None
        self.registration: dict[str, Any] = {"control": {"epoch": 1}, "sessions": []}
        self.refusal: dict[str, Any] | None = None
        self.status: int | None = None
        self.handshakes: list[str] = []
        self.current: ServerConnection | None = None
        self.refused: list[dict[str, Any]] = []
        self.judging = asyncio.Event()
        self.judging.set()
        self._frames: dict[str, asyncio.Queue[dict[str, Any]]] = {}
        self._server: Server | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        assert self._server is not None
        port = next(iter(self._server.sockets)).getsockname()[1]
        return f"ws://127.0.0.1:{port}/prod"

    @asynccontextmanager
    async def open(self, port: int = 0) -> AsyncIterator["SignalingServer"]:
        """Listen on loopback until left."""
        async with serve(
            self._serve,
            "127.0.0.1",
            port,
            process_request=self._admit,
            select_subprotocol=lambda _, offered: next(iter(offered), None),
        ) as self._server:
            yield self

    async def frame(self, kind: str, patience: float = PATIENCE) -> dict[str, Any]:
        """Return the next frame of this type that the robot sent, within so many seconds."""
        return await asyncio.wait_for(self._queue(kind).get(), patience)

    def none_of(self, kind: str) -> bool:
        """Whether no frame of this type waits."""
        return self._queue(kind).empty()

    async def push(self, kind: str, **fields: Any) -> None:
        """Send the robot a frame."""
        assert self.current is not None
        await self.current.send(json.dumps({"type": kind, "robotId": ROBOT, **fields}))

    def _queue(self, kind: str) -> asyncio.Queue[dict[str, Any]]:
        return self._frames.setdefault(kind, asyncio.Queue())

    def _admit(self, socket: ServerConnection, request: Request) -> Response | None:
        self.handshakes.append(request.headers["Sec-WebSocket-Protocol"])
        return None if self.status is None else socket.respond(self.status, "")

    async def _serve(self, socket: ServerConnection) -> None:
        try:
            async for text in socket:
                await self._take(socket, json.loads(text))
        except ConnectionClosed:
            pass

    async def _take(self, socket: ServerConnection, frame: dict[str, Any]) -> None:
        if frame["type"] == "ready":
            if self.before_welcome is not None:
                await socket.send(json.dumps(self.before_welcome))
            await socket.send(json.dumps(WELCOME | self.welcome))
        if frame["type"] == "register":
            await self._register(socket, frame)
        if frame["type"] in {"answer", "bye"}:
            await self.judging.wait()
            if socket is not self.current:
                await self._refuse(socket, frame)
                return
        self._queue(frame["type"]).put_nowait(frame)

    async def _register(self, socket: ServerConnection, frame: dict[str, Any]) -> None:
        older, self.current = self.current, socket
        if older is not None:
            told = {"type": "replaced", "robotId": ROBOT, "instanceId": frame["instanceId"]}
            with suppress(ConnectionClosed):
                await older.send(json.dumps(told))
        await socket.send(json.dumps(self.refusal or self._registered(frame)))

    async def _refuse(self, socket: ServerConnection, frame: dict[str, Any]) -> None:
        self.refused.append(frame)
        error = {"type": "error", "code": "not_registered", "message": "register first"}
        await socket.send(json.dumps(error | {"replyTo": frame["id"]}))

    def _registered(self, frame: dict[str, Any]) -> dict[str, Any]:
        return {
            "type": "registered",
            "replyTo": frame["id"],
            "robotId": frame["robotId"],
            "heartbeatSeconds": 120,
            "leaseSeconds": 300,
            "iceServers": [],
        } | self.registration


WELCOME = {
    "type": "welcome",
    "connectionId": "c1=",
    "userId": "u0",
    "protocol": 1,
    "iceServers": [],
    "heartbeatSeconds": 120,
    "expiresAt": 4_000_000_000_000,
    "limits": {"frameBytes": 32768, "messageBytes": 131072, "sdpBytes": 49152, "viewers": 10},
}


class Browser:
    """One client's peer connection: watches the video and talks over `control`.

    With `drive` it opens that channel too, as new pages do, and keeps the heartbeats. `heard` is
    what came on `control` but for the robot's declaration, which is in `declared`. With a `path`
    all packets go over that relay.
    """

    def __init__(
        self,
        server: SignalingServer,
        letter: str,
        pc: str,
        person: dict[str, str],
        *,
        drive: bool = False,
        path: Relay | None = None,
    ) -> None:
        self._path = path
        self.session = session(letter)
        self.pc = pc
        self._server = server
        self._person = person
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._peer.addTransceiver("video", direction="recvonly")
        self._channel = self._peer.createDataChannel("control")
        self._opened = asyncio.Event()
        self.closed = asyncio.Event()
        self.heard: asyncio.Queue[str | bytes] = asyncio.Queue()
        self.declared: list[dict[str, Any]] = []
        self.heartbeats: list[dict[str, Any]] = []
        self._beaten = asyncio.Event()
        self._channel.on("open", self._opened.set)
        self._channel.on("message", self._hear)
        self._peer.on("connectionstatechange", self._changed)
        self._drive = self._open_drive() if drive else None
        self.n = 0

    def _open_drive(self) -> RTCDataChannel:
        channel = self._peer.createDataChannel("drive", ordered=False, maxRetransmits=0)
        channel.on("message", self._beat)
        return channel

    async def join(self, role: str, epoch: int | None = None, **fields: Any) -> None:
        """Offer, with more `fields`, take the answer, and wait until `control` is open."""
        payload = await self._answered(role, epoch, **fields)
        await self._peer.setRemoteDescription(RTCSessionDescription(**payload))
        await asyncio.wait_for(self._opened.wait(), PATIENCE)

    async def refused(self, role: str, epoch: int | None = None) -> dict[str, str]:
        """Offer, and return the robot's refusal."""
        payload = await self._answered(role, epoch)
        assert payload["type"] == "error"
        return payload

    async def _answered(self, role: str, epoch: int | None, **fields: Any) -> dict[str, str]:
        await self._peer.setLocalDescription(await self._peer.createOffer())
        fields |= {} if epoch is None else {"epoch": epoch}
        sdp = self._peer.localDescription.sdp
        await self._server.push(
            "offer",
            sessionId=self.session,
            pcId=self.pc,
            role=role,
            person=self._person,
            payload={
                "type": "offer",
                "sdp": self._path.replace_offerer(sdp) if self._path else sdp,
            },
            **fields,
        )
        answer = await self._server.frame("answer")
        assert (answer["sessionId"], answer["pcId"]) == (self.session, self.pc)
        payload: dict[str, str] = answer["payload"]
        if self._path:
            payload["sdp"] = self._path.replace_answerer(payload["sdp"])
        return payload

    @property
    def ice(self) -> Connection:
        """The ICE connection that everything goes over."""
        found = self._peer.getTransceivers()[0].receiver.transport.transport._connection  # noqa: SLF001
        assert isinstance(found, Connection)
        return found

    def say(self, message: dict[str, Any] | str | bytes) -> None:
        """Write to the data channel."""
        self._channel.send(json.dumps(message) if isinstance(message, dict) else message)

    async def hear(self) -> Any:
        """Return the next message as JSON."""
        return json.loads(await asyncio.wait_for(self.heard.get(), PATIENCE))

    async def drive(self, n: int) -> Any:
        """Ask the robot to drive forward; return what it answers."""
        self.say({"type": "command", "n": n, "drive": {"x": 0.0, "y": 1.0}})
        return await self.hear()

    @property
    def newest(self) -> dict[str, Any]:
        """The heartbeat that the robot sent last; they overtake each other."""
        return max(self.heartbeats[-100:], key=lambda each: int(each["t"]))

    async def beat(self, **expected: Any) -> dict[str, Any]:
        """Return the next heartbeat that has these values."""
        async with asyncio.timeout(PATIENCE):
            seen = len(self.heartbeats)
            while True:
                for each in self.heartbeats[seen:]:
                    if expected.items() <= each.items():
                        return each
                seen = len(self.heartbeats)
                self._beaten.clear()
                await self._beaten.wait()

    def command(self, y: float = 1.0, **fields: Any) -> int:
        """Send a fresh command on `drive`, with other `fields` if asked; return its number."""
        self.n += 1
        message = {"type": "command", "n": self.n, "drive": {"x": 0.0, "y": y}}
        message |= {"epoch": self.newest["epoch"], "t": self.newest["t"]}
        self.send_drive(message | fields)
        return self.n

    def send_drive(self, message: dict[str, Any]) -> None:
        """Write to `drive`, unless something waits there already, as pages do."""
        assert self._drive is not None
        if self._drive.bufferedAmount == 0:
            self._drive.send(json.dumps(message))

    async def arm(self) -> None:
        """Send a command with zeros until the robot says that it takes motion."""
        await self.beat()
        self.command(0.0)
        await self.beat(armed=True)

    def _hear(self, data: str | bytes) -> None:
        if isinstance(data, str) and data.startswith('{"type":"capabilities"'):
            self.declared.append(json.loads(data))
        else:
            self.heard.put_nowait(data)

    def _beat(self, data: str) -> None:
        self.heartbeats.append(json.loads(data))
        self._beaten.set()

    @property
    def track(self) -> MediaStreamTrack:
        """The video that it receives."""
        track: MediaStreamTrack = self._peer.getTransceivers()[0].receiver.track
        return track

    async def image(self) -> Any:
        """Return the next frame of the video, as planes."""
        frame = await asyncio.wait_for(self.track.recv(), PATIENCE)
        assert isinstance(frame, VideoFrame)
        return frame.to_ndarray(format="yuv420p")

    async def number(self) -> int | None:
        """Return the number that the next frame has."""
        image = await self.image()
        return number_in(image[:HEIGHT])

    async def close(self) -> None:
        """End the peer connection."""
        await self._peer.close()

    def _changed(self) -> None:
        if self._peer.connectionState in {"closed", "failed"}:
            self.closed.set()


class LogLines(logging.Handler):
    """The robot's log, line by line."""

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[str] = []
        self._new = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def emit(self, record: logging.LogRecord) -> None:
        """Keep a line; the motors write from a thread of their own."""
        self.lines.append(record.getMessage())
        self._loop.call_soon_threadsafe(self._new.set)

    def count(self, part: str) -> int:
        """Return how many lines contain this part."""
        return sum(part in line for line in self.lines)

    async def wait_for(self, part: str) -> str:
        """Return the first line that contains this part, as soon as there is one."""
        async with asyncio.timeout(PATIENCE):
            while True:
                found = [line for line in self.lines if part in line]
                if found:
                    return found[0]
                self._new.clear()
                await self._new.wait()


@contextmanager
def logged(log: LogLines) -> Iterator[None]:
    """Write to `log` whatever robots log, until left."""
    LOGGER.setLevel(logging.INFO)
    LOGGER.addHandler(log)
    try:
        yield
    finally:
        LOGGER.removeHandler(log)


class Running:
    """A robot that runs, and how to stop it."""

    def __init__(
        self,
        url: str,
        *,
        token: str | TokenSource = TOKEN,
        instance: InstanceId = INSTANCE,
        timing: Timing | None = None,
        log: LogLines | None = None,
        on_drive: DriveHandler | None = None,
        video: MediaStreamTrack | MakeTrack | None = None,
        **settings: Any,
    ) -> None:
        self.log = log or LogLines()
        self._stop = asyncio.Event()
        self.robot = Robot(
            url,
            ROBOT,
            token=token,
            on_drive=on_drive,
            video=video,
            instance_id=instance,
            timing=timing,
            **settings,
        )
        self._run = asyncio.create_task(self._be(self.robot))

    async def _be(self, robot: Robot) -> RobotError | None:
        with logged(self.log):
            try:
                await robot.run(stop=self._stop)
            except RobotError as error:
                return error
        return None

    async def ended(self) -> RobotError | None:
        """Return why the robot has ended, as soon as it has; None if it was stopped."""
        return await asyncio.wait_for(self._run, PATIENCE)

    async def stop(self) -> RobotError | None:
        """Stop the robot, and return why it had ended before, if it had."""
        self._stop.set()
        return await self.ended()


@asynccontextmanager
async def robot(
    server: SignalingServer,
    timing: Timing | None = None,
    *,
    on_drive: DriveHandler | None = None,
    video: MediaStreamTrack | MakeTrack | None = None,
    **settings: Any,
) -> AsyncIterator[Running]:
    """Run a robot against the server until left; `settings` are more of its arguments."""
    running = Running(server.url, timing=timing, on_drive=on_drive, video=video, **settings)
    try:
        await server.frame("register")
        yield running
    finally:
        await running.stop()


@asynccontextmanager
async def browser(
    server: SignalingServer,
    letter: str,
    pc: str,
    person: dict[str, str],
    *,
    drive: bool = False,
    path: Relay | None = None,
) -> AsyncIterator[Browser]:
    """Have a peer connection until left."""
    one = Browser(server, letter, pc, person, drive=drive, path=path)
    try:
        yield one
    finally:
        await one.close()
