"""What an `async for` loop over a session reads."""

import asyncio
from collections import deque
from typing import Generic, Self, TypeVar
from weakref import WeakSet

T = TypeVar("T")


class Feed(Generic[T]):
    """An asynchronous iterator over what comes from now on; it ends with the session.

    Of what its reader has not taken yet, the newest `most` are kept.
    """

    def __init__(self, most: int) -> None:
        self._items: deque[T] = deque(maxlen=most)
        self._has_ended = False
        self._changed = asyncio.Event()

    def put(self, item: T) -> None:
        """Add an item."""
        self._items.append(item)
        self._changed.set()

    def end(self) -> None:
        """End the iterator once its reader has taken what is left."""
        self._has_ended = True
        self._changed.set()

    def __aiter__(self) -> Self:
        """Return itself."""
        return self

    async def __anext__(self) -> T:
        """Return the oldest item that was not taken yet; wait for one if there is none."""
        while not self._items:
            if self._has_ended:
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        return self._items.popleft()


class Feeds(Generic[T]):
    """The feeds that are still read; each keeps the newest `most` items."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._feeds: WeakSet[Feed[T]] = WeakSet()
        self._has_ended = False

    def open(self, first: T | None = None) -> Feed[T]:
        """Return a new feed, which begins with `first`, if that is given."""
        feed = Feed[T](self._most)
        if first is not None:
            feed.put(first)
        if self._has_ended:
            feed.end()
        self._feeds.add(feed)
        return feed

    def put(self, item: T) -> None:
        """Add an item to each of them."""
        for feed in list(self._feeds):
            feed.put(item)

    def end(self) -> None:
        """End each of them, and those that are opened later."""
        self._has_ended = True
        for feed in list(self._feeds):
            feed.end()
