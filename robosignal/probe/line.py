"""One end's conversation over an open WebSocket: asks, tells, and waits for frames.

Knows replies, errors and time; must never know what a robot or a client would say.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from itertools import count
from time import perf_counter
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import ConnectionClosed

from robosignal.network import ABNORMAL
from robosignal.probe.trouble import Ended, Fault, Refusal, Silence

Frame = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Arrived:
    """A frame, and when it came, by `time.perf_counter`."""

    frame: Frame
    at: float


class Line:
    """Reads from its making to `close`."""

    def __init__(self, connection: ClientConnection, seconds: float) -> None:
        """Whatever is waited for must come within `seconds`."""
        self._connection = connection
        self._seconds = seconds
        self._ids = count(1)
        self._kept: list[Arrived] = []
        self._news: asyncio.Queue[Arrived | Ended] = asyncio.Queue()
        self._reader = asyncio.create_task(self._read())

    async def ask(self, awaited: str, **message: Any) -> Arrived:
        """Send a message and return the reply, which must be of the type `awaited`.

        Raise Refusal, Fault, Silence or Ended.
        """
        number = str(next(self._ids))
        await self._send({**message, "id": number})

        def is_reply(frame: Frame) -> bool:
            return frame.get("replyTo") == number or _is_fault(frame)

        arrived = await self.first(is_reply, f"reply to {message['type']}")
        frame = arrived.frame
        if _is_fault(frame):
            raise Fault(str(frame.get("message")), str(frame["requestId"]))
        if frame.get("type") == "error":
            raise Refusal(str(frame.get("code")), str(frame.get("message")), frame.get("requestId"))
        if frame.get("type") != awaited:
            raise Refusal("unexpected", f"a {frame.get('type')} instead of {awaited}", None)
        return arrived

    async def first(self, wanted: Callable[[Frame], bool], awaited: str) -> Arrived:
        """Return the first frame, of those not returned yet, that is wanted.

        Raise Silence or Ended; `awaited` says what for.
        """
        for arrived in self._kept:
            if wanted(arrived.frame):
                self._kept.remove(arrived)
                return arrived
        try:
            async with asyncio.timeout(self._seconds):
                return await self._coming(wanted)
        except TimeoutError:
            raise Silence(awaited, self._seconds) from None

    async def close(self) -> None:
        """Close the connection and stop reading."""
        await self._connection.close()
        await self._reader

    async def _send(self, frame: Frame) -> None:
        # One that is closed already is met again where the answer is awaited.
        with suppress(ConnectionClosed):
            await self._connection.send(msgspec.json.encode(frame).decode())

    async def _coming(self, wanted: Callable[[Frame], bool]) -> Arrived:
        while True:
            news = await self._news.get()
            if isinstance(news, Ended):
                # Whoever waits next is told as well.
                self._news.put_nowait(news)
                raise news
            if wanted(news.frame):
                return news
            self._kept.append(news)

    async def _read(self) -> None:
        with suppress(ConnectionClosed):
            async for text in self._connection:
                with suppress(msgspec.MsgspecError, UnicodeError):
                    frame = msgspec.json.decode(text, type=dict[str, Any])
                    self._news.put_nowait(Arrived(frame, perf_counter()))
        self._news.put_nowait(Ended(self._connection.close_code or ABNORMAL))


def _is_fault(frame: Frame) -> bool:
    # API Gateway's own error frame has no type.
    return "type" not in frame and "requestId" in frame
