"""Finds a deployment and opens WebSockets to it.

Knows names, addresses, TLS and the handshake; must never know what is said afterwards.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidHandshake, InvalidStatus, WebSocketException
from websockets.typing import Subprotocol

from robosignal.network import proxy
from robosignal.probe.trouble import (
    NoDialect,
    Rejected,
    Silence,
    Trouble,
    Unreachable,
    Unresolved,
    Untrusted,
)
from robosignal.protocol.limits import BEARER_PREFIX, MESSAGE_BYTES, SUBPROTOCOL

CLOSE_SECONDS = 2

# At its debug level the library logs the handshake, and the token in it.
QUIET = logging.getLogger("robosignal.probe.dial")
QUIET.setLevel(logging.WARNING)


async def resolve(url: str, seconds: float) -> list[str]:
    """Return the addresses of a URL's host, or of the proxy that leads to it.

    Raise Unresolved or Silence.
    """
    host, port = _next_host(url)
    if host.endswith(".localhost"):
        # RFC 6761, section 6.3: always this machine, and not every resolver knows.
        return ["127.0.0.1"]
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(seconds):
            found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except TimeoutError:
        raise Silence("answer from DNS", seconds) from None
    except (OSError, UnicodeError) as error:
        raise Unresolved(host) from error
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


async def dial(url: str, token: str, addresses: Sequence[str], seconds: float) -> ClientConnection:
    """Return an open connection of the dialect v1 to the first address that takes one.

    Raise the Trouble that kept it from opening.
    """
    trouble: Trouble = Unreachable("no address")
    for address in addresses:
        try:
            async with asyncio.timeout(seconds):
                return await _opened(url, token, None if proxy(url) else address)
        except TimeoutError:
            trouble = Silence("answer to the handshake", seconds)
        except ssl.SSLError as error:
            trouble = Untrusted(_reason(error))
        except InvalidStatus as error:
            raise Rejected(error.response.status_code) from error
        except (OSError, EOFError) as error:
            trouble = Unreachable(_reason(error))
        except (InvalidHandshake, WebSocketException) as error:
            raise Unreachable("what answers there speaks no WebSocket") from error
    raise trouble


async def _opened(url: str, token: str, address: str | None) -> ClientConnection:
    # Without one, the name is the proxy's to resolve.
    where: dict[str, Any] = {} if address is None else {"host": address}
    connection = await connect(
        url,
        subprotocols=[Subprotocol(SUBPROTOCOL), Subprotocol(BEARER_PREFIX + token)],
        compression=None,
        max_size=MESSAGE_BYTES,
        open_timeout=None,
        close_timeout=CLOSE_SECONDS,
        ping_interval=None,
        proxy=proxy(url),
        logger=QUIET,
        **where,
    )
    if connection.subprotocol != SUBPROTOCOL:
        await connection.close()
        raise NoDialect
    return connection


def _next_host(url: str) -> tuple[str, int]:
    """Return the host to which the first TCP connection goes."""
    parts = urlsplit(proxy(url) or url)
    secure = parts.scheme in ("wss", "https")
    return parts.hostname or "", parts.port or (443 if secure else 80)


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message.lower()
    if isinstance(error, ssl.SSLError):
        return (error.reason or "the server speaks no TLS there").replace("_", " ").lower()
    if isinstance(error, ConnectionRefusedError):
        return "nobody listens there"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror.lower()
    return "the network broke it off"
