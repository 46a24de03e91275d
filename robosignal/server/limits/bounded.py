"""Memory of at most so many entries, safe to use from several threads.

The oldest entry goes for a new one, so what is kept here must be no more than a convenience.
"""

import time
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Bounded(Generic[Key, Value]):
    """Keeps the newest entries."""

    def __init__(self, at_most: int) -> None:
        self._at_most = at_most
        self._kept: dict[Key, Value] = {}
        self._lock = Lock()

    def get(self, key: Key) -> Value | None:
        """Return what is kept under this key, or None."""
        return self._kept.get(key)

    def keep(self, key: Key, value: Value) -> None:
        """Keep this, in place of what was kept under the key, or of the oldest entry."""
        with self._lock:
            self._put(key, value)

    def get_or_make(self, key: Key, make: Callable[[], Value]) -> Value:
        """Return what is kept under this key; keep what `make` returns if nothing is."""
        with self._lock:
            if key not in self._kept:
                self._put(key, make())
            return self._kept[key]

    def drop(self, key: Key) -> None:
        """Keep nothing under this key."""
        with self._lock:
            self._kept.pop(key, None)

    def _put(self, key: Key, value: Value) -> None:
        if key not in self._kept and len(self._kept) >= self._at_most:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = value


Moment = tuple[float, float]
"""The wall clock's time and the monotonic clock's, both in seconds."""


class Recent(Generic[Key]):
    """Keys that were noted less than so many seconds ago, by two clocks.

    The wall clock may be set back, and the monotonic one may stand still while a Lambda
    environment is frozen: a key is recent only if both say so.
    """

    def __init__(
        self,
        seconds: float,
        at_most: int,
        wall: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds = seconds
        self._clocks = wall, monotonic
        self._noted: Bounded[Key, Moment] = Bounded(at_most)

    def now(self) -> Moment:
        """Return the time by both clocks."""
        wall, monotonic = self._clocks
        return wall(), monotonic()

    def note(self, key: Key, at: Moment) -> None:
        """Note a key as of a time that `now` has returned."""
        self._noted.keep(key, at)

    def forget(self, key: Key) -> None:
        """Count a key as not recent until it is noted again."""
        self._noted.drop(key)

    def has(self, key: Key) -> bool:
        """Whether the key is recent."""
        noted = self._noted.get(key)
        if noted is None:
            return False
        ages = [now - then for now, then in zip(self.now(), noted, strict=True)]
        return all(0 <= age < self._seconds for age in ages)
