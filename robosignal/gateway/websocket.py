"""One WebSocket between its transport and the handler, with API Gateway's limits.

From the handshake over messages and replies to the close and its one `$disconnect`.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from http import HTTPStatus

from websockets.exceptions import InvalidState
from websockets.frames import CloseCode, Frame
from websockets.http11 import Response
from websockets.protocol import State
from websockets.server import ServerProtocol

from robosignal.gateway.connections import ConnectionInfo, OpenConnections
from robosignal.gateway.frames import Fault, MessageAssembler, read_close
from robosignal.gateway.handshake import Handshake, read_handshake, refusal_response
from robosignal.gateway.integration import ConnectionEvents, Integration
from robosignal.gateway.limits import Limits
from robosignal.gateway.listener import HEAD_END
from robosignal.gateway.results import Accepted, reject
from robosignal.protocol.limits import FRAME_BYTES, MESSAGE_BYTES
from robosignal.server.clock import epoch_ms
from robosignal.server.ports import Pacer

READ_BYTES = 8 * 1024
"""asyncio's own receive buffer has 256 KiB for every read, which costs a third of a relay's CPU."""

UNSENT_BYTES = 512 * 1024
"""A client that leaves this much unread is dropped."""

UNREAD_BYTES = 64 * 1024
"""With this much unread, nothing more is read from a client until it has read most of it."""

MESSAGES_IN_TURN = 8
"""How many messages of one connection are handled before the others have their turn."""

LEFTOVER_BYTES = 512 * 1024
"""A client may still be sending when it is told to close. After this much more it is dropped."""

GOING_AWAY = "Going away"

# The library logs whole request heads at DEBUG, tokens included, so its level is fixed here.
_wire_log = logging.getLogger("robosignal.gateway.wire")
_wire_log.setLevel(logging.ERROR)


REFUSED_SECONDS = 0.5
"""How long a refused client may take to close; after that, it costs no open file."""


@dataclass(frozen=True, slots=True)
class GatewayContext:
    """What all connections of one gateway share."""

    integration: Integration
    open_connections: OpenConnections
    limits: Limits
    control_frames: Pacer
    """Counts pings and pongs, which the handler never sees."""
    stage: str
    connections: "set[Connection]" = field(default_factory=set)
    """All connections, those whose handshake is not over included."""
    unread: "dict[Connection, int]" = field(default_factory=dict)
    """The clients that are not reading now, and how many bytes wait for each."""


def accept(context: GatewayContext, transport: asyncio.Transport, received: bytes) -> None:
    """Take over a transport on which the head of an upgrade request, and maybe more, arrived."""
    head, end, rest = received.partition(HEAD_END)
    connection = Connection(context, transport, rest)
    transport.set_protocol(connection)
    # What the client sends meanwhile waits in the kernel.
    transport.pause_reading()
    context.connections.add(connection)
    connection.begin(head + end)


class Connection(asyncio.BufferedProtocol):
    """The WebSocket protocol of one client, over the library's Sans-I/O implementation."""

    def __init__(self, context: GatewayContext, transport: asyncio.Transport, rest: bytes) -> None:
        self._context = context
        self._transport = transport
        self._rest = rest
        self._loop = asyncio.get_running_loop()
        self._wire = ServerProtocol(max_size=(MESSAGE_BYTES, FRAME_BYTES), logger=_wire_log)
        self._buffer = memoryview(bytearray(READ_BYTES))
        self._messages = MessageAssembler(self._may_ping)
        self._events = ConnectionEvents(
            context.integration, context.open_connections, context.stage
        )
        self._id = self._events.connection_id
        self._opening: asyncio.Task[None] | None = None
        self._admitted = False
        self._leaving = False
        self._leftover = 0
        self._gone = self._loop.create_future()
        self._opened = self._active = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._waiting: deque[Frame] = deque()
        self._unread: asyncio.TimerHandle | None = None
        transport.set_write_buffer_limits(high=UNREAD_BYTES)

    # From the transport.

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 - asyncio's signature
        """Return the buffer for one read; it is emptied before the next."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Take what the client sent."""
        self._receive(bytes(self._buffer[:nbytes]))

    def eof_received(self) -> bool:
        """Let the transport close: a client that half-closes gets no more answers."""
        self._wire.receive_eof()
        self._flush()
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """End the connection, if it has not ended yet."""
        self._context.connections.discard(self)
        self._end()
        self._context.control_frames.forget(self._id)
        self._resume_reading()
        if self._timer is not None:
            self._timer.cancel()
        self._gone.set_result(None)

    def pause_writing(self) -> None:
        """Stop reading from a client that does not read; drop it if that lasts too long."""
        self._transport.pause_reading()
        self._unread = self._loop.call_later(self._context.limits.unread_seconds, self.abort)

    def resume_writing(self) -> None:
        """Continue with the messages that were left waiting."""
        self._resume_reading()
        self._continue()

    # From the gateway.

    def begin(self, head: bytes) -> None:
        """Start the handshake."""
        self._opening = self._loop.create_task(self._handshake(head))

    def post(self, frame: bytes) -> bool:
        """Send a text frame; return False if the connection is closing or was dropped."""
        try:
            self._wire.send_text(frame)
        except InvalidState:
            return False
        self._active = self._loop.time()
        self._flush()
        return not self._transport.is_closing()

    def close(self, code: int, reason: str) -> None:
        """Start the closing handshake, once. From here on the connection is gone for posts."""
        if self._leaving or self._wire.state is not State.OPEN:
            return
        self._leaving = True
        self._context.open_connections.remove(self._id)
        self._wire.send_close(code, reason)
        self._flush()
        self._abort_in(self._context.limits.closing_seconds)

    def shut_down(self) -> None:
        """Close because the gateway stops. A handshake that is not over is aborted."""
        if self._admitted:
            self.close(CloseCode.GOING_AWAY, GOING_AWAY)
        else:
            self._transport.abort()

    def abandon(self) -> None:
        """Abort a connection, or a handshake, that takes longer than the gateway waits."""
        self.abort()
        if self._opening is not None:
            self._opening.cancel()

    def abort(self) -> None:
        """Drop the TCP connection at once."""
        self._context.open_connections.remove(self._id)
        self._context.unread.pop(self, None)
        self._transport.abort()

    async def wait_until_gone(self) -> None:
        """Return once the transport is closed, and the handshake is over if it was aborted."""
        # A caller that gives up cancels the waiting, not what is waited for.
        await asyncio.shield(self._gone)
        if self._opening is not None:
            await asyncio.wait((self._opening,))

    def info(self) -> ConnectionInfo:
        """Return what the management API tells about the connection."""
        return self._events.info(int((self._loop.time() - self._active) * 1000))

    # The handshake.

    async def _handshake(self, head: bytes) -> None:
        request = read_handshake(self._wire, head, f"/{self._context.stage}")
        if isinstance(request, Handshake) and self._is_full():
            request = refusal_response(reject(HTTPStatus.TOO_MANY_REQUESTS))
        if isinstance(request, Response):
            self._refuse(request)
            return
        peer = self._transport.get_extra_info("peername") or ("",)
        answer = await self._events.connect(request, str(peer[0]))
        if not isinstance(answer, Accepted):
            self._refuse(refusal_response(answer))
        elif self._is_full():
            self._refuse_admitted()
        else:
            self._admit(request.response, answer.subprotocol)

    def _is_full(self) -> bool:
        # Connections that `$connect` refuses must not use up the limit.
        return self._context.open_connections.count >= self._context.limits.connections

    def _admit(self, response: Response, subprotocol: str | None) -> None:
        """Send the 101, and only then become reachable, as on AWS."""
        self._admitted = True
        if self._transport.is_closing():
            self._end()
            return
        if subprotocol is not None:
            response.headers["Sec-WebSocket-Protocol"] = subprotocol
        self._wire.send_response(response)
        self._flush()
        self._context.open_connections.add(self._id, self)
        self._opened = self._active = self._loop.time()
        self._close_when_due()
        self._transport.resume_reading()
        rest, self._rest = self._rest, b""
        if rest:
            self._receive(rest)

    def _refuse_admitted(self) -> None:
        """Refuse a connection that `$connect` accepted while others used up the limit."""
        self._admitted = True
        self._end()
        self._refuse(refusal_response(reject(HTTPStatus.TOO_MANY_REQUESTS)))

    def _refuse(self, response: Response) -> None:
        if self._transport.is_closing():
            return
        if self._wire.eof_sent:
            # The library has refused the request with its own text, or without any. Ours is JSON.
            self._wire.data_to_send()
            self._transport.write(response.serialize())
            self._half_close()
        else:
            self._wire.send_response(response)
            self._flush()
        self._transport.resume_reading()

    # Frames.

    def _receive(self, data: bytes) -> None:
        if self._leaving:
            self._leftover += len(data)
            if self._leftover > LEFTOVER_BYTES:
                self.abort()
                return
        wire = self._wire
        wire.receive_data(data)
        self._waiting.extend(event for event in wire.events_received() if isinstance(event, Frame))
        self._handle_waiting()

    def _handle_waiting(self) -> None:
        """Handle the frames that have arrived, as long as the client reads the answers.

        A few at a time: then the other connections have their turn.
        """
        # After its close frame a client sends nothing more, and its `$disconnect` comes last.
        is_open = self._wire.state is State.OPEN
        turn = MESSAGES_IN_TURN if is_open else len(self._waiting)
        while self._waiting and turn and self._unread is None:
            turn -= 1
            frame = self._waiting.popleft()
            if not self._leaving:
                self._handle_frame(frame)
        self._flush()
        if self._waiting and self._unread is None:
            self._transport.pause_reading()
            self._loop.call_soon(self._continue)

    def _continue(self) -> None:
        self._handle_waiting()
        if not self._waiting and self._unread is None:
            self._transport.resume_reading()

    def _handle_frame(self, frame: Frame) -> None:
        message = self._messages.add(frame)
        if isinstance(message, str):
            self._active = self._loop.time()
            self._events.message(message, self.post)
        elif isinstance(message, Fault):
            # RFC 6455, section 7.1.7: what follows is ignored.
            self._leaving = True
            self._wire.fail(message.code, message.reason)

    def _may_ping(self) -> bool:
        return not self._context.control_frames.strike(self._id, epoch_ms())

    # Writing and ending.

    def _flush(self) -> None:
        transport = self._transport
        for data in self._wire.data_to_send():
            # asyncio warns of every write to a connection that is lost.
            if transport.is_closing():
                return
            if data:
                transport.write(data)
            else:
                self._half_close()
        if self._unread is not None:
            self._limit_unread(transport.get_write_buffer_size())

    def _limit_unread(self, unsent: int) -> None:
        """Drop a client with too much unread, or the largest if all together have too much.

        Not the one that stopped first: many large ones would then get an honest slow one dropped.
        """
        unread = self._context.unread
        unread[self] = unsent
        if unsent > UNSENT_BYTES:
            self.abort()
        elif sum(unread.values()) > self._context.limits.unread_bytes:
            max(unread, key=unread.__getitem__).abort()

    def _resume_reading(self) -> None:
        self._context.unread.pop(self, None)
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _half_close(self) -> None:
        """Send no more, but read until the client closes too: a reset could discard the close."""
        if self._transport.can_write_eof():
            # The client may have reset the connection, which only the next read shows.
            with suppress(OSError):
                self._transport.write_eof()
        else:
            # TLS has no half-open connections: this sends its close, and waits for the client's.
            self._transport.close()
        timeout = self._context.limits.closing_seconds
        self._abort_in(timeout if self._admitted else min(timeout, REFUSED_SECONDS))
        self._end()

    def _end(self) -> None:
        """Run `$disconnect`, once, if `$connect` accepted the connection."""
        self._leaving = True
        self._context.open_connections.remove(self._id)
        if not self._admitted:
            return
        self._admitted = False
        self._events.disconnect(*read_close(self._wire))

    # Time.

    def _close_when_due(self) -> None:
        """Close when idle or too old. Pings are no activity, because they may be none on AWS."""
        limits = self._context.limits
        due = min(self._active + limits.idle_seconds, self._opened + limits.lifetime_seconds)
        if self._loop.time() >= due:
            self.close(CloseCode.GOING_AWAY, GOING_AWAY)
        else:
            self._set_timer(due, self._close_when_due)

    def _abort_in(self, seconds: float) -> None:
        self._set_timer(self._loop.time() + seconds, self.abort)

    def _set_timer(self, when: float, then: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(when, then)
