"""The open connections by their ids, and delivery to them.

Owns who can be reached and from which thread; must never know frames, HTTP or the rules.
"""

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Protocol, TypeVar

from robosignal.protocol.errors import TooLarge, TryAgain
from robosignal.protocol.ids import ConnectionId
from robosignal.protocol.limits import MESSAGE_BYTES
from robosignal.server.deadline import allowance

T = TypeVar("T")

PATIENCE_SECONDS = 5.0
"""How long a thread waits for the loop; a loop that has stopped would never answer."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What the management API tells of a connection; times in epoch milliseconds."""

    connected_at: int
    last_active_at: int
    source_ip: str
    user_agent: str | None


class Socket(Protocol):
    """One open WebSocket, as delivery sees it."""

    def post(self, frame: bytes) -> bool:
        """Send a text frame; False when it is too late for that."""

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake."""

    def facts(self) -> Facts:
        """Return what is known of the connection."""


class Sockets:
    """A `Poster` in process. Every public method may be called from any thread.

    From the thread that runs the event loop it acts at once; from another it waits until the
    loop has acted, and raises `TryAgain` if the loop does not.
    """

    def __init__(self, patience_seconds: float = PATIENCE_SECONDS) -> None:
        self._patience_seconds = patience_seconds
        self._open: dict[ConnectionId, Socket] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: int | None = None
        self._newest = 0

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Belong to the loop that runs in this thread."""
        self._loop = loop
        self._thread = threading.get_ident()

    @property
    def count(self) -> int:
        """How many connections are open."""
        return len(self._open)

    def opening(self, now: int) -> int:
        """Return when a connection opens, in epoch ms: later than all before it.

        A wall clock that steps back must not make a redial look older than what it follows.
        """
        self._newest = max(now, self._newest + 1)
        return self._newest

    def add(self, connection: ConnectionId, socket: Socket) -> None:
        """Make a connection reachable. For the loop's own thread."""
        self._open[connection] = socket

    def remove(self, connection: ConnectionId) -> None:
        """Make a connection unreachable, if it is not so already. For the loop's own thread."""
        self._open.pop(connection, None)

    def post(self, connection: ConnectionId, frame: bytes) -> bool:
        """Hand a frame over; False when the connection is gone or not open yet.

        Raise `TooLarge` over 128 KiB, where the management API answers 413.
        """
        if len(frame) > MESSAGE_BYTES:
            raise TooLarge("frame", MESSAGE_BYTES)
        if threading.get_ident() == self._thread:
            return self._post(connection, frame)
        return self._on_loop(lambda: self._post(connection, frame))

    def close(self, connection: ConnectionId) -> None:
        """Close a connection with 1000; one that is gone already is no error."""
        self.end(connection)

    def end(self, connection: ConnectionId) -> bool:
        """Close a connection with 1000; False when it is gone already."""
        return self._on_loop(lambda: self._end(connection))

    def facts(self, connection: ConnectionId) -> Facts | None:
        """Return what is known of an open connection, None when it is gone."""
        return self._on_loop(lambda: self._facts(connection))

    def _post(self, connection: ConnectionId, frame: bytes) -> bool:
        socket = self._open.get(connection)
        return socket is not None and socket.post(frame)

    def _end(self, connection: ConnectionId) -> bool:
        socket = self._open.get(connection)
        if socket is not None:
            # The words that real `$disconnect` events bear after a DELETE.
            socket.close(1000, "Connection Closed Normally")
        return socket is not None

    def _facts(self, connection: ConnectionId) -> Facts | None:
        socket = self._open.get(connection)
        return None if socket is None else socket.facts()

    def _on_loop(self, act: Callable[[], T]) -> T:
        if self._loop is None or threading.get_ident() == self._thread:
            return act()
        done: Future[T] = Future()
        self._loop.call_soon_threadsafe(_settle, done, act)
        try:
            return done.result(timeout=min(self._patience_seconds, allowance().seconds))
        except TimeoutError:
            # If the loop gets to it after all, it must not act: the caller will try again.
            done.cancel()
            raise TryAgain from None


def _settle(done: Future[T], act: Callable[[], T]) -> None:
    if not done.set_running_or_notify_cancel():
        return
    try:
        done.set_result(act())
    except Exception as failed:  # noqa: BLE001 - the thread that waits raises it
        done.set_exception(failed)
