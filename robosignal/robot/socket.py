"""One WebSocket to the server: dials, reads and writes frames, and says when it ends.

Knows how the token travels; never what a frame means, or when to dial again.
"""

import asyncio
import contextlib
import logging
import ssl
from collections.abc import Callable, Iterator
from http.client import responses
from typing import Any

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from robosignal.network import ABNORMAL, proxy
from robosignal.protocol.limits import BEARER_PREFIX, FRAME_BYTES, MESSAGE_BYTES, SUBPROTOCOL
from robosignal.robot.frames import Unreadable, read
from robosignal.robot.signals import Closed, FrameCame, Opened, Refused, SocketEvent
from robosignal.robot.token import NoToken, TokenSource, ask

CLOSE_SECONDS = 2
# A letter takes up to four bytes in UTF-8, so a piece of this many fits a frame.
PIECE_LETTERS = FRAME_BYTES // 4

# At its debug level the library logs the handshake, and the token in it.
QUIET = logging.getLogger("robosignal.robot.socket")
QUIET.setLevel(logging.WARNING)


class Socket:
    """Dials at once; `tell` brings its events, in order, until `close`. The last is its end."""

    def __init__(self, url: str, token: TokenSource, tell: Callable[[SocketEvent], None]) -> None:
        self.why = "no answer"
        self._url = url
        self._token = token
        self._tell = tell
        self._muted = False
        self._outgoing: asyncio.Queue[str | None] = asyncio.Queue()
        self._socket: ClientConnection | None = None
        self.done = asyncio.create_task(self._run())

    def send(self, frame: dict[str, Any]) -> None:
        """Write a frame after those before it."""
        self._outgoing.put_nowait(msgspec.json.encode(frame).decode())

    def close(self) -> None:
        """Write what waits, then close; nothing is told any more, and `done` ends."""
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
            self.why = f"the server answers {_status(refused.response.status_code)}"
            self._told(Refused(refused.response.status_code))
            return
        except NoToken as none:
            self.why = f"no token: {none}"
        except (OSError, WebSocketException) as failure:
            self.why = _reason(failure)
        self._told(end)

    async def _converse(self) -> int:
        token = await ask(self._token)
        dial = connect(
            self._url,
            subprotocols=[Subprotocol(SUBPROTOCOL), Subprotocol(BEARER_PREFIX + token)],
            compression=None,
            max_size=MESSAGE_BYTES,
            open_timeout=None,
            close_timeout=CLOSE_SECONDS,
            proxy=proxy(self._url),
            logger=QUIET,
        )
        async with dial as socket:
            self._socket = socket
            self._told(Opened())
            writer = asyncio.create_task(self._write(socket))
            try:
                await self._read(socket)
            finally:
                writer.cancel()
        code = socket.close_code or ABNORMAL
        # A code of ours alone says that the server has said nothing.
        broke = code == ABNORMAL
        self.why = "the connection broke" if broke else f"the server closed the connection ({code})"
        return code

    async def _read(self, socket: ClientConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            async for text in socket:
                found = read(text)
                if isinstance(found, Unreadable):
                    QUIET.warning("ignored %s", found.why)
                else:
                    self._told(FrameCame(found))

    async def _write(self, socket: ClientConnection) -> None:
        with contextlib.suppress(ConnectionClosed):
            while (text := await self._outgoing.get()) is not None:
                # API Gateway takes frames of 32 KiB, so a longer message goes in several.
                await socket.send(text if len(text) <= PIECE_LETTERS else _pieces(text))
            await socket.close()

    def _told(self, event: SocketEvent) -> None:
        if not self._muted:
            self._tell(event)


def _pieces(text: str) -> Iterator[str]:
    return (text[at : at + PIECE_LETTERS] for at in range(0, len(text), PIECE_LETTERS))


def _status(code: int) -> str:
    # Our words, not the server's: what a stranger writes has no place in the log.
    return f"{code} {responses[code]}" if code in responses else str(code)


def _reason(failure: Exception) -> str:
    # Never the exception's own text: it may quote the URL, and a URL may bear a token.
    if isinstance(failure, ConnectionRefusedError):
        return "nobody listens there"
    if isinstance(failure, ssl.SSLCertVerificationError):
        return "its certificate is not trusted"
    if isinstance(failure, OSError):
        return failure.strerror or "the network does not reach it"
    return "no WebSocket server answers there"
