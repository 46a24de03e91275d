"""One peer connection of a robot: what it leaves behind when it is ended."""

import asyncio
import gc
from collections.abc import Callable

import pytest
from aioice.ice import StunProtocol
from aiortc import RTCConfiguration, RTCPeerConnection

from robosignal.protocol.ids import SessionId
from robosignal.robot.frames import PcId
from robosignal.robot.media.gathering import Relays
from robosignal.robot.media.peer import Peer
from robosignal.robot.media.test_pattern import Pattern, PatternTrack
from robosignal.robot.session.events import Answered, Event, Refused
from tests.robot.server import PATIENCE

HERE = RTCConfiguration(iceServers=[])


def open_sockets() -> set[StunProtocol]:
    """Return ICE's protocols whose sockets are open; those of other tests may go meanwhile."""
    # By its type: to ask a weak reference for its class is to ask what it no longer has.
    found = [each for each in gc.get_objects() if type(each) is StunProtocol]
    # A relay has no socket of its own, and a protocol that is just made has none yet.
    sockets = {each: getattr(each, "transport", None) for each in found}
    return {
        each
        for each, transport in sockets.items()
        # asyncio's own is no DatagramTransport by its type before Python 3.12.
        if isinstance(transport, asyncio.BaseTransport) and not transport.is_closing()
    }


def filming(tracks: list[PatternTrack]) -> Callable[[], PatternTrack]:
    """Return what makes a track, and keep those that it makes."""

    def film() -> PatternTrack:
        tracks.append(PatternTrack(Pattern("r", lambda: 0.0)))
        return tracks[-1]

    return film


async def an_offer() -> str:
    """Return the offer of a browser that is gone again."""
    browser = RTCPeerConnection(HERE)
    browser.addTransceiver("video", direction="recvonly")
    browser.createDataChannel("control")
    await browser.setLocalDescription(await browser.createOffer())
    sdp: str = browser.localDescription.sdp
    await browser.close()
    return sdp


@pytest.mark.parametrize("turns", range(0, 24, 2))
async def test_ended_while_it_gathers_it_leaves_nothing_open(turns: int) -> None:
    """A driver who is displaced before the answer costs the robot nothing that stays."""
    sdp = await an_offer()
    before = open_sockets()
    tracks: list[PatternTrack] = []
    peer = Peer(
        SessionId("r:s"), PcId("pc"), HERE, filming(tracks), lambda _: None, relays=Relays()
    )
    peer.offer(sdp)
    for _ in range(turns):
        await asyncio.sleep(0)
    await peer.close()

    assert open_sockets() <= before
    assert [track for track in tracks if track.readyState == "live"] == []


async def test_an_answered_offer_has_sockets_until_the_peer_is_closed() -> None:
    """So what tells that none stays open can tell that some do."""
    sdp = await an_offer()
    before = open_sockets()
    told: asyncio.Queue[Event] = asyncio.Queue()
    peer = Peer(SessionId("r:s"), PcId("pc"), HERE, filming([]), told.put_nowait, relays=Relays())
    peer.offer(sdp)
    event = await asyncio.wait_for(told.get(), PATIENCE)
    while_open = open_sockets()
    await peer.close()

    assert isinstance(event, Answered)
    assert while_open > before
    assert open_sockets() <= before


@pytest.mark.parametrize("mid", ["0", "1", "7"])
async def test_an_offer_whose_mids_are_ambiguous_is_refused_and_leaves_nothing_open(
    mid: str,
) -> None:
    """Of two mids aiortc takes the last, and it fails on a bundle that names the first."""
    sdp = (await an_offer()).replace("a=mid:0\r\n", f"a=mid:0\r\na=mid:{mid}\r\n")
    if mid == "0":
        sdp = sdp.replace("a=mid:1\r\n", "a=mid:0\r\n")
    before = open_sockets()
    told: asyncio.Queue[Event] = asyncio.Queue()
    tracks: list[PatternTrack] = []
    peer = Peer(
        SessionId("r:s"), PcId("pc"), HERE, filming(tracks), told.put_nowait, relays=Relays()
    )
    peer.offer(sdp)
    event = await asyncio.wait_for(told.get(), PATIENCE)
    await peer.close()

    assert isinstance(event, Refused)
    assert "a=mid" in event.message
    assert (open_sockets(), tracks) == (before, [])


async def test_ended_before_it_has_connected_it_stops_its_track() -> None:
    """A peer that leaves at once gives the camera back, too; two offers take it only once."""
    tracks: list[PatternTrack] = []
    told: asyncio.Queue[Event] = asyncio.Queue()

    peer = Peer(
        SessionId("r:s"), PcId("pc"), HERE, filming(tracks), told.put_nowait, relays=Relays()
    )
    sdp = await an_offer()
    for _ in range(2):
        peer.offer(sdp)
        event = await asyncio.wait_for(told.get(), PATIENCE)
        assert isinstance(event, Answered)
    live = [track.readyState for track in tracks]
    await peer.close()

    assert live == ["live"]
    assert tracks[0].readyState == "ended"
