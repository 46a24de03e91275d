"""The robot's WebSockets: the current one, the next one, and the old one that drains."""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Callable, Iterator
from http.client import responses
from typing import Any

import msgspec
from msgspec.structs import replace
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.http11 import Response
from websockets.typing import Subprotocol

from robosignal.network import ABNORMAL, make_tls, proxy
from robosignal.protocol.limits import BEARER_PREFIX, FRAME_BYTES, MESSAGE_BYTES, SUBPROTOCOL
from robosignal.robot.connection.events import (
    Closed,
    FrameReceived,
    Opened,
    Refused,
    SocketEvent,
    Which,
)
from robosignal.robot.frames import Unreadable, read
from robosignal.robot.token import NoToken, TokenSource, request_token

Hear = Callable[[str, int, str | None], None]
"""Is told how a server has answered a handshake: the token, the status, and the header `Date`."""

CLOSE_SECONDS = 2
# A letter takes up to four bytes in UTF-8, so a piece of this many fits a frame.
PIECE_LETTERS = FRAME_BYTES // 4

_log = logging.getLogger(__name__)


def forget_answer(token: str, status: int, date: str | None) -> None:
    """Learn nothing from the answer to a handshake: a person's token is as it is."""


class _WithoutDebug(logging.LoggerAdapter[logging.Logger]):
    """Passes on warnings and worse: at debug level websockets logs the handshake, and its token."""

    def isEnabledFor(self, level: int) -> bool:  # noqa: N802 - the name that logging gave it
        return level >= logging.WARNING and super().isEnabledFor(level)


