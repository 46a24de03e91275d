"""The open connections by their ids, and delivery to them from any thread."""

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

LOOP_TIMEOUT_SECONDS = 5.0
"""How long a thread waits for the loop, which would never answer if it has stopped."""


@dataclass(frozen=True, slots=True)
class ConnectionInfo:
    """What the management API tells about a connection. Times are in epoch milliseconds."""

    connected_at: int
    last_active_at: int
    source_ip: str
    user_agent: str | None


class OpenConnection(Protocol):
    """One open WebSocket, as far as delivery uses it."""

    def post(self, frame: bytes) -> bool:
        """Send a text frame; return False if the connection is closing."""

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake."""

    def info(self) -> ConnectionInfo:
        """Return what the management API tells about the connection."""


class OpenConnections:
    """A `Poster` in the process. Unless they say otherwise, methods may be called in any thread.

    In the event loop's thread they act at once. In another thread they wait until the loop has
    acted, and raise TryAgain if it does not in time.
    """

    def __init__(self, loop_timeout_seconds: float = LOOP_TIMEOUT_SECONDS) -> None:
        self._loop_timeout_seconds = loop_timeout_seconds
        self._open: dict[ConnectionId, OpenConnection] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: int | None = None
        self._newest = 0

    def bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """Use the event loop that runs in this thread."""
        self._loop = loop
        self._thread = threading.get_ident()

    @property
    def count(self) -> int:
        """How many connections are open."""
        return len(self._open)

    def next_connected_at(self, now: int) -> int:
        """Return the time at which a connection opens, in epoch ms: later than all before it.

        Even if the clock was set back, a redial must not look older than the connection before.
        """
        self._newest = max(now, self._newest + 1)
        return self._newest

    def add(self, connection: ConnectionId, opened: OpenConnection) -> None:
        """Make a connection reachable. Only in the loop's thread."""
        self._open[connection] = opened

    def remove(self, connection: ConnectionId) -> None:
        """Make a connection unreachable, if it is reachable. Only in the loop's thread."""
        self._open.pop(connection, None)

    def post(self, connection: ConnectionId, frame: bytes) -> bool:
        """Send a frame; return False if the connection is gone or not open yet.

        Raise TooLarge over 128 KiB, where the management API answers 413.
        """
        if len(frame) > MESSAGE_BYTES:
            raise TooLarge("frame", MESSAGE_BYTES)
        if threading.get_ident() == self._thread:
            return self._post(connection, frame)
        return self._on_loop(lambda: self._post(connection, frame))

    def close(self, connection: ConnectionId) -> None:
        """Close a connection with 1000. It is no error if it is gone."""
        self.close_if_open(connection)

    def close_if_open(self, connection: ConnectionId) -> bool:
        """Close a connection with 1000; return False if it is gone."""
        return self._on_loop(lambda: self._close(connection))

    def info(self, connection: ConnectionId) -> ConnectionInfo | None:
        """Return what is known about an open connection; None if it is gone."""
        return self._on_loop(lambda: self._info(connection))

    def _post(self, connection: ConnectionId, frame: bytes) -> bool:
        opened = self._open.get(connection)
        return opened is not None and opened.post(frame)

    def _close(self, connection: ConnectionId) -> bool:
        opened = self._open.get(connection)
        if opened is not None:
            # The reason in real `$disconnect` events after a DELETE.
            opened.close(1000, "Connection Closed Normally")
        return opened is not None

    def _info(self, connection: ConnectionId) -> ConnectionInfo | None:
        opened = self._open.get(connection)
        return None if opened is None else opened.info()

    def _on_loop(self, act: Callable[[], T]) -> T:
        if self._loop is None or threading.get_ident() == self._thread:
            return act()
        done: Future[T] = Future()
        self._loop.call_soon_threadsafe(_settle, done, act)
        try:
            return done.result(timeout=min(self._loop_timeout_seconds, allowance().seconds))
        except TimeoutError:
            # The loop must not act later: the caller will try again.
            done.cancel()
            raise TryAgain from None


def _settle(done: Future[T], act: Callable[[], T]) -> None:
    if not done.set_running_or_notify_cancel():
        return
    try:
        done.set_result(act())
    except Exception as failed:  # noqa: BLE001 - the thread that waits raises it
        done.set_exception(failed)
