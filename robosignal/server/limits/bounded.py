"""A dictionary of at most so many entries, safe to use from several threads.

The oldest entry goes for a new one, so what is kept here must be no more than a convenience.
"""

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
