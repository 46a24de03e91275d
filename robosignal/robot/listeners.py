"""Calls what the robot's program wants to be told, in a thread of its own, in order.

The motors have another thread: whatever these functions wait for, the robot stops in time.
"""

import logging
import threading
from collections import Counter, deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from robosignal.protocol.ids import RobotId

MOST_WAITING = 1000
"""While so many calls of one source wait for a function, further ones of it are dropped."""

MOST_BYTES = 1024 * 1024
"""While a source's calls that wait hold so many bytes, further ones of it are dropped."""

MOST_BYTES_IN_ALL = 16 * MOST_BYTES
"""The same for all sources together: those who leave may come back as others."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Waiting:
    call: Callable[[], None]
    source: str
    size: int


class Listeners:
    """Makes calls one at a time until `close`; what they raise is logged.

    While `most_waiting` of one source wait, or too many bytes, further ones of it are dropped: a
    peer that sends too much costs no other its messages.
    """

    def __init__(self, robot_id: RobotId, most_waiting: int = MOST_WAITING) -> None:
        self._robot_id = robot_id
        self._most_waiting = most_waiting
        # What follows is read and written under this lock.
        self._changed = threading.Condition()
        self._waiting: deque[_Waiting] = deque()
        self._calls: Counter[str] = Counter()
        self._bytes: Counter[str] = Counter()
        self._is_dropping = False
        self._has_ended = False
        threading.Thread(target=self._work, name=f"listeners of {robot_id}", daemon=True).start()

    def call(self, call: Callable[[], None], source: str = "", size: int = 0) -> None:
        """Have this called after all that came before; return at once.

        `source` is whom it is from, and `size` how many bytes it holds.
        """
        with self._changed:
            if self._has_ended:
                return
            is_full = self._is_full(source, size)
            if not is_full:
                self._waiting.append(_Waiting(call, source, size))
                self._calls[source] += 1
                self._bytes[source] += size
                self._changed.notify()
            is_news = is_full and not self._is_dropping
            self._is_dropping = is_full
        if is_news:
            _log.error("%s: a listener does not return: calls are dropped", self._robot_id)

    def close(self) -> None:
        """Make no more calls but those that wait, and return at once."""
        with self._changed:
            self._has_ended = True
            self._changed.notify()

    def _is_full(self, source: str, size: int) -> bool:
        return (
            self._calls[source] >= self._most_waiting
            or (size > 0 and self._bytes[source] + size > MOST_BYTES)
            or (size > 0 and self._bytes.total() + size > MOST_BYTES_IN_ALL)
        )

    def _work(self) -> None:
        while (waiting := self._next()) is not None:
            try:
                waiting.call()
            # The program's own functions raise what they like, SystemExit too: the thread must
            # outlive it.
            except BaseException:  # noqa: BLE001
                with suppress(Exception):
                    _log.exception("%s: a listener has failed", self._robot_id)

    def _next(self) -> _Waiting | None:
        """Wait, and return the next call; None at the end."""
        with self._changed:
            while not self._waiting and not self._has_ended:
                self._changed.wait()
            if not self._waiting:
                return None
            taken = self._waiting.popleft()
            for counter, count in ((self._calls, 1), (self._bytes, taken.size)):
                counter[taken.source] -= count
                if counter[taken.source] == 0:
                    del counter[taken.source]
            return taken
