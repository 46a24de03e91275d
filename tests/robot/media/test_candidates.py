"""The robot takes a client's candidates in every shape that the protocol allows."""

import asyncio
import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription

from robosignal.protocol.ids import SessionId
from robosignal.robot.frames import Candidate, PcId, assign_section, read_candidate
from robosignal.robot.media.gathering import Relays
from robosignal.robot.media.peer import Peer
from robosignal.robot.session.events import Answered, Event
from tests.robot.server import PATIENCE

VECTORS = Path(__file__).parents[3] / "spec" / "vectors"
SHAPES: list[dict[str, Any]] = json.loads((VECTORS / "candidates.json").read_text())
HERE = RTCConfiguration(iceServers=[])

of_each_shape = pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape["name"])
of_each_candidate = pytest.mark.parametrize(
    "shape",
    [shape for shape in SHAPES if shape["means"]["candidate"]],
    ids=lambda shape: shape["name"],
)


def without_candidates(sdp: str) -> str:
    """Return a description as its sender would have it that trickles."""
    ends = ("a=candidate:", "a=end-of-candidates")
    return "".join(line for line in sdp.splitlines(keepends=True) if not line.startswith(ends))


def filled(shape: Any, candidate: str) -> Any:
    """Return a payload of that shape with a real candidate in it."""
    return json.loads(json.dumps(shape).replace("CANDIDATE", candidate))


@of_each_shape
def test_a_candidate_is_read_in_each_shape(shape: dict[str, Any]) -> None:
    """What a payload means is in the vectors that every client's tests share."""
    assert read_candidate(shape["payload"]) == msgspec.convert(shape["means"], Candidate)


@pytest.mark.parametrize(
    ("sdp", "mid", "index"),
    [
        ("v=0\r\na=group:BUNDLE video0 data\r\nm=video 9\r\n", "video0", None),
        ("v=0\r\na=group:LS a b\r\na=group:BUNDLE 1 0\r\n", "1", None),
        ("v=0\r\nm=video 9\r\n", None, 0),
    ],
)
def test_a_candidate_of_no_section_is_for_the_one_that_carries_all(
    sdp: str, mid: str | None, index: int | None
) -> None:
    """RFC 9143, section 7.2: the first one of the bundle; without a bundle, the first of all."""
    assert assign_section(Candidate("candidate:1"), sdp) == Candidate("candidate:1", mid, index)


@pytest.mark.parametrize("named", [Candidate("c", "1"), Candidate("c", None, 1), Candidate("")])
def test_a_candidate_that_names_its_section_stays_there(named: Candidate) -> None:
    """Neither does the end of candidates need one."""
    assert assign_section(named, "a=group:BUNDLE 0 1\r\n") == named


@of_each_candidate
async def test_the_robot_connects_by_a_candidate_in_each_shape(shape: dict[str, Any]) -> None:
    """The client knows no address of the robot's: this candidate is the only way to a path."""
    client = RTCPeerConnection(HERE)
    connected = asyncio.Event()
    client.on("connectionstatechange", lambda: settle(client, connected))
    client.createDataChannel("control")
    await client.setLocalDescription(await client.createOffer())
    offer = client.localDescription.sdp
    told: asyncio.Queue[Event] = asyncio.Queue()
    peer = Peer(SessionId("r:s"), PcId("pc"), HERE, lambda: None, told.put_nowait, relays=Relays())
    peer.offer(without_candidates(offer))
    answer = await asyncio.wait_for(told.get(), PATIENCE)
    assert isinstance(answer, Answered)
    description = RTCSessionDescription(without_candidates(answer.sdp), "answer")
    await client.setRemoteDescription(description)
    for line in offer.splitlines():
        if line.startswith("a=candidate:"):
            candidate = read_candidate(filled(shape["payload"], line.removeprefix("a=")))
            assert candidate is not None
            peer.add(candidate)

    await asyncio.wait_for(connected.wait(), PATIENCE)
    await peer.close()
    await client.close()


def settle(client: RTCPeerConnection, connected: asyncio.Event) -> None:
    """Set the event once the client is connected."""
    if client.connectionState == "connected":
        connected.set()
