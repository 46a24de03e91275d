"""Fetches an issuer's key document over HTTP, within three seconds whatever the server does."""

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
"""One retry, at once. If that fails too, a later token causes another fetch."""


def check_jwks_url(url: str) -> str:
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
    """Return the body of the response to a GET: status 200, at most 64 KiB.

    Raise `KeysUnavailable` for anything else, including a redirect, and after `budget_s` seconds.
    A connection that fails is tried once more; a response is final.
    """
    fetch = _Fetch(url, time.monotonic() + budget_s)
    # In a thread of its own, because no socket option limits the look-up of a name, or a server
    # that sends one byte a second. A daemon, so that a look-up that hangs keeps no process alive.
    Thread(target=fetch.run, name="jwks-fetch", daemon=True).start()
    fetch.done.wait(budget_s)
    body = fetch.body
    fetch.abandon()
    if body is None:
        raise KeysUnavailable
    return body


class _Fetch:
    """One fetch. One thread runs it, another one waits for it."""

    def __init__(self, url: str, deadline: float) -> None:
        self.done = Event()
        self.body: bytes | None = None
        self._url = urlsplit(url)
        self._deadline = deadline
        self._socket: socket.socket | None = None

    def run(self) -> None:
        """Send the request, twice at most, until there is a response."""
        try:
            for _ in range(ATTEMPTS):
                if self._attempt():
                    break
        finally:
            self.done.set()

    def abandon(self) -> None:
        """Wake up the thread if it still waits for the server."""
        self._deadline = float("-inf")
        if self._socket is not None:
            # On the socket below TLS, because the other thread may be inside the TLS object.
            with suppress(OSError):
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    def _attempt(self) -> bool:
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
        # Set for `abandon` before the deadline is read, so whichever thread comes second sees what
        # the first one did.
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
