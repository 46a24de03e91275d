"""Calling the Lambda handler, inline on the event loop or in threads.

Owns how a call is made and what becomes of one that fails; must never know a socket or what an
event says.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any

from robosignal.gateway.events import Event
from robosignal.gateway.results import (
    Accepted,
    MalformedResult,
    Rejected,
    failure,
    rejected,
    reply,
    verdict,
)

Handle = Callable[[Event], dict[str, Any]]
"""A Lambda handler's shape: event in, result out."""

Prepare = Callable[[Event], Awaitable[None]]
"""Awaited before the handler sees a `$connect` event; keys are fetched there."""

Answer = Callable[[bytes], object]
"""Takes the frame that a message is answered with, if there is one."""

# What the client reads, in API Gateway's words.
BROKEN = "Internal server error"
TIMED_OUT = "Endpoint request timed out"

log = logging.getLogger("robosignal.gateway")


class TimedOut(Exception):
    """The handler is still running when its time is up; its result will be thrown away."""


class Dispatch:
    """Calls one handler.

    Inline, each call ends before the next begins: one of the orders that AWS may choose, and
    the cheapest. In threads, calls overlap, and one that outlasts `timeout_seconds` is answered
    as API Gateway does.
    """

    def __init__(
        self, handle: Handle, *, prepare: Prepare | None, in_threads: bool, timeout_seconds: float
    ) -> None:
        self._handle = handle
        self._prepare = prepare
        self._pool = ThreadPoolExecutor(thread_name_prefix="handler") if in_threads else None
        self._timeout_seconds = timeout_seconds
        self._running: set[asyncio.Task[None]] = set()

    async def connect(self, event: Event) -> Accepted | Rejected:
        """Return the handler's verdict on a handshake: 502 if it failed, 504 if it took long."""
        try:
            if self._prepare is not None:
                await self._prepare(event)
            result = self._handle(event) if self._pool is None else await self._threaded(event)
            return verdict(result)
        except TimedOut:
            return rejected(HTTPStatus.GATEWAY_TIMEOUT, TIMED_OUT)
        except Exception as failed:  # noqa: BLE001 - whatever a handler raises is a 502
            _report(event, failed)
            return rejected(HTTPStatus.BAD_GATEWAY, BROKEN)

    def message(self, event: Event, answer: Answer) -> None:
        """Have a message handled; `answer` gets its reply, now or once the thread is done."""
        if self._pool is not None:
            self._start(self._message_in_thread(event, answer))
            return
        try:
            body = reply(self._handle(event))
        except Exception as failed:  # noqa: BLE001 - whatever a handler raises is one frame
            body = _broken(event, failed)
        if body is not None:
            answer(body.encode())

    def disconnect(self, event: Event) -> None:
        """Have a connection's end handled; nobody is left to be told of a failure."""
        if self._pool is not None:
            self._start(self._disconnect_in_thread(event))
            return
        try:
            self._handle(event)
        except Exception as failed:  # noqa: BLE001 - only the log is left to tell
            _report(event, failed)

    async def drain(self, seconds: float) -> None:
        """Wait for the calls under way, at most this long."""
        if self._running:
            await asyncio.wait(self._running, timeout=seconds)
        for task in self._running:
            task.cancel()
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    async def _message_in_thread(self, event: Event, answer: Answer) -> None:
        try:
            body = reply(await self._threaded(event))
        except TimedOut:
            body = failure(TIMED_OUT, event["requestContext"])
        except Exception as failed:  # noqa: BLE001 - as inline
            body = _broken(event, failed)
        if body is not None:
            answer(body.encode())

    async def _disconnect_in_thread(self, event: Event) -> None:
        try:
            await self._threaded(event)
        except Exception as failed:  # noqa: BLE001 - as inline
            _report(event, failed)

    async def _threaded(self, event: Event) -> dict[str, Any]:
        call = asyncio.get_running_loop().run_in_executor(self._pool, self._handle, event)
        await asyncio.wait((call,), timeout=self._timeout_seconds)
        if not call.done():
            raise TimedOut
        return call.result()

    def _start(self, call: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(call)
        self._running.add(task)
        task.add_done_callback(self._running.discard)


def _broken(event: Event, failed: Exception) -> str:
    _report(event, failed)
    return failure(BROKEN, event["requestContext"])


def _report(event: Event, failed: Exception) -> None:
    context = event["requestContext"]
    ids = {"connectionId": context["connectionId"], "requestId": context["requestId"]}
    # A malformed result has no traceback worth reading: it was returned, not raised.
    trace = None if isinstance(failed, MalformedResult) else failed
    log.error(
        "handler failed on %s: %s", context["routeKey"], _name(failed), exc_info=trace, extra=ids
    )


def _name(failed: Exception) -> str:
    return f"{type(failed).__name__}: {failed}" if isinstance(failed, MalformedResult) else "raised"
