"""Memory with a maximum number of entries, which several threads may use.

A new entry replaces the oldest, so only what can be lost may be kept here.
"""

import time
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

Key = TypeVar("Key")
Value = TypeVar("Value")


class Bounded(Generic[Key, Value]):
    """Keeps at most `at_most` entries, the newest."""

    def __init__(self, at_most: int) -> None:
        self._at_most = at_most
        self._kept: dict[Key, Value] = {}
        self._lock = Lock()

    def get(self, key: Key) -> Value | None:
        """Return the value of this key, or None."""
        return self._kept.get(key)

    def keep(self, key: Key, value: Value) -> None:
        """Set the value of this key; drop the oldest entry if there are too many."""
        with self._lock:
            self._put(key, value)

    def get_or_make(self, key: Key, make: Callable[[], Value]) -> Value:
        """Return the value of this key; if there is none, set and return what `make` returns."""
        with self._lock:
            if key not in self._kept:
                self._put(key, make())
            return self._kept[key]

    def drop(self, key: Key) -> None:
        """Remove this key, if it is there."""
        with self._lock:
            self._kept.pop(key, None)

    def _put(self, key: Key, value: Value) -> None:
        if key not in self._kept and len(self._kept) >= self._at_most:
            del self._kept[next(iter(self._kept))]
        self._kept[key] = value


Moment = tuple[float, float]
"""The times of the wall clock and of the monotonic clock, both in seconds."""


class Recent(Generic[Key]):
    """Remembers which keys were noted less than `seconds` ago.

    A key is recent only if two clocks say so: the wall clock may be set back, and the monotonic
    clock may stop while a Lambda environment is frozen.
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
        """Note a key at a time that `now` returned."""
        self._noted.keep(key, at)

    def forget(self, key: Key) -> None:
        """Forget a key until it is noted again."""
        self._noted.drop(key)

    def has(self, key: Key) -> bool:
        """Say whether the key is recent."""
        noted = self._noted.get(key)
        if noted is None:
            return False
        ages = [now - then for now, then in zip(self.now(), noted, strict=True)]
        return all(0 <= age < self._seconds for age in ages)
