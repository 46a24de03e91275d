"""Fetches an issuer's key document over HTTP, within three seconds whatever the server does.

Owns addresses, sockets and time limits; must never know what the document says.
"""

import socket
import ssl
import time
from contextlib import suppress
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from ipaddress import ip_address
from threading import Event, Thread
from urllib.parse import urlsplit, urlunsplit

from robosignal.server.ports import KeysUnavailable

DOCUMENT_BYTES = 64 * 1024
BUDGET_SECONDS = 3.0
IDLE_SECONDS = 1.5
ATTEMPTS = 2
"""One retry, at once: what a second attempt does not mend, a later token may."""


def checked_url(url: str) -> str:
    """Return the address; raise ValueError unless it is HTTPS, or HTTP to this machine."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.username is not None or parts.port == 0 or not host:
        raise ValueError(f"JWKS address {url!r}: it needs a host, and no user in it")
    if parts.scheme != "https" and not (parts.scheme == "http" and _is_loopback(host)):
        raise ValueError(f"JWKS address {url!r}: use https, or http to 127.0.0.1 for development")
    return url


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def fetch_document(url: str, budget_s: float = BUDGET_SECONDS) -> bytes:
    """Return the body, at most 64 KiB, that a GET of the address is answered with status 200.

    Raise `KeysUnavailable` for anything else, a redirect included, and after `budget_s`
    seconds at the latest. A connection that fails is tried once more, an answer is final.
    """
    fetch = _Fetch(url, time.monotonic() + budget_s)
    # A thread of its own: no socket option bounds the look-up of a name, or a server that
    # sends one byte a second. Daemon, so that a stuck look-up never keeps a process alive.
    Thread(target=fetch.run, name="jwks-fetch", daemon=True).start()
    fetch.done.wait(budget_s)
    body = fetch.body
    fetch.abandon()
    if body is None:
        raise KeysUnavailable
    return body


class _Fetch:
    """One fetch, run in a thread and waited for in another."""

    def __init__(self, url: str, deadline: float) -> None:
        self.done = Event()
        self.body: bytes | None = None
        self._url = urlsplit(url)
        self._deadline = deadline
        self._socket: socket.socket | None = None

    def run(self) -> None:
        """Ask until there is an answer, twice at most."""
        try:
            for _ in range(ATTEMPTS):
                if self._answered():
                    break
        finally:
            self.done.set()

    def abandon(self) -> None:
        """Wake the thread up if it still waits for the server. Harmless when it does not."""
        self._deadline = float("-inf")
        if self._socket is not None:
            # Past TLS, to the socket itself: the other thread may be inside the TLS object.
            with suppress(OSError):
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def _answered(self) -> bool:
        host, port = self._url.hostname or "", self._url.port
        context = ssl.create_default_context() if self._url.scheme == "https" else None
        connection = (
            HTTPSConnection(host, port, context=context) if context else HTTPConnection(host, port)
        )
        try:
            self._connect(connection, context)
            self._ask(connection)
        except (OSError, HTTPException, ValueError):
            return False
        finally:
            connection.close()
        return True

    def _connect(self, connection: HTTPConnection, context: ssl.SSLContext | None) -> None:
        idle_s = min(IDLE_SECONDS, self._deadline - time.monotonic())
        if idle_s <= 0:
            raise TimeoutError
        link = socket.create_connection((connection.host, connection.port), idle_s)
        if context is not None:
            link = context.wrap_socket(
                link, server_hostname=connection.host, do_handshake_on_connect=False
            )
        # Made known to `abandon`, and only then is the deadline read: whichever thread comes
        # second sees what the first one did.
        connection.sock = self._socket = link
        if self._deadline <= time.monotonic():
            raise TimeoutError
        if isinstance(link, ssl.SSLSocket):
            link.do_handshake()

    def _ask(self, connection: HTTPConnection) -> None:
        target = urlunsplit(("", "", self._url.path or "/", self._url.query, ""))
        connection.request("GET", target, headers={"Accept": "application/json"})
        with connection.getresponse() as response:
            if response.status != HTTPStatus.OK:
                return
            body = response.read(DOCUMENT_BYTES + 1)
            self.body = body if len(body) <= DOCUMENT_BYTES else None
