"""A viewer's stop against the whole backend, while its user's tokens end and are renewed."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from tests.robot.server import PATIENCE
from tests.robot.test_backend import ROBOT, SHORT, Client, backend, client, robot

TTL_S = 5
"""How long the first token lasts, in seconds."""


class Viewer:
    """A viewer's peer connection with the channel `control`, and what it heard there."""

    def __init__(self, session: str) -> None:
        self.session = session
        self.peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self.peer.addTransceiver("video", direction="recvonly")
        self._channel = self.peer.createDataChannel("control")
        self._heard: asyncio.Queue[str] = asyncio.Queue()
        self._channel.on("message", self._heard.put_nowait)

    def stop(self) -> None:
        """Ask the robot to stop."""
        self._channel.send(json.dumps({"type": "stop"}))

    async def hear(self, *kinds: str) -> dict[str, object]:
        """Return the next message of these types; what comes before it is dropped."""
        async with asyncio.timeout(PATIENCE):
            while True:
                message: dict[str, object] = json.loads(await self._heard.get())
                if message["type"] in kinds:
                    return message

    @property
    def has_heard_more(self) -> bool:
        """Whether a message waits."""
        return not self._heard.empty()


@asynccontextmanager
async def viewer(one: Client) -> AsyncIterator[Viewer]:
    """Have a viewer whose session is this client's, until left."""
    view = Viewer("")
    try:
        await view.peer.setLocalDescription(await view.peer.createOffer())
        offer = {"type": "offer", "sdp": view.peer.localDescription.sdp}
        ack = await one.ask("offer", robotId=ROBOT, role="viewer", pcId="v-1", payload=offer)
        view.session = ack["sessionId"]
        answer = (await one.hear("type", "answer"))["payload"]
        await view.peer.setRemoteDescription(RTCSessionDescription(**answer))
        await view.hear("capabilities")
        yield view
    finally:
        await view.peer.close()


async def test_a_viewers_stop_works_after_the_first_token_if_it_was_renewed() -> None:
    """The robot has heard nothing of it until the stop: it asks, and stops at the answer."""
    async with (
        backend() as local,
        robot(local) as running,
        client(local, TTL_S) as first,
        viewer(first) as view,
        client(local) as second,
    ):
        await second.ask("resume", sessionId=view.session)
        await asyncio.sleep(TTL_S + 1)
        view.stop()
        refused = await view.hear("refused")
        stopped = await view.hear("stopped")
        lines = running.lines.count("alice stops the robot")

    assert refused["what"] == "stop"
    assert stopped == {"type": "stopped", "by": "alice"}
    assert lines == 1


async def test_a_robot_that_redials_meanwhile_stops_at_once() -> None:
    """`registered` has told it of the renewed right."""
    async with (
        backend() as local,
        robot(local, timing=SHORT),
        client(local, TTL_S) as first,
        viewer(first) as view,
        client(local) as second,
    ):
        await second.ask("resume", sessionId=view.session)
        await asyncio.sleep(TTL_S + 1)
        view.stop()
        answer = await view.hear("stopped", "refused")

    assert answer == {"type": "stopped", "by": "alice"}


async def test_a_viewers_stop_is_refused_after_a_token_that_was_not_renewed() -> None:
    """Also once the server has said what is left of it, which is nothing."""
    async with (
        backend() as local,
        robot(local) as running,
        client(local, TTL_S) as first,
        viewer(first) as view,
    ):
        await asyncio.sleep(TTL_S + 1)
        view.stop()
        refused = [await view.hear("refused")]
        # The server's answer is here well before the next one is refused.
        await asyncio.sleep(1)
        view.stop()
        refused.append(await view.hear("refused"))
        has_heard_more = view.has_heard_more
        lines = running.lines.count("stops the robot")

    assert [each["what"] for each in refused] == ["stop", "stop"]
    assert not has_heard_more
    assert lines == 0
