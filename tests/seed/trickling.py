"""A v1 robot that trickles, as GStreamer's webrtcbin does: each names its line's index alone."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import VideoStreamTrack
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from tests.seed.robot import Frame, read_candidate, without_candidates


class TricklingRobot:
    """The robot on its one connection; `added` are the payloads of the candidates it was given."""

    def __init__(self, robot_id: str, socket: ClientConnection) -> None:
        self.robot_id = robot_id
        self.added: list[Frame] = []
        self._socket = socket
        self._peers: dict[str, RTCPeerConnection] = {}

    async def live(self) -> None:
        """Read until the socket is closed."""
        try:
            async for text in self._socket:
                await self._take(json.loads(text))
        except ConnectionClosed:
            pass

    async def say(self, **frame: Any) -> None:
        """Send a frame."""
        await self._socket.send(json.dumps(frame))

    async def leave(self) -> None:
        """Close every peer connection and the socket."""
        for peer in self._peers.values():
            await peer.close()
        await self._socket.close()

    async def _take(self, frame: Frame) -> None:
        if frame["type"] == "offer":
            await self._answer(frame["sessionId"], frame["payload"])
        if frame["type"] == "ice-candidate":
            self.added.append(frame["payload"])
            await self._peers[frame["sessionId"]].addIceCandidate(read_candidate(frame["payload"]))

    async def _answer(self, session: str, offer: Frame) -> None:
        peer = self._peers[session] = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        peer.addTrack(VideoStreamTrack())
        await peer.setRemoteDescription(RTCSessionDescription(**offer))
        await peer.setLocalDescription(await peer.createAnswer())
        sdp, candidates = without_candidates(peer.localDescription.sdp)
        await self.say(type="answer", sessionId=session, payload={"type": "answer", "sdp": sdp})
        for each in candidates:
            payload = {name: each[name] for name in ("candidate", "sdpMLineIndex")}
            await self.say(type="ice-candidate", sessionId=session, payload=payload)
        await self.say(type="ice-candidate", sessionId=session, payload={"candidate": ""})


@asynccontextmanager
async def trickling_robot(url: str, robot_id: str, token: str) -> AsyncIterator[TricklingRobot]:
    """Register a trickling robot in v1, and run it until left."""
    offered = [Subprotocol("robosignal.v1"), Subprotocol(f"bearer.{token}")]
    async with connect(url, subprotocols=offered) as socket:
        robot = TricklingRobot(robot_id, socket)
        await robot.say(type="register", robotId=robot_id)
        assert json.loads(await socket.recv())["type"] == "registered"
        living = asyncio.create_task(robot.live())
        yield robot
        await robot.leave()
        await living