class WebSocket:
    """Dials at once; `emit` gets its events, in order, until `close`. The last is its end."""

    def __init__(
        self,
        url: str,
        token: TokenSource,
        emit: Callable[[SocketEvent], None],
        hear: Hear = forget_answer,
    ) -> None:
        self.why = "no answer"
        self._url = url
        self._token = token
        self._emit = emit
        self._hear = hear
        self._muted = False
        self._outgoing: asyncio.Queue[str | None] = asyncio.Queue()
        self._socket: ClientConnection | None = None
        self.done = asyncio.create_task(self._run())

    def send(self, frame: dict[str, Any]) -> None:
        """Write a frame after those before it."""
        self._outgoing.put_nowait(msgspec.json.encode(frame).decode())

    def close(self) -> None:
        """Write what waits, then close; no more events are emitted, and `done` ends."""
        self._muted = True
        if self._socket is None:
            self.done.cancel()
        else:
            self._outgoing.put_nowait(None)

    async def _run(self) -> None:
        end = Closed(ABNORMAL)
        try:
            end = Closed(await self._converse())
        except InvalidStatus as refused:
            self.why = f"the server answers {describe_status(refused.response.status_code)}"
            self._emit_unless_muted(Refused(refused.response.status_code))
            return
        except NoToken as none:
            self.why = f"no token: {none}"
        except (OSError, WebSocketException) as failure:
            self.why = describe_failure(failure)
        self._emit_unless_muted(end)

    async def _converse(self) -> int:
        token = await request_token(self._token)
        try:
            return await self._converse_with(token)
        except InvalidStatus as refused:
            self._hear(token, refused.response.status_code, _date(refused.response))
            raise

    async def _converse_with(self, token: str) -> int:
        dial = connect(
            self._url,
            subprotocols=[Subprotocol(SUBPROTOCOL), Subprotocol(BEARER_PREFIX + token)],
            compression=None,
            max_size=MESSAGE_BYTES,
            open_timeout=None,
            close_timeout=CLOSE_SECONDS,
            proxy=proxy(self._url),
            ssl=await make_tls(self._url),
            logger=silence(),
        )
        async with dial as socket:
            self._socket = socket
            if socket.response is not None:
                self._hear(token, socket.response.status_code, _date(socket.response))
            self._emit_unless_muted(Opened())
            writer = asyncio.create_task(self._write(socket))
            try:
                await self._read(socket)
            finally:
                writer.cancel()
        code = socket.close_code or ABNORMAL
        is_broken = code == ABNORMAL
        self.why = (
            "the connection broke" if is_broken else f"the server closed the connection ({code})"
        )
        return code

    async def _read(self, socket: ClientConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for text in socket:
                frame = read(text)
                if isinstance(frame, Unreadable):
                    _log.warning("ignored %s", frame.why)
                else:
                    self._emit_unless_muted(FrameReceived(frame))

    async def _write(self, socket: ClientConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            while (text := await self._outgoing.get()) is not None:
                # API Gateway takes frames of 32 KiB, so a longer message goes in several.
                await socket.send(text if len(text) <= PIECE_LETTERS else _split(text))
            await socket.close()

    def _emit_unless_muted(self, event: SocketEvent) -> None:
        if not self._muted:
            self._emit(event)


class WebSockets:
    """The sockets in use, by their role; `emit` gets the events of each, with that role."""

    def __init__(
        self,
        url: str,
        token: TokenSource,
        emit: Callable[[SocketEvent], None],
        hear: Hear = forget_answer,
    ) -> None:
        self._url = url
        self._token = token
        self._emit = emit
        self._hear = hear
        self._sockets: dict[Which, WebSocket] = {}
        self._closing: set[asyncio.Task[None]] = set()
        self._reasons: dict[Which, str] = {}

    def dial(self, which: Which) -> None:
        """Open a socket, as the current or the next one."""
        socket = WebSocket(
            self._url, self._token, lambda event: self._emit_for(socket, event), self._hear
        )
        self._sockets[which] = socket

    def send(self, which: Which, frame: dict[str, Any]) -> None:
        """Write a frame, if there is such a socket."""
        if which in self._sockets:
            self._sockets[which].send(frame)

    def close(self, which: Which, why: str = "no answer") -> None:
        """Write what waits and close; `why` is then the reason for its end."""
        self._reasons[which] = why
        socket = self._sockets.pop(which, None)
        if socket is not None:
            socket.close()
            # The event loop holds tasks weakly, so one that is not awaited must be held here.
            self._closing.add(socket.done)
            socket.done.add_done_callback(self._closing.discard)

    def swap(self) -> None:
        """Make the current socket the old one, and the next one the current one."""
        self._sockets["old"] = self._sockets.pop(None)
        self.adopt()

    def adopt(self) -> None:
        """Make the next socket the current one."""
        self._sockets[None] = self._sockets.pop("next")

    def why(self, which: Which) -> str:
        """Return why a socket ended, in words for people."""
        if which in self._sockets:
            return self._sockets[which].why
        return self._reasons.get(which, "no answer")

    async def wait_closed(self, seconds: float) -> None:
        """Return when those that are closing are closed, or after `seconds`."""
        if self._closing:
            await asyncio.wait(set(self._closing), timeout=seconds)

    def _emit_for(self, socket: WebSocket, event: SocketEvent) -> None:
        for which, known in self._sockets.items():
            if known is socket:
                self._emit(replace(event, socket=which))
                return


def _date(response: Response) -> str | None:
    dates = response.headers.get_all("Date")
    return dates[0] if dates else None


def _split(text: str) -> Iterator[str]:
    return (text[at : at + PIECE_LETTERS] for at in range(0, len(text), PIECE_LETTERS))


def silence() -> logging.LoggerAdapter[logging.Logger]:
    """Return a logger for the library that leaves out the handshake, and the token in it."""
    return _WithoutDebug(_log)


def describe_status(code: int) -> str:
    """Return an HTTP status in words."""
    # Our words, not the server's: what a stranger writes has no place in the log.
    return f"{code} {responses[code]}" if code in responses else str(code)


def describe_failure(failure: Exception) -> str:
    """Return why a connection could not be opened, or broke, in words for people."""
    # Never the exception's own text: it may quote the URL, and a URL may hold a token.
    if isinstance(failure, ConnectionRefusedError):
        return "no server listens there"
    if isinstance(failure, ssl.SSLCertVerificationError):
        return "its certificate is not trusted"
    if isinstance(failure, OSError):
        return failure.strerror or "the network does not reach it"
    return "no WebSocket server answers there"
