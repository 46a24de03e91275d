"""One WebSocket to a deployment: finding it, opening it, requests and replies, pushed frames."""

import asyncio
import logging
import socket
import ssl
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import ip_address
from itertools import count
from time import perf_counter
from typing import Any
from urllib.parse import urlsplit

import msgspec
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import (
    ConnectionClosed,
    InvalidHandshake,
    InvalidStatus,
    WebSocketException,
)
from websockets.typing import Subprotocol

from robosignal.network import ABNORMAL, make_tls, proxy
from robosignal.probe.errors import (
    Closed,
    GatewayFault,
    HandshakeRejected,
    HostNotFound,
    NoSubprotocol,
    ProbeError,
    RequestRefused,
    TimedOut,
    TlsFailed,
    Unreachable,
)
from robosignal.protocol.limits import BEARER_PREFIX, MESSAGE_BYTES, SUBPROTOCOL

CLOSE_SECONDS = 2

# At its debug level the library logs the handshake, and the token in it.
_wire_log = logging.getLogger("robosignal.probe.connection")
_wire_log.setLevel(logging.WARNING)

Frame = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Received:
    """A frame, and when it arrived, by `time.perf_counter`."""

    frame: Frame
    at: float


async def resolve(url: str, timeout_s: float) -> list[str]:
    """Return the addresses of a URL's host, or of the proxy that leads to it.

    Raise HostNotFound or TimedOut.
    """
    host, port = _first_hop(url)
    if host.endswith(".localhost"):
        # RFC 6761, section 6.3: always this machine, and not every resolver knows.
        return ["127.0.0.1"]
    with suppress(ValueError):
        # An address needs no resolver, whose answer could take its time.
        return [str(ip_address(host))]
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(timeout_s):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except TimeoutError:
        raise TimedOut("answer from DNS", timeout_s) from None
    except (OSError, UnicodeError) as error:
        raise HostNotFound(host) from error
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


async def dial(
    url: str,
    token: str,
    addresses: Sequence[str],
    timeout_s: float,
    tls: ssl.SSLContext | None = None,
) -> "Connection":
    """Return an open connection in the dialect v1, to the first address that accepts one.

    `tls` checks the server's certificate; None takes what `make_tls` returns.
    `timeout_s` is for each address, and then for every frame that is awaited. Raise the
    ProbeError that says why there is no connection.
    """
    error: ProbeError = Unreachable("no address")
    for address in addresses:
        try:
            async with asyncio.timeout(timeout_s):
                tls = tls or await make_tls(url)
                opened = await _open(url, token, None if proxy(url) else address, tls)
                return Connection(opened, timeout_s)
        except TimeoutError:
            error = TimedOut("answer to the handshake", timeout_s)
        except ssl.SSLError as failure:
            error = TlsFailed(_reason(failure))
        except InvalidStatus as failure:
            raise HandshakeRejected(failure.response.status_code) from failure
        except (OSError, EOFError) as failure:
            error = Unreachable(_reason(failure))
        except (InvalidHandshake, WebSocketException) as failure:
            raise Unreachable("the server there is no WebSocket server") from failure
    raise error


async def _open(
    url: str, token: str, address: str | None, tls: ssl.SSLContext | None
) -> ClientConnection:
    # Through a proxy there is no address: the proxy resolves the name.
    where: dict[str, Any] = {} if address is None else {"host": address}
    if tls is not None:
        where["ssl"] = tls
    connection = await connect(
        url,
        subprotocols=[Subprotocol(SUBPROTOCOL), Subprotocol(BEARER_PREFIX + token)],
        compression=None,
        max_size=MESSAGE_BYTES,
        open_timeout=None,
        close_timeout=CLOSE_SECONDS,
        ping_interval=None,
        proxy=proxy(url),
        logger=_wire_log,
        **where,
    )
    if connection.subprotocol != SUBPROTOCOL:
        await connection.close()
        raise NoSubprotocol
    return connection


