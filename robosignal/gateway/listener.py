"""Accepts connections, and waits when there is no room for one more.

Owns the listening sockets; must never know what is said on a connection.
"""

import asyncio
import logging
import os
import socket
from collections.abc import Callable

BACKLOG = 1024
"""Connections that the kernel holds until they are accepted; a fleet redials all at once."""

AT_ONCE = 64
"""So many are accepted before those that are open have their turn."""

BUFFER_BYTES = 64 * 1024
"""Of each connection in the kernel, each way; Linux takes twice as much, with what it needs to
keep books (socket(7)). Left to itself it grows them to megabytes for who does not read."""

RETRY_SECONDS = 1.0
GONE = (BlockingIOError, InterruptedError, ConnectionAbortedError)
"""Nobody waits any more; accept(2), "Error handling"."""

log = logging.getLogger("robosignal.gateway")


class Listener:
    """Makes a protocol for each connection, from `open` to `close`.

    asyncio's own server tries its whole backlog when it is out of file descriptors, logs each
    try with a traceback, and begins anew for each of them. This one waits, and says so once.
    """

    def __init__(
        self, make: Callable[[], asyncio.BaseProtocol], retry_seconds: float = RETRY_SECONDS
    ) -> None:
        self._make = make
        self._retry_seconds = retry_seconds
        self._server: asyncio.Server | None = None
        self._sockets: list[socket.socket] = []
        self._beginning: set[asyncio.Task[None]] = set()
        self._retry: asyncio.TimerHandle | None = None
        self._full = False

    async def open(self, host: str, port: int) -> int:
        """Listen, and return the real port; raise OSError when that is not possible."""
        loop = asyncio.get_running_loop()
        # asyncio resolves and binds, and does not listen: what accepts is a duplicate.
        self._server = await loop.create_server(self._make, host, port, start_serving=False)
        for bound in self._server.sockets:
            listening = bound.dup()
            self._sockets.append(listening)
            listening.setblocking(False)  # noqa: FBT003 - the socket module's own
            # Before it listens: connections take them over, the window's scale included.
            for buffer in (socket.SO_SNDBUF, socket.SO_RCVBUF):
                listening.setsockopt(socket.SOL_SOCKET, buffer, BUFFER_BYTES)
            listening.listen(BACKLOG)
        self._watch()
        return int(self._sockets[0].getsockname()[1])

    async def close(self) -> None:
        """Accept no more; each connection that was accepted has its protocol when this returns."""
        self._look_away()
        for listening in self._sockets:
            listening.close()
        self._sockets.clear()
        if self._server is not None:
            self._server.close()
        if self._beginning:
            await asyncio.wait(self._beginning)

    def _watch(self) -> None:
        loop = asyncio.get_running_loop()
        for listening in self._sockets:
            loop.add_reader(listening, self._accept, listening)

    def _look_away(self) -> None:
        loop = asyncio.get_running_loop()
        for listening in self._sockets:
            loop.remove_reader(listening)
        if self._retry is not None:
            self._retry.cancel()

    def _accept(self, listening: socket.socket) -> None:
        for _ in range(AT_ONCE):
            try:
                accepted, _address = listening.accept()
            except GONE:
                return
            except OSError as failed:
                self._wait(failed)
                return
            self._full = False
            accepted.setblocking(False)  # noqa: FBT003 - the socket module's own
            task = asyncio.get_running_loop().create_task(self._begin(accepted))
            # The loop itself holds tasks weakly, so one that nobody awaits must be held here.
            self._beginning.add(task)
            task.add_done_callback(self._beginning.discard)

    async def _begin(self, accepted: socket.socket) -> None:
        await asyncio.get_running_loop().connect_accepted_socket(self._make, accepted)

    def _wait(self, failed: OSError) -> None:
        self._look_away()
        self._retry = asyncio.get_running_loop().call_later(self._retry_seconds, self._watch)
        if not self._full:
            self._full = True
            why = os.strerror(failed.errno) if failed.errno else "accept failed"
            log.error("no room for one more connection (%s): new ones wait", why)
