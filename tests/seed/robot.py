"""A strict robot of the seed's: it says what the seed's agents said, and stops at what they did.

Real media over aiortc. It knows `offer` and `candidate`; it never pings, and never redials. Its
answers hold no candidates: it trickles each, as an object.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiortc import (
    RTCConfiguration,
    RTCDataChannel,
    RTCIceCandidate,
    RTCPeerConnection,
    RTCSessionDescription,
)
from aiortc.mediastreams import VideoStreamTrack
from aiortc.sdp import candidate_from_sdp
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

Frame = dict[str, Any]


class Ended(Exception):
    """The read loop ends here, as the agent's did: the robot hears nothing any more."""


class SeedRobot:
    """The robot on its one connection.

    `ended` says why its read loop has ended; the robot is deaf from then on, though its socket
    stays open until the server closes it. `added` are the candidates that it was given, `empty`
    the candidate messages without one, `heard` is what came over data channels.
    """

    def __init__(self, robot_id: str, socket: ClientConnection) -> None:
        self.robot_id = robot_id
        self.ended: str | None = None
        self.closed: int | None = None
        self.gone = asyncio.Event()
        self.offers: list[Frame] = []
        self.added: list[Frame] = []
        self.empty: asyncio.Queue[Frame] = asyncio.Queue()
        self.heard: asyncio.Queue[str | bytes] = asyncio.Queue()
        self._socket = socket
        self._peers: dict[str, RTCPeerConnection] = {}
        self._early: dict[str, list[Frame]] = {}

    async def live(self) -> None:
        """Register, and read until the loop ends or the socket is closed."""
        await self.say(type="register")
        try:
            async for text in self._socket:
                await self._take(text)
        except Ended as why:
            self.ended = str(why)
            await self._socket.wait_closed()
        except ConnectionClosed:
            pass
        self.closed = self._socket.close_code
        self.gone.set()

    async def say(self, **frame: Any) -> None:
        """Send a frame in the seed's words."""
        await self._socket.send(json.dumps({"from": self.robot_id, **frame}))

    async def leave(self) -> None:
        """Close every peer connection and the socket."""
        for peer in self._peers.values():
            await peer.close()
        await self._socket.close()

    async def _take(self, text: str | bytes) -> None:
        frame = json.loads(text)
        match frame.get("type") if isinstance(frame, dict) else None:
            case None:
                # What has no type at all was never a message to the agents: they read on.
                return
            case "offer":
                await self._answer(frame)
            case "candidate":
                await self._add(frame)
            case other:
                raise Ended(f"no such type: {other}")

    async def _answer(self, frame: Frame) -> None:
        sdp, sender = frame.get("sdp"), frame.get("from")
        if not isinstance(sdp, str) or not isinstance(sender, str):
            raise Ended("an offer without sdp and from")
        self.offers.append(frame)
        if sender in self._peers:
            await self._peers[sender].close()
        peer = self._peers[sender] = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        peer.on("datachannel", self._listen)
        peer.addTrack(VideoStreamTrack())
        await peer.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
        for candidate in self._early.pop(sender, []):
            await peer.addIceCandidate(read_candidate(candidate))
        await peer.setLocalDescription(await peer.createAnswer())
        description, candidates = without_candidates(peer.localDescription.sdp)
        await self.say(type="answer", to=sender, sdp=description)
        for each in candidates:
            await self.say(type="candidate", to=sender, candidate=each)

    async def _add(self, frame: Frame) -> None:
        candidate = frame.get("candidate")
        if candidate is None:
            # The agents read on at a candidate message that has no candidate in it.
            self.empty.put_nowait(frame)
            return
        if not isinstance(candidate, dict) or not isinstance(candidate.get("candidate"), str):
            raise Ended(f"no RTCIceCandidateInit: {candidate!r}")
        self.added.append(candidate)
        sender = frame["from"]
        if sender not in self._peers:
            self._early.setdefault(sender, []).append(candidate)
            return
        try:
            await self._peers[sender].addIceCandidate(read_candidate(candidate))
        except ValueError as error:
            raise Ended(str(error)) from error

    def _listen(self, channel: RTCDataChannel) -> None:
        channel.on("message", self.heard.put_nowait)


def read_candidate(init: Frame) -> RTCIceCandidate | None:
    """Return aiortc's candidate of an RTCIceCandidateInit; None if it ends the candidates."""
    line = str(init["candidate"])
    if not line:
        return None
    found = candidate_from_sdp(line.removeprefix("candidate:"))
    found.sdpMid, found.sdpMLineIndex = init.get("sdpMid"), init.get("sdpMLineIndex")
    return found


def without_candidates(sdp: str) -> tuple[str, list[Frame]]:
    """Return a description without its candidates, and these as RTCIceCandidateInit objects."""
    lines, found = [], []
    section = -1
    for line in sdp.splitlines():
        section += line.startswith("m=")
        if line.startswith("a=candidate:"):
            name = line.removeprefix("a=")
            found.append({"candidate": name, "sdpMid": str(section), "sdpMLineIndex": section})
        elif line != "a=end-of-candidates":
            lines.append(line)
    return "\r\n".join([*lines, ""]), found


@asynccontextmanager
async def seed_robot(url: str, robot_id: str, token: str) -> AsyncIterator[SeedRobot]:
    """Run a strict robot on a connection of the seed's dialect until left."""
    async with connect(f"{url}?token={token}", ping_interval=None) as socket:
        robot = SeedRobot(robot_id, socket)
        living = asyncio.create_task(robot.live())
        yield robot
        await robot.leave()
        await living
