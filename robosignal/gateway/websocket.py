"""One WebSocket between its transport and the handler, with API Gateway's limits.

Owns the life of a connection: handshake, messages, replies, closing, and the one `$disconnect`.
Must never know what messages mean, or HTTP beyond the handshake.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from http import HTTPStatus

from websockets.exceptions import InvalidState
from websockets.frames import CloseCode, Frame
from websockets.http11 import Response
from websockets.protocol import State
from websockets.server import ServerProtocol

from robosignal.gateway.frames import Fault, Messages, ending
from robosignal.gateway.front import HEAD_END
from robosignal.gateway.handshake import Handshake, judge, refusal
from robosignal.gateway.reports import Reports
from robosignal.gateway.results import Accepted, rejected
from robosignal.gateway.shared import Shared
from robosignal.gateway.sockets import Facts
from robosignal.protocol.limits import FRAME_BYTES, MESSAGE_BYTES
from robosignal.server.clock import epoch_ms

READ_BYTES = 8 * 1024
"""asyncio's own receive buffer is 256 KiB for every read, which costs a third of a relay's CPU."""

UNSENT_BYTES = 512 * 1024
"""A client that lets this much pile up does not read: it is dropped."""

UNREAD_BYTES = 64 * 1024
"""With this much unsent, nothing more is taken from a client until it has read most of it."""

MESSAGES_IN_TURN = 8
"""How many messages of one connection are taken before the others get their turn."""

LEFTOVER_BYTES = 512 * 1024
"""A client that has been told to go may still have been sending. Past this much it is dropped."""

GOING_AWAY = "Going away"

# The library logs whole request heads at DEBUG, tokens included, so its level is fixed here.
_wire_log = logging.getLogger("robosignal.gateway.wire")
_wire_log.setLevel(logging.ERROR)


REFUSED_SECONDS = 0.5
"""How long a client that was refused may take to close: strangers keep no file open for longer."""


def welcome(shared: Shared, transport: asyncio.Transport, received: bytes) -> None:
    """Take over a transport on which the head of an upgrade request, and maybe more, arrived."""
    head, end, rest = received.partition(HEAD_END)
    connection = Connection(shared, transport, rest)
    transport.set_protocol(connection)
    # What the client sends meanwhile waits in the kernel, where it costs nothing.
    transport.pause_reading()
    shared.connections.add(connection)
    connection.begin(head + end)


class Connection(asyncio.BufferedProtocol):
    """The WebSocket protocol of one client, over the library's Sans-I/O implementation."""

    def __init__(self, shared: Shared, transport: asyncio.Transport, rest: bytes) -> None:
        self._shared = shared
        self._transport = transport
        self._rest = rest
        self._loop = asyncio.get_running_loop()
        self._wire = ServerProtocol(max_size=(MESSAGE_BYTES, FRAME_BYTES), logger=_wire_log)
        self._buffer = memoryview(bytearray(READ_BYTES))
        self._messages = Messages(self._may_ping)
        self._reports = Reports(shared)
        self._id = self._reports.connection_id
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
        """Let the transport close: a client that half-closes is answered no more."""
        self._wire.receive_eof()
        self._flush()
        return False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        """End the connection, if it has not ended yet."""
        self._shared.connections.discard(self)
        self._end()
        self._shared.controls.forget(self._id)
        self._read_again()
        if self._timer is not None:
            self._timer.cancel()
        self._gone.set_result(None)

    def pause_writing(self) -> None:
        """Read nothing more from a client that does not read; drop it if that goes on."""
        self._transport.pause_reading()
        self._unread = self._loop.call_later(self._shared.limits.unread_seconds, self.abort)

    def resume_writing(self) -> None:
        """Go on where the client was left waiting."""
        self._read_again()
        self._go_on()

    # From the gateway.

    def begin(self, head: bytes) -> None:
        """Start the handshake."""
        self._opening = self._loop.create_task(self._handshake(head))

    def post(self, frame: bytes) -> bool:
        """Send a text frame; False when the connection is closing or the client does not read."""
        try:
            self._wire.send_text(frame)
        except InvalidState:
            return False
        self._active = self._loop.time()
        self._flush()
        return not self._transport.is_closing()

    def close(self, code: int, reason: str) -> None:
        """Begin the closing handshake, once; the connection is gone for posts from here on."""
        if self._leaving or self._wire.state is not State.OPEN:
            return
        self._leaving = True
        self._shared.sockets.remove(self._id)
        self._wire.send_close(code, reason)
        self._flush()
        self._abort_in(self._shared.limits.closing_seconds)

    def shut(self) -> None:
        """Close because the gateway stops; a handshake under way is cut off."""
        if self._admitted:
            self.close(CloseCode.GOING_AWAY, GOING_AWAY)
        else:
            self._transport.abort()

    def abandon(self) -> None:
        """Give up on a client, or on a handshake, that takes longer than the gateway waits."""
        self.abort()
        if self._opening is not None:
            self._opening.cancel()

    def abort(self) -> None:
        """Drop the TCP connection at once."""
        self._shared.sockets.remove(self._id)
        self._shared.unread.pop(self, None)
        self._transport.abort()

    async def gone(self) -> None:
        """Return once the transport is closed and the handshake, if one was cut off, is over."""
        # Whoever loses patience here cancels the waiting, not what is waited for.
        await asyncio.shield(self._gone)
        if self._opening is not None:
            await asyncio.wait((self._opening,))

    def facts(self) -> Facts:
        """Return what the management API tells of the connection."""
        return self._reports.facts(int((self._loop.time() - self._active) * 1000))

    # The handshake.

    async def _handshake(self, head: bytes) -> None:
        judged = judge(self._wire, head, f"/{self._shared.stage}")
        if isinstance(judged, Handshake) and self._is_full():
            judged = refusal(rejected(HTTPStatus.TOO_MANY_REQUESTS))
        if isinstance(judged, Response):
            self._refuse(judged)
            return
        peer = self._transport.get_extra_info("peername") or ("",)
        verdict = await self._reports.connect(judged, str(peer[0]))
        if not isinstance(verdict, Accepted):
            self._refuse(refusal(verdict))
        elif self._is_full():
            self._turn_away()
        else:
            self._admit(judged.response, verdict.subprotocol)

    def _is_full(self) -> bool:
        # Strangers whom `$connect` refuses must not take the places of those it lets in.
        return self._shared.sockets.count >= self._shared.limits.sockets

    def _admit(self, response: Response, subprotocol: str | None) -> None:
        """Send the 101 and only then be reachable, as on AWS."""
        self._admitted = True
        if self._transport.is_closing():
            self._end()
            return
        if subprotocol is not None:
            response.headers["Sec-WebSocket-Protocol"] = subprotocol
        self._wire.send_response(response)
        self._flush()
        self._shared.sockets.add(self._id, self)
        self._opened = self._active = self._loop.time()
        self._watch()
        self._transport.resume_reading()
        rest, self._rest = self._rest, b""
        if rest:
            self._receive(rest)

    def _turn_away(self) -> None:
        """Refuse whom `$connect` let in, for others took the last places while it ran."""
        self._admitted = True
        self._end()
        self._refuse(refusal(rejected(HTTPStatus.TOO_MANY_REQUESTS)))

    def _refuse(self, response: Response) -> None:
        if self._transport.is_closing():
            return
        if self._wire.eof_sent:
            # The library gave the request up, in its own words or in none. Ours are JSON.
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
        self._take_waiting()

    def _take_waiting(self) -> None:
        """Take what has arrived, as long as the client reads what that is answered with.

        A few at a time: then the others have their turn.
        """
        # A client that has sent its close frame sends nothing more; its end is reported last.
        is_open = self._wire.state is State.OPEN
        turn = MESSAGES_IN_TURN if is_open else len(self._waiting)
        while self._waiting and turn and self._unread is None:
            turn -= 1
            frame = self._waiting.popleft()
            if not self._leaving:
                self._take(frame)
        self._flush()
        if self._waiting and self._unread is None:
            self._transport.pause_reading()
            self._loop.call_soon(self._go_on)

    def _go_on(self) -> None:
        self._take_waiting()
        if not self._waiting and self._unread is None:
            self._transport.resume_reading()

    def _take(self, frame: Frame) -> None:
        message = self._messages.take(frame)
        if isinstance(message, str):
            self._active = self._loop.time()
            self._reports.message(message, self.post)
        elif isinstance(message, Fault):
            # RFC 6455, section 7.1.7: what follows is not looked at.
            self._leaving = True
            self._wire.fail(message.code, message.reason)

    def _may_ping(self) -> bool:
        return not self._shared.controls.strike(self._id, epoch_ms())

    # Writing and ending.

    def _flush(self) -> None:
        transport = self._transport
        for data in self._wire.data_to_send():
            # asyncio would warn of every write to a connection that is lost.
            if transport.is_closing():
                return
            if data:
                transport.write(data)
            else:
                self._half_close()
        if self._unread is not None:
            self._weigh(transport.get_write_buffer_size())

    def _weigh(self, unsent: int) -> None:
        """Drop a client with too much unread, or the largest of all who have too much together.

        Not the one that stopped first: many large ones would then have an honest slow one dropped.
        """
        unread = self._shared.unread
        unread[self] = unsent
        if unsent > UNSENT_BYTES:
            self.abort()
        elif sum(unread.values()) > self._shared.limits.unread_bytes:
            max(unread, key=unread.__getitem__).abort()

    def _read_again(self) -> None:
        self._shared.unread.pop(self, None)
        if self._unread is not None:
            self._unread.cancel()
            self._unread = None

    def _half_close(self) -> None:
        """Say no more, but read until the client has closed too: a reset could eat the close."""
        if self._transport.can_write_eof():
            # The client may have reset the connection, which only the next read will tell.
            with suppress(OSError):
                self._transport.write_eof()
        patience = self._shared.limits.closing_seconds
        self._abort_in(patience if self._admitted else min(patience, REFUSED_SECONDS))
        self._end()

    def _end(self) -> None:
        """Run `$disconnect` if `$connect` let the client in, once."""
        self._leaving = True
        self._shared.sockets.remove(self._id)
        if not self._admitted:
            return
        self._admitted = False
        self._reports.disconnect(*ending(self._wire))

    # Time.

    def _watch(self) -> None:
        """Close once idle or old; pings are no activity, for on AWS they may not be."""
        limits = self._shared.limits
        due = min(self._active + limits.idle_seconds, self._opened + limits.lifetime_seconds)
        if self._loop.time() >= due:
            self.close(CloseCode.GOING_AWAY, GOING_AWAY)
        else:
            self._set_timer(due, self._watch)

    def _abort_in(self, seconds: float) -> None:
        self._set_timer(self._loop.time() + seconds, self.abort)

    def _set_timer(self, when: float, then: Callable[[], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._loop.call_at(when, then)
