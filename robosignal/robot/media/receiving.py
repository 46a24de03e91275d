"""Bounds what a peer's unfinished messages may hold of the robot's memory and time.

aiortc announces a window of 1 MiB (RFC 9260, section 6.2), and takes what a peer sends beyond it.
It also looks through all parts of a stream that wait whenever one comes. So a peer that begins a
message and never ends it would take the robot's memory, and then the event loop's time, from all
others. Here parts that no peer sends which keeps to the window are dropped, as if they were lost.

It uses aiortc's internals, as of the version in requirements.txt.
"""

from aiortc.rtcsctptransport import DataChunk, RTCSctpTransport
from aiortc.utils import uint32_gt

BEYOND_BYTES = 64 * 1024
"""How far beyond the window a peer may send."""

MOST_PARTS = 1024
"""How many parts of one stream may wait before what comes after them is dropped."""

MOST_STREAMS = 64
"""How many streams one peer may use: a data channel is one."""


def limit_receiving(transport: RTCSctpTransport) -> None:
    """Have a transport take no more parts of unfinished messages than this module says."""
    receive = transport._receive_data_chunk  # noqa: SLF001

    async def take_if_room(chunk: DataChunk) -> None:
        if _has_room(transport, chunk):
            await receive(chunk)
        else:
            # The answer tells that the window is shut.
            transport._sack_needed = True  # noqa: SLF001

    transport._receive_data_chunk = take_if_room  # type: ignore[method-assign]  # noqa: SLF001


def _has_room(transport: RTCSctpTransport, chunk: DataChunk) -> bool:
    if transport._advertised_rwnd <= -BEYOND_BYTES:  # noqa: SLF001
        return False
    streams = transport._inbound_streams  # noqa: SLF001
    if chunk.stream_id not in streams:
        return len(streams) < MOST_STREAMS
    waiting = streams[chunk.stream_id].reassembly
    if len(waiting) < MOST_PARTS:
        return True
    # One that fills a gap lets those behind it go.
    return len(waiting) < 2 * MOST_PARTS and uint32_gt(waiting[-1].tsn, chunk.tsn)
