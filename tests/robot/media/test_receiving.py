"""A peer that begins messages and never ends them."""

import asyncio
from collections.abc import Callable

import pytest
from aiortc.rtcsctptransport import (
    SCTP_DATA_FIRST_FRAG,
    SCTP_DATA_LAST_FRAG,
    DataChunk,
    RTCSctpTransport,
)

from robosignal.protocol.ids import SessionId
from robosignal.robot.frames import PcId
from robosignal.robot.media.gathering import Relays
from robosignal.robot.media.peer import Peer
from robosignal.robot.media.receiving import MOST_PARTS, MOST_STREAMS
from tests.robot.media.test_peer import HERE, an_offer, filming
from tests.robot.server import PATIENCE

MIB = 1024 * 1024


def part(n: int, size: int, stream: int = 1, flags: int = 0) -> DataChunk:
    """Return the part of a message with this number."""
    chunk = DataChunk(flags=flags)
    chunk.tsn, chunk.stream_id, chunk.stream_seq = n, stream, 0
    chunk.protocol, chunk.user_data = 51, b"x" * size
    return chunk


async def answer_an_offer() -> tuple[Peer, RTCSctpTransport]:
    """Return a peer that has answered, and what takes its messages."""
    told: asyncio.Queue[object] = asyncio.Queue()
    peer = Peer(SessionId("r:s"), PcId("pc"), HERE, filming([]), told.put_nowait, relays=Relays())
    peer.offer(await an_offer())
    await asyncio.wait_for(told.get(), PATIENCE)
    transport = peer._connection.sctp  # noqa: SLF001
    assert transport is not None
    transport._last_received_tsn = 0  # noqa: SLF001
    return peer, transport


def waiting(transport: RTCSctpTransport) -> list[DataChunk]:
    """Return the parts that wait for the end of their message."""
    streams = transport._inbound_streams.values()  # noqa: SLF001
    return [chunk for stream in streams for chunk in stream.reassembly]


FLOODS: dict[str, Callable[[int], DataChunk]] = {
    "large parts": lambda n: part(n, 64 * 1024),
    "tiny parts": lambda n: part(n, 1),
    "many streams": lambda n: part(n, 1, stream=n),
}


@pytest.mark.parametrize("flood", FLOODS)
async def test_messages_without_an_end_hold_only_so_much(flood: str) -> None:
    """In bytes, in parts, and in streams; each would go on until the robot has no memory."""
    peer, transport = await answer_an_offer()
    first = part(1, 1, flags=SCTP_DATA_FIRST_FRAG)
    for chunk in [first, *(FLOODS[flood](n) for n in range(2, 3000))]:
        await transport._receive_chunk(chunk)  # noqa: SLF001
    kept = waiting(transport)
    await peer.close()

    assert sum(len(chunk.user_data) for chunk in kept) <= 2 * MIB
    assert len(kept) <= MOST_PARTS
    assert len({chunk.stream_id for chunk in kept}) <= MOST_STREAMS


async def test_a_part_that_was_lost_lets_those_behind_it_go_however_many_wait() -> None:
    """A peer that keeps to the window is never stuck."""
    peer, transport = await answer_an_offer()
    for n in range(2, MOST_PARTS + 10):
        await transport._receive_chunk(part(n, 1))  # noqa: SLF001
    full = len(waiting(transport))
    last = part(MOST_PARTS + 1, 1, flags=SCTP_DATA_LAST_FRAG)
    transport._inbound_streams[1].reassembly[-1] = last  # noqa: SLF001
    await transport._receive_chunk(part(1, 1, flags=SCTP_DATA_FIRST_FRAG))  # noqa: SLF001
    kept = waiting(transport)
    await peer.close()

    assert full == MOST_PARTS
    assert kept == []
