"""A driver with a real peer connection, for tests of what a robot does when it is driven.

It speaks the data channels of docs/reference/data-channels.md, as the console does. Needs the
extra `robot`, whose aiortc it uses.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import count

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from robosignal.operator.channels import DataChannels, Heartbeat, Message, Target
from robosignal.probe.errors import ProbeError, RequestRefused, TimedOut
from robosignal.robot.drive import Drive
from robosignal.testing.client import Client, PeerClosed

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
        self._heartbeats: asyncio.Queue[Heartbeat | PeerClosed] = asyncio.Queue()
        self._channels = DataChannels(
            peer, self._receive, lambda: self._heartbeats.put_nowait(PeerClosed())
        )

    async def drive(self, x: float, y: float) -> int:
        """Send one command, and return the epoch at which the robot obeyed it.

        `x` is to the right and `y` ahead, each from -1 to 1. The command is in force for 500 ms:
        repeat it to keep the robot moving. After a stop, a command with both axes at 0 goes first,
        as a page's does. Raise RequestRefused if the robot refuses it, because another session
        drives, say, or the robot is stopped; PeerClosed if the robot has ended the session;
        TimedOut if no heartbeat comes.
        """
        heartbeat = await self._next_heartbeat()
        if not heartbeat.armed:
            heartbeat = await self._command(heartbeat, 0.0, 0.0)
        return (await self._command(heartbeat, x, y)).epoch

    async def _command(self, heartbeat: Heartbeat, x: float, y: float) -> Heartbeat:
        """Send a command after this heartbeat, and return the one that says that it was obeyed.

        A command may get lost: it goes again after so many heartbeats that say nothing of it.
        """
        refused = heartbeat.refused.refused
        first = self._send_command(heartbeat, x, y)
        for beats in count(1):
            heartbeat = await self._next_heartbeat()
            if heartbeat.refused.refused != refused:
                raise RequestRefused("refused", "another session drives, or it is stopped", None)
            if first is not None and heartbeat.n is not None and heartbeat.n >= first:
                break
            if first is None or beats % BEATS_BEFORE_AGAIN == 0:
                number = self._send_command(heartbeat, x, y)
                first = number if first is None else first
        return heartbeat

    def _send_command(self, heartbeat: Heartbeat, x: float, y: float) -> int | None:
        return self._channels.send_command(heartbeat.epoch, heartbeat.t, Target(Drive(x, y)))

    async def wait_until_open(self) -> None:
        """Return once the data channel is open. Raise TimedOut."""
        try:
            await asyncio.wait_for(self._channels.opened.wait(), self._timeout_s)
        except TimeoutError:
            raise TimedOut("data channel", self._timeout_s) from None

    async def _next_heartbeat(self) -> Heartbeat:
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

    def _receive(self, message: Message) -> None:
        if isinstance(message, Heartbeat):
            self._heartbeats.put_nowait(message)


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
