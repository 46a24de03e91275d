"""The first bytes of every connection: whether it is a WebSocket or plain HTTP.

Owns the reading of one bounded request head and the handing over of the transport; must never
know what either of the two does with it.
"""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import cast

HEAD_BYTES = 16 * 1024
"""Room for a handshake of the most bytes that it may have, and the names of its headers."""

HEAD_END = b"\r\n\r\n"
_UPGRADE = re.compile(rb"\r\nupgrade:[^\r\n]*websocket", re.IGNORECASE)
_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"Connection: close\r\nContent-Length: 0\r\n\r\n"
)

Door = Callable[[asyncio.Transport, bytes], None]
"""Takes a transport over, with the bytes that were read from it so far."""


@dataclass(frozen=True, slots=True)
class Doors:
    """Where a connection may go, how long it may take to say so, and who has not said yet."""

    websocket: Door
    http: Door
    seconds: float
    waiting: "set[Front]" = field(default_factory=set)


class Front(asyncio.BufferedProtocol):
    """Reads one request head into a buffer that is its bound, then hands the transport over."""

    def __init__(self, doors: Doors) -> None:
        self._doors = doors
        self._head = bytearray(HEAD_BYTES)
        self._count = 0
        self._transport: asyncio.Transport
        self._timer: asyncio.TimerHandle

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the clock: a head that does not come in time costs the connection."""
        self._transport = cast("asyncio.Transport", transport)
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._doors.seconds, self.abort)
        self._doors.waiting.add(self)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's signature
        """Return the room that is left; it is never empty, for a full buffer ends the reading."""
        return memoryview(self._head)[self._count :]

    def buffer_updated(self, nbytes: int) -> None:
        """Hand over once the head is complete; refuse it once it is too long."""
        # The end of the head may straddle two reads.
        seen = max(0, self._count - len(HEAD_END) + 1)
        self._count += nbytes
        if self._head.find(HEAD_END, seen, self._count) >= 0:
            self._hand_over()
        elif self._count == HEAD_BYTES:
            self._transport.write(_TOO_LARGE)
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """Forget the connection."""
        self._leave()

    def abort(self) -> None:
        """Drop the connection."""
        self._transport.abort()

    def _hand_over(self) -> None:
        self._leave()
        received = bytes(memoryview(self._head)[: self._count])
        door = self._doors.websocket if _is_upgrade(received) else self._doors.http
        door(self._transport, received)

    def _leave(self) -> None:
        self._timer.cancel()
        self._doors.waiting.discard(self)


def _is_upgrade(received: bytes) -> bool:
    head, _, _ = received.partition(HEAD_END)
    return head.startswith(b"GET ") and _UPGRADE.search(head) is not None
