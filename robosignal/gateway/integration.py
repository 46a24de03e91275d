"""The gateway's integration with the Lambda handler: calls it with the events of each connection.

What API Gateway does with a handler that fails, or takes too long, is done here as well.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from secrets import token_bytes
from typing import Any

from robosignal.gateway import events
from robosignal.gateway.connections import ConnectionInfo, OpenConnections
from robosignal.gateway.events import Context, Event
from robosignal.gateway.handshake import Handshake
from robosignal.gateway.results import (
    Accepted,
    MalformedResult,
    Rejected,
    error_frame,
    read_connect_result,
    read_reply,
    reject,
)
from robosignal.protocol.ids import ConnectionId
from robosignal.server.clock import epoch_ms

Handle = Callable[[Event], dict[str, Any]]
"""A Lambda handler's shape: event in, result out."""

Prepare = Callable[[Event], Awaitable[None]]
"""Awaited before the handler sees a `$connect` event; keys are fetched there."""

SendReply = Callable[[bytes], object]
"""Sends the frame that replies to a message, if there is one."""

# What the client is sent, in API Gateway's words.
FAILED = "Internal server error"
TIMED_OUT = "Endpoint request timed out"

log = logging.getLogger("robosignal.gateway")


class TimedOut(Exception):
    """The handler is still running when its time is up; its result will be discarded."""


class Integration:
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
        """Return the handler's answer to a handshake; 502 if it failed, 504 if it took too long."""
        try:
            if self._prepare is not None:
                await self._prepare(event)
            result = (
                self._handle(event) if self._pool is None else await self._call_in_thread(event)
            )
            return read_connect_result(result)
        except TimedOut:
            return reject(HTTPStatus.GATEWAY_TIMEOUT, TIMED_OUT)
        except Exception as failed:  # noqa: BLE001 - any exception of a handler is a 502
            _log_failure(event, failed)
            return reject(HTTPStatus.BAD_GATEWAY, FAILED)

    def message(self, event: Event, send_reply: SendReply) -> None:
        """Let the handler handle a message; `send_reply` gets the reply, in threads later."""
        if self._pool is not None:
            self._start(self._message_in_thread(event, send_reply))
            return
        try:
            body = read_reply(self._handle(event))
        except Exception as failed:  # noqa: BLE001 - any exception of a handler is one frame
            body = _fail(event, failed)
        if body is not None:
            send_reply(body.encode())

    def disconnect(self, event: Event) -> None:
        """Let the handler handle the end of a connection. A failure can only be logged."""
        if self._pool is not None:
            self._start(self._disconnect_in_thread(event))
            return
        try:
            self._handle(event)
        except Exception as failed:  # noqa: BLE001 - it can only be logged
            _log_failure(event, failed)

    async def drain(self, seconds: float) -> None:
        """Wait for the running calls, at most this long."""
        if self._running:
            await asyncio.wait(self._running, timeout=seconds)
        for task in self._running:
            task.cancel()
        if self._pool is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)

    async def _message_in_thread(self, event: Event, send_reply: SendReply) -> None:
        try:
            body = read_reply(await self._call_in_thread(event))
        except TimedOut:
            body = error_frame(TIMED_OUT, event["requestContext"])
        except Exception as failed:  # noqa: BLE001 - as inline
            body = _fail(event, failed)
        if body is not None:
            send_reply(body.encode())

    async def _disconnect_in_thread(self, event: Event) -> None:
        try:
            await self._call_in_thread(event)
        except Exception as failed:  # noqa: BLE001 - as inline
            _log_failure(event, failed)

    async def _call_in_thread(self, event: Event) -> dict[str, Any]:
        call = asyncio.get_running_loop().run_in_executor(self._pool, self._handle, event)
        await asyncio.wait((call,), timeout=self._timeout_seconds)
        if not call.done():
            raise TimedOut
        return call.result()

    def _start(self, call: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(call)
        self._running.add(task)
        task.add_done_callback(self._running.discard)


def _fail(event: Event, failed: Exception) -> str:
    _log_failure(event, failed)
    return error_frame(FAILED, event["requestContext"])


def _log_failure(event: Event, failed: Exception) -> None:
    context = event["requestContext"]
    ids = {"connectionId": context["connectionId"], "requestId": context["requestId"]}
    # A malformed result has no traceback worth reading: it was returned, not raised.
    trace = None if isinstance(failed, MalformedResult) else failed
    log.error(
        "handler failed on %s: %s",
        context["routeKey"],
        _describe(failed),
        exc_info=trace,
        extra=ids,
    )


def _describe(failed: Exception) -> str:
    return f"{type(failed).__name__}: {failed}" if isinstance(failed, MalformedResult) else "raised"


class ConnectionEvents:
    """The events of one connection: its handshake, each of its messages, its end."""

    def __init__(
        self, integration: Integration, open_connections: OpenConnections, stage: str
    ) -> None:
        self.connection_id = ConnectionId(_make_id())
        self._integration = integration
        self._open_connections = open_connections
        self._stage = stage
        self._context: Context = {}
        self._host = ""

    async def connect(self, handshake: Handshake, source_ip: str) -> Accepted | Rejected:
        """Return the handler's answer to a handshake."""
        connected_at = self._open_connections.next_connected_at(epoch_ms())
        self._host = handshake.host
        self._context = events.connection_context(
            self.connection_id,
            connected_at=connected_at,
            source_ip=source_ip,
            user_agent=handshake.user_agent,
            domain=self._host,
            stage=self._stage,
        )
        event = events.connect_event(
            self._context,
            handshake.headers.raw_items(),
            handshake.query,
            now=connected_at,
            request_id=_make_id(),
        )
        return await self._integration.connect(event)

    def message(self, body: str, send_reply: SendReply) -> None:
        """Let the handler handle a message; `send_reply` gets the reply, if there is one."""
        # One system call for both ids: this runs for every message.
        entropy = token_bytes(2 * events.ID_BYTES)
        event = events.message_event(
            self._context,
            body,
            now=epoch_ms(),
            request_id=events.format_id(entropy[: events.ID_BYTES]),
            message_id=events.format_id(entropy[events.ID_BYTES :]),
        )
        self._integration.message(event, send_reply)

    def disconnect(self, code: int, reason: str) -> None:
        """Let the handler handle the connection's end, with its close code and reason."""
        event = events.disconnect_event(
            self._context,
            self._host,
            code=code,
            reason=reason,
            now=epoch_ms(),
            request_id=_make_id(),
        )
        self._integration.disconnect(event)

    def info(self, idle_ms: int) -> ConnectionInfo:
        """Return what the management API tells about the connection, idle for so many ms."""
        identity = self._context["identity"]
        return ConnectionInfo(
            connected_at=self._context["connectedAt"],
            last_active_at=epoch_ms() - idle_ms,
            source_ip=identity["sourceIp"],
            user_agent=identity.get("userAgent"),
        )


def _make_id() -> str:
    return events.format_id(token_bytes(events.ID_BYTES))
