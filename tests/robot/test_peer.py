"""One peer connection of a robot: what it leaves behind when it is ended."""

import asyncio
import gc

import pytest
from aioice.ice import StunProtocol
from aiortc import RTCConfiguration, RTCPeerConnection

from robosignal.robot.camera import Camera, CameraTrack
from robosignal.robot.frames import PcId
from robosignal.robot.peer import Peer
from signaling.wire.ids import SessionId

HERE = RTCConfiguration(iceServers=[])


def open_sockets() -> int:
    """Return how many of ICE's sockets are open."""
    # By its type: to ask a weak reference for its class is to ask what it no longer has.
    found = [each for each in gc.get_objects() if type(each) is StunProtocol]
    return sum(not each.transport.is_closing() for each in found if each.transport)


async def an_offer() -> str:
    """Return the offer of a browser that is gone again."""
    browser = RTCPeerConnection(HERE)
    browser.createDataChannel("control")
    await browser.setLocalDescription(await browser.createOffer())
    sdp: str = browser.localDescription.sdp
    await browser.close()
    return sdp


@pytest.mark.parametrize("turns", range(0, 24, 2))
async def test_ended_while_it_gathers_it_leaves_no_socket_open(turns: int) -> None:
    """A driver who is displaced before the answer costs the robot nothing that stays."""
    sdp = await an_offer()
    before = open_sockets()
    peer = Peer(
        SessionId("r:s"), PcId("pc"), HERE, CameraTrack(Camera("r", lambda: 0.0)), lambda _: None
    )
    peer.offer(sdp)
    for _ in range(turns):
        await asyncio.sleep(0)
    await peer.close()

    assert open_sockets() == before
