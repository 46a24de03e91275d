"""A dictionary with a maximum number of entries, which several threads may use.

A new entry replaces the oldest, so only what can be lost may be kept here.
"""

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
