"""A signaling server and a robot that do what a test says, for the browser's half of the protocol.

They know just enough to let a console join, drive and lose control; no rule is decided here.
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any, Literal, Never

from aiortc import (
    RTCDataChannel,
    RTCPeerConnection,
    RTCSessionDescription,
    VideoStreamTrack,
)
from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.http11 import Request, Response

WEB = Path(__file__).parents[2] / "web"
TYPES = {
    ".html": "text/html",
    ".js": "text/javascript",
    ".css": "text/css",
    ".svg": "image/svg+xml",
    ".json": "application/json",
}
DIRECTIVES = (
    "default-src 'self'",
    "connect-src 'self' ws: wss: https:",
    "media-src blob: mediastream: 'self'",
    "style-src 'self'",
    "frame-ancestors 'none'",
)

Frame = dict[str, Any]
SESSION = "demo:AAAAAAAAAAAAAAAAAAAAAA"
ME = {"userId": "u-demo", "name": "Dana"}
ALICE = {"userId": "u-alice", "name": "Alice"}
ALICES = "demo:BBBBBBBBBBBBBBBBBBBBBB"


class BlindCamera(VideoStreamTrack):
    """A camera that is there and gives no picture."""

    async def recv(self) -> Never:
        """Wait for a picture that never comes."""
        await asyncio.get_running_loop().create_future()
        raise AssertionError


@dataclass
class Robot:
    """An aiortc robot: it streams, answers pings, and notes the commands that it got.

    It is an old one, which declares nothing and sends no heartbeats.
    """

    peers: dict[str, RTCPeerConnection] = field(default_factory=dict)
    commands: list[Frame] = field(default_factory=list)
    labels: set[str] = field(default_factory=set)
    """The data channels on which commands have come."""
    refuses_at: int | None = None
    """At this epoch it obeys somebody else, until it hears of another by an offer."""
    camera: Literal["fine", "blind", "none"] = "fine"
    channel: Literal["open", "shut", "refused"] = "open"
    """Whether the data channel is taken and opens, is taken and never opens, or is refused."""
    address: str | None = None
    """Where it says that it is, in place of where it is."""
    _waiting: list[tuple[Frame, asyncio.Future[None]]] = field(default_factory=list)

    async def answer(self, frame: Frame) -> Frame:
        """Return the answer's payload; a new name closes the peer connections of before."""
        self.refuses_at = None
        peer = self.peers.get(frame["pcId"]) or await self._opened(frame["pcId"])
        await peer.setRemoteDescription(RTCSessionDescription(**frame["payload"]))
        has_track = peer.getSenders() and peer.getSenders()[0].track is not None
        if self.camera != "none" and not has_track:
            peer.addTrack(BlindCamera() if self.camera == "blind" else VideoStreamTrack())
        if self.channel != "open" and peer.sctp is not None:
            peer.sctp.start = self._keep_shut  # type: ignore[method-assign,assignment]
        await peer.setLocalDescription(await peer.createAnswer())
        local = peer.localDescription
        sdp = local.sdp
        if self.channel == "refused":
            # RFC 8829, section 5.3.1: a section that is refused has port 0, and is in no bundle.
            sdp = re.sub(r"m=application \d+", "m=application 0", sdp)
            sdp = re.sub(r"(a=group:BUNDLE.*?) 0\b", r"\1", sdp)
        if self.address is not None:
            sdp = re.sub(r"(a=candidate:\S+ \d+ \S+ \d+) \S+", rf"\1 {self.address}", sdp)
        return {"type": local.type, "sdp": sdp}

    @staticmethod
    async def _keep_shut(*_: object) -> None:
        """Start no SCTP."""

    async def _opened(self, pc_id: str) -> RTCPeerConnection:
        await self.close()
        peer = self.peers[pc_id] = RTCPeerConnection()
        peer.on("datachannel", self._listen)
        return peer

    async def close(self) -> None:
        """Close every peer connection, as a robot does that stops."""
        peers, self.peers = self.peers, {}
        for peer in peers.values():
            await peer.close()

    def awaiting(self, drive: Frame) -> asyncio.Future[None]:
        """Return what is done at the next command that says this."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((drive, future))
        return future

    def _obey(self, drive: Frame) -> None:
        self.commands.append(drive)
        for wanted, future in self._waiting:
            if wanted == drive and not future.done():
                future.set_result(None)

    def _listen(self, channel: RTCDataChannel) -> None:
        def hear(text: str) -> None:
            message = json.loads(text)
            if message["type"] == "ping":
                channel.send(json.dumps({"type": "pong", "n": message["n"]}))
            if message["type"] != "command":
                return
            self.labels.add(channel.label)
            if self.refuses_at is None:
                self._obey(message["drive"])
            else:
                refusal = {"type": "refused", "n": message["n"], "epoch": self.refuses_at}
                channel.send(json.dumps(refusal))

        channel.on("message", hear)


@dataclass
class Scripted:
    """The server: it grants what is asked, unless `refuse` names an error for that type."""

    robot: Robot = field(default_factory=Robot)
    port: int = 0
    epoch: int = 0
    holder: Frame | None = None
    online: bool = True
    dialect: str = "v1"
    rev: int = 0
    valid_s: int = 60
    welcome: Frame = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    seen: list[Frame] = field(default_factory=list)
    fleet: list[Frame] = field(default_factory=list)
    """The rows of the list before the robot's own."""
    sockets: list[ServerConnection] = field(default_factory=list)
    refuse: dict[str, Frame] = field(default_factory=dict)
    config: Frame = field(default_factory=dict)
    connects_to: str = ""
    framed_by: str = "'none'"
    """Who may show the console in a frame."""
    tokens: list[str] = field(default_factory=list)
    refused: set[str] = field(default_factory=set)
    """Tokens whose handshakes get 401; all of them if it holds `*`."""
    _waiting: list[tuple[dict[str, str], asyncio.Future[Frame]]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """The address of the console."""
        return f"http://127.0.0.1:{self.port}/"

    async def push(self, frame: Frame) -> None:
        """Send a frame to the console, unasked."""
        await self.sockets[-1].send(json.dumps({"robotId": "demo", **frame}))

    async def present(self) -> None:
        """Push the robot's present state to the console, which watches."""
        self.rev += 1
        fields = ("rev", "online", "validForSeconds", "controlledBy")
        row = self._row()
        await self.push({"type": "presence", **{name: row[name] for name in fields if name in row}})

    async def control(self, holder: Frame | None, session_id: str | None = None) -> None:
        """Move the control, and tell the console by both pushes."""
        self.epoch, self.holder = self.epoch + 1, holder
        named = {"sessionId": session_id} if session_id else {}
        by = {"person": holder} if holder else {}
        await self.push({"type": "control", "epoch": self.epoch, **named, **by})
        await self.present()

    def awaiting(self, **wanted: str) -> asyncio.Future[Frame]:
        """Return what becomes the next frame of the console's that has these fields."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((wanted, future))
        return future

    def serve_file(self, _: ServerConnection, request: Request) -> Response | None:
        """Return a file of the console; None for the WebSocket's path."""
        name = request.path.partition("?")[0].strip("/") or "index.html"
        if name == "prod":
            return self._judge(request.headers.get("Sec-WebSocket-Protocol", "").split(", "))
        file = WEB / name if name.startswith("robosignal/") else WEB / "console" / name
        kind = TYPES.get(file.suffix)
        if kind is None or not file.is_file():
            return Response(HTTPStatus.NOT_FOUND, "Not Found", Headers(), b"")
        body = json.dumps(self.config).encode() if name == "config.json" else file.read_bytes()
        policy = "; ".join(DIRECTIVES).replace("https:", f"https: {self.connects_to}".strip())
        policy = policy.replace("frame-ancestors 'none'", f"frame-ancestors {self.framed_by}")
        headers = Headers({"Content-Type": kind, "Content-Security-Policy": policy})
        return Response(HTTPStatus.OK, "OK", headers, body)

    def _judge(self, offered: list[str]) -> Response | None:
        bearers = [word for word in offered if word.startswith("bearer.")]
        tokens = [word.removeprefix("bearer.") for word in bearers]
        self.tokens += tokens
        if self.refused.isdisjoint({"*", *tokens}):
            return None
        return Response(HTTPStatus.UNAUTHORIZED, "Unauthorized", Headers(), b"")

    def asked(self, kind: str) -> int:
        """How many frames of that type have come."""
        return sum(frame["type"] == kind for frame in self.seen)

    def _see(self, frame: Frame) -> None:
        self.seen.append(frame)
        for wanted, future in self._waiting:
            if wanted.items() <= frame.items() and not future.done():
                future.set_result(frame)

    async def converse(self, socket: ServerConnection) -> None:
        """Answer one console until it hangs up."""
        self.sockets.append(socket)
        async for text in socket:
            frame, epoch = json.loads(text), self.epoch
            for reply in await self._replies(frame):
                bound = {"robotId": "demo", "replyTo": frame["id"]} if "id" in frame else {}
                await socket.send(json.dumps({**bound, **reply}))
            if self.epoch != epoch:
                await self.present()
            self._see(frame)

    async def _replies(self, frame: Frame) -> list[Frame]:
        if frame["type"] in self.silent:
            return []
        if frame["type"] in self.refuse:
            return [{"type": "error", **self.refuse[frame["type"]]}]
        if frame["type"] == "offer":
            return await self._admit(frame)
        if frame["type"] == "takeover":
            return [self._lead({"sessionId": SESSION})]
        if frame["type"] in ("release-control", "grant-control"):
            self.epoch = self.epoch + 1
            self.holder = ALICE if frame["type"] == "grant-control" else None
            return [{"type": "ack", "epoch": self.epoch}]
        fixed: dict[str, Frame] = {
            "ready": {"type": "welcome", "heartbeatSeconds": 120, **ME, **self.welcome},
            "ice-servers": {"type": "ice-servers", "iceServers": [], "ttlSeconds": 3600},
            "robots": {"type": "robots", "robots": [*self.fleet, self._row()]},
            "watch": {"type": "robots", "robots": [*self.fleet, self._row()]},
            "request-control": {"type": "ack"},
            "deny-control": {"type": "ack"},
            "ice-candidate": {"type": "ack"},
            "ping": {"type": "pong", **(self._standing() if "sessionId" in frame else {})},
            "resume": {"type": "ack", **self._standing()},
        }
        return [fixed[frame["type"]]] if frame["type"] in fixed else []

    def _standing(self) -> Frame:
        role = "controller" if self.holder == ME else "viewer"
        return {"sessionId": SESSION, "role": role, "epoch": self.epoch}

    async def _admit(self, frame: Frame) -> list[Frame]:
        if frame["role"] == "controller" and self.holder not in (None, ME):
            busy = {"code": "robot_busy", "message": "somebody drives this robot"}
            return [{"type": "error", **busy, "controlledBy": self.holder}]
        ack = {"type": "ack", "sessionId": SESSION, "role": frame["role"], "epoch": self.epoch}
        if frame["role"] == "controller":
            ack = self._lead(ack)
        payload = await self.robot.answer(frame)
        answer = {"type": "answer", "sessionId": SESSION, "pcId": frame["pcId"], "payload": payload}
        return [ack, answer]

    def _lead(self, ack: Frame) -> Frame:
        self.epoch, self.holder = self.epoch + (self.holder != ME), ME
        return {"type": "ack", **ack, "epoch": self.epoch}

    def _row(self) -> Frame:
        row = {"robotId": "demo", "online": self.online, "owner": ME, "relation": "owner"}
        held = {"controlledBy": self.holder} if self.holder else {}
        told = {"rev": self.rev, "validForSeconds": self.valid_s, "dialect": self.dialect}
        return {**row, **held, **told, "viewers": 0, "metadata": {}}


@asynccontextmanager
async def scripted(port: int = 0) -> AsyncIterator[Scripted]:
    """Serve console and WebSocket on one port of loopback."""
    script = Scripted()
    protocol = "robosignal.v1"
    listening = serve(
        script.converse,
        "127.0.0.1",
        port,
        process_request=script.serve_file,
        select_subprotocol=lambda _, offered: protocol if protocol in offered else None,  # type: ignore[arg-type,return-value]
        compression=None,
    )
    async with listening as server:
        script.port = next(iter(server.sockets)).getsockname()[1]
        try:
            yield script
        finally:
            await script.robot.close()