def _first_hop(url: str) -> tuple[str, int]:
    """Return the host and port of the first TCP connection."""
    parts = urlsplit(proxy(url) or url)
    secure = parts.scheme in ("wss", "https")
    return parts.hostname or "", parts.port or (443 if secure else 80)


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message.lower()
    if isinstance(error, ssl.SSLError):
        return (error.reason or "the server speaks no TLS there").replace("_", " ").lower()
    if isinstance(error, ConnectionRefusedError):
        return "nothing listens there"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return "the network broke it off"


class Connection:
    """An open connection. It reads from the moment it is made until `close`."""

    def __init__(self, websocket: ClientConnection, timeout_s: float) -> None:
        """Every frame that is awaited must arrive within `timeout_s` seconds."""
        self._websocket = websocket
        self._timeout_s = timeout_s
        self._ids = count(1)
        self._unmatched: list[Received] = []
        self._incoming: asyncio.Queue[Received | Closed] = asyncio.Queue()
        self._reader = asyncio.create_task(self._read())

    async def send(self, frame: Frame | str) -> None:
        """Send a frame, or its text, without waiting for an answer. Raise Closed."""
        text = frame if isinstance(frame, str) else msgspec.json.encode(frame).decode()
        try:
            await self._websocket.send(text)
        except ConnectionClosed:
            raise self._close_error() from None

    async def request(self, message: Frame, expect: str | None = None) -> Received:
        """Send a message with an id, and return the reply to it.

        `expect` is the type that the reply must have; None accepts every type but `error`.
        Raise RequestRefused, GatewayFault, TimedOut or Closed.
        """
        request_id = str(next(self._ids))
        # If the connection is closed already, that is what waiting for the reply raises.
        with suppress(Closed):
            await self.send({**message, "id": request_id})

        def is_reply(frame: Frame) -> bool:
            return frame.get("replyTo") == request_id or _is_gateway_fault(frame)

        received = await self.receive(is_reply, f"reply to {message['type']}")
        frame = received.frame
        if _is_gateway_fault(frame):
            raise GatewayFault(str(frame.get("message")), str(frame["requestId"]))
        if frame.get("type") == "error":
            code, text = str(frame.get("code")), str(frame.get("message"))
            raise RequestRefused(code, text, frame.get("requestId"))
        if expect is not None and frame.get("type") != expect:
            raise RequestRefused("unexpected", f"a {frame.get('type')} instead of {expect}", None)
        return received

    async def receive(self, matches: Callable[[Frame], bool], description: str) -> Received:
        """Return the oldest frame that matches and was not returned before; wait for one if needed.

        Raise TimedOut, in whose text `description` says what was awaited, or Closed.
        """
        for received in self._unmatched:
            if matches(received.frame):
                self._unmatched.remove(received)
                return received
        try:
            async with asyncio.timeout(self._timeout_s):
                return await self._next(matches)
        except TimeoutError:
            raise TimedOut(description, self._timeout_s) from None

    async def close(self) -> None:
        """Close the connection and stop reading."""
        await self._websocket.close()
        await self._reader

    async def _next(self, matches: Callable[[Frame], bool]) -> Received:
        while True:
            received = await self._incoming.get()
            if isinstance(received, Closed):
                # Put back for the next caller, who must learn it too.
                self._incoming.put_nowait(received)
                raise received
            if matches(received.frame):
                return received
            self._unmatched.append(received)

    async def _read(self) -> None:
        with suppress(ConnectionClosed):
            async for text in self._websocket:
                with suppress(msgspec.MsgspecError, UnicodeError):
                    frame = msgspec.json.decode(text, type=dict[str, Any])
                    self._incoming.put_nowait(Received(frame, perf_counter()))
        self._incoming.put_nowait(self._close_error())

    def _close_error(self) -> Closed:
        return Closed(self._websocket.close_code or ABNORMAL)


def _is_gateway_fault(frame: Frame) -> bool:
    # API Gateway's own error frame has no type.
    return "type" not in frame and "requestId" in frame
