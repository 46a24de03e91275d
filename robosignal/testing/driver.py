"""A driver with a real peer connection, for tests of what a robot does when it is driven.

It speaks the data channels of docs/reference/data-channels.md, as the console does. Needs the
extra `robot`, whose aiortc it uses.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import count
from typing import Any

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from robosignal.probe.errors import ProbeError, RequestRefused, TimedOut
from robosignal.testing.client import Client, Frame, PeerClosed

BEATS_BEFORE_AGAIN = 4
"""How many heartbeats, of which 20 a second come, a command's obeying is waited for."""


class Driver:
    """A driver whose data channel is open. `open_driver` makes one."""

    def __init__(self, peer: RTCPeerConnection, session_id: str, timeout_s: float) -> None:
        self.session_id = session_id
        """The session's id, as in the frames that the client receives."""
        self.peer = peer
        """aiortc's peer connection, whose first transceiver receives the robot's video."""
        self._timeout_s = timeout_s
        self._numbers = count(1)
        self._heartbeats: asyncio.Queue[Frame | PeerClosed] = asyncio.Queue()
        self._opened = asyncio.Event()
        self._channel = peer.createDataChannel("control")
        self._channel.on("open", self._opened.set)
        self._channel.on("close", lambda: self._heartbeats.put_nowait(PeerClosed()))
        self._drive = peer.createDataChannel("drive", ordered=False, maxRetransmits=0)
        self._drive.on("message", self._receive)

    async def drive(self, x: float, y: float) -> int:
        """Send one command, and return the epoch at which the robot obeyed it.

        `x` is to the right and `y` ahead, each from -1 to 1. The command is in force for 500 ms:
        repeat it to keep the robot moving. After a stop, a command with both axes at 0 goes first,
        as a page's does. Raise RequestRefused if the robot refuses it, because another session
        drives, say, or the robot is stopped; PeerClosed if the robot has ended the session;
        TimedOut if no heartbeat comes.
        """
        heartbeat = await self._next_heartbeat()
        if not heartbeat["armed"]:
            heartbeat = await self._command(heartbeat, 0.0, 0.0)
        heartbeat = await self._command(heartbeat, x, y)
        epoch: int = heartbeat["epoch"]
        return epoch

    async def _command(self, heartbeat: Frame, x: float, y: float) -> Frame:
        """Send a command after this heartbeat, and return the one that says that it was obeyed.

        A command may get lost: it goes again after so many heartbeats that say nothing of it.
        """
        refused = heartbeat["refused"]["refused"]
        first = self._send_command(heartbeat, x, y)
        for beats in count(1):
            heartbeat = await self._next_heartbeat()
            if heartbeat["refused"]["refused"] != refused:
                raise RequestRefused("refused", "another session drives, or it is stopped", None)
            if heartbeat["n"] is not None and heartbeat["n"] >= first:
                break
            if beats % BEATS_BEFORE_AGAIN == 0:
                self._send_command(heartbeat, x, y)
        return heartbeat

    def _send_command(self, heartbeat: Frame, x: float, y: float) -> int:
        number = next(self._numbers)
        command = {"type": "command", "n": number, "drive": {"x": x, "y": y}}
        if self._drive.readyState == "open" and self._drive.bufferedAmount == 0:
            proof = {"epoch": heartbeat["epoch"], "t": heartbeat["t"]}
            self._drive.send(json.dumps(command | proof))
        return number

    async def wait_until_open(self) -> None:
        """Return once the data channel is open. Raise TimedOut."""
        try:
            await asyncio.wait_for(self._opened.wait(), self._timeout_s)
        except TimeoutError:
            raise TimedOut("data channel", self._timeout_s) from None

    async def _next_heartbeat(self) -> Frame:
        try:
            async with asyncio.timeout(self._timeout_s):
                heartbeat = await self._heartbeats.get()
                while not self._heartbeats.empty() and not isinstance(heartbeat, PeerClosed):
                    heartbeat = self._heartbeats.get_nowait()
        except TimeoutError:
            raise TimedOut("heartbeat of the robot", self._timeout_s) from None
        if isinstance(heartbeat, PeerClosed):
            # Put back for the next command, which is not obeyed either.
            self._heartbeats.put_nowait(heartbeat)
            raise heartbeat
        return heartbeat

    def _receive(self, text: str | bytes) -> None:
        heartbeat: dict[str, Any] = json.loads(text)
        self._heartbeats.put_nowait(heartbeat)


@asynccontextmanager
async def open_driver(client: Client, robot_id: str) -> AsyncIterator[Driver]:
    """Yield a driver of this robot; `Client.drive` has the documentation."""
    peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    try:
        peer.addTransceiver("video", direction="recvonly")
        driver = Driver(peer, "", client.timeout_s)
        await peer.setLocalDescription(await peer.createOffer())
        offer = {"type": "offer", "sdp": peer.localDescription.sdp}
        ack = await client.request("offer", robotId=robot_id, pcId="test", payload=offer)
        driver.session_id = ack["sessionId"]
        answer = (await client.receive("answer", sessionId=driver.session_id))["payload"]
        if answer["type"] != "answer":
            raise RequestRefused(answer["type"], str(answer.get("message")), None)
        await peer.setRemoteDescription(RTCSessionDescription(**answer))
        await driver.wait_until_open()
        try:
            yield driver
        finally:
            # The session may be over, or the connection.
            with suppress(ProbeError):
                await client.request("bye", sessionId=driver.session_id)
    finally:
        await peer.close()
