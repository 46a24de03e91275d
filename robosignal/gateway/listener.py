"""The listening socket: accepts connections, and tells WebSockets and plain HTTP apart.

Both are on one port. The first bytes of a connection, one request head of bounded size, decide who
takes it over.
"""

import asyncio
import logging
import os
import re
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import cast

BACKLOG = 1024
"""Connections that the kernel queues until they are accepted; a fleet redials all at once."""

ACCEPTS_IN_TURN = 64
"""How many are accepted before the open ones have their turn."""

BUFFER_BYTES = 64 * 1024
"""Of each connection in the kernel, each way; Linux doubles it for bookkeeping (socket(7)). Left to
itself it grows them to megabytes for a client that does not read."""

RETRY_SECONDS = 1.0
NONE_WAITING = (BlockingIOError, InterruptedError, ConnectionAbortedError)
"""No connection waits to be accepted; accept(2), "Error handling"."""

HEAD_BYTES = 16 * 1024
"""Room for the longest handshake, and for the names of its headers."""

HEAD_END = b"\r\n\r\n"
_UPGRADE = re.compile(rb"\r\nupgrade:[^\r\n]*websocket", re.IGNORECASE)
_TOO_LARGE = (
    b"HTTP/1.1 431 Request Header Fields Too Large\r\n"
    b"Connection: close\r\nContent-Length: 0\r\n\r\n"
)

log = logging.getLogger("robosignal.gateway")


class Listener:
    """Makes a protocol for each connection, from `open` to `close`.

    asyncio's own server tries its whole backlog when it is out of file descriptors, and logs each
    try with a traceback, again and again. This one waits, and logs that once.
    """

    def __init__(
        self,
        make: Callable[[], asyncio.BaseProtocol],
        retry_seconds: float = RETRY_SECONDS,
        tls: ssl.SSLContext | None = None,
        tls_seconds: float | None = None,
    ) -> None:
        """`tls_seconds` is how long a client's TLS handshake may take, with `tls`."""
        self._make = make
        self._tls = tls
        self._tls_seconds = tls_seconds
        self._retry_seconds = retry_seconds
        self._server: asyncio.Server | None = None
        self._sockets: list[socket.socket] = []
        self._starting: set[asyncio.Task[None]] = set()
        self._retry: asyncio.TimerHandle | None = None
        self._full = False

    async def open(self, host: str, port: int) -> int:
        """Listen, and return the real port; raise OSError when that is not possible."""
        loop = asyncio.get_running_loop()
        # asyncio only resolves and binds; a duplicate of its socket listens and accepts.
        self._server = await loop.create_server(self._make, host, port, start_serving=False)
        for bound in self._server.sockets:
            listening = bound.dup()
            self._sockets.append(listening)
            listening.setblocking(False)  # noqa: FBT003 - the socket module's own
            # Before it listens, because connections inherit the buffers and the window's scale.
            for buffer in (socket.SO_SNDBUF, socket.SO_RCVBUF):
                listening.setsockopt(socket.SOL_SOCKET, buffer, BUFFER_BYTES)
            listening.listen(BACKLOG)
        self._watch()
        return int(self._sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Accept no more. Each accepted connection has its protocol when this returns.

        Those whose TLS handshake is not over are dropped.
        """
        self._stop_watching()
        for listening in self._sockets:
            listening.close()
        self._sockets.clear()
        if self._server is not None:
            self._server.close()
        if self._tls is not None:
            # A client could take seconds for its handshake, and has asked for nothing yet.
            for starting in self._starting:
                starting.cancel()
        if self._starting:
            await asyncio.wait(self._starting)

    def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        for listening in self._sockets:
            loop.add_reader(listening, self._accept, listening)

    def _stop_watching(self) -> None:
        loop = asyncio.get_running_loop()
        for listening in self._sockets:
            loop.remove_reader(listening)
        if self._retry is not None:
            self._retry.cancel()

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(ACCEPTS_IN_TURN):
            try:
                accepted, _address = listening.accept()
            except NONE_WAITING:
                return
            except OSError as failed:
                self._pause(failed)
                return
            self._full = False
            accepted.setblocking(False)  # noqa: FBT003 - the socket module's own
            task = asyncio.get_running_loop().create_task(self._start(accepted))
            # The loop has only weak references to tasks, so this one must be kept here.
            self._starting.add(task)
            task.add_done_callback(self._starting.discard)

    async def _start(self, accepted: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        if self._tls is None:
            await loop.connect_accepted_socket(self._make, accepted)
            return
        # TLS itself answers a client that speaks none, or that does not trust the certificate.
        with suppress(OSError):
            await loop.connect_accepted_socket(
                self._make,
                accepted,
                ssl=self._tls,
                ssl_handshake_timeout=self._tls_seconds,
                ssl_shutdown_timeout=self._tls_seconds,
            )

    def _pause(self, failed: OSError) -> None:
        self._stop_watching()
        self._retry = asyncio.get_running_loop().call_later(self._retry_seconds, self._watch)
        if not self._full:
            self._full = True
            why = os.strerror(failed.errno) if failed.errno else "accept failed"
            log.error("cannot accept another connection (%s): new ones wait", why)


TakeOver = Callable[[asyncio.Transport, bytes], None]
"""Takes over a transport, with the bytes that were read from it so far."""


@dataclass(frozen=True, slots=True)
class Protocols:
    """What takes over each kind of connection, how long the first bytes may take, and who waits."""

    websocket: TakeOver
    http: TakeOver
    seconds: float
    waiting: "set[RequestHead]" = field(default_factory=set)


class RequestHead(asyncio.BufferedProtocol):
    """Reads one request head into a buffer that is its bound, then hands the transport over."""

    def __init__(self, protocols: Protocols) -> None:
        self._protocols = protocols
        self._head = bytearray(HEAD_BYTES)
        self._count = 0
        self._transport: asyncio.Transport
        self._timer: asyncio.TimerHandle

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the timer: the connection is dropped if its head does not come in time."""
        self._transport = cast("asyncio.Transport", transport)
        loop = asyncio.get_running_loop()
        self._timer = loop.call_later(self._protocols.seconds, self.abort)
        self._protocols.waiting.add(self)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's signature
        """Return the room that is left. It is never empty: reading ends when the buffer is full."""
        return memoryview(self._head)[self._count :]

    def buffer_updated(self, nbytes: int) -> None:
        """Hand the connection over once the head is complete; refuse a head that is too long."""
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
        take_over = self._protocols.websocket if _is_upgrade(received) else self._protocols.http
        take_over(self._transport, received)

    def _leave(self) -> None:
        self._timer.cancel()
        self._protocols.waiting.discard(self)


def _is_upgrade(received: bytes) -> bool:
    head, _, _ = received.partition(HEAD_END)
    return head.startswith(b"GET ") and _UPGRADE.search(head) is not None
