"""ICE servers from a fixed list, and the check of such a list.

A browser refuses a whole RTCPeerConnection for one server that it cannot read. So the list is
checked by the browsers' rules when the server starts.
"""

import re
from collections.abc import Iterable, Mapping
from ipaddress import IPv6Address
from typing import Any

from robosignal.protocol.ids import UserId
from robosignal.server.core.steps import IceServers

TTL_SECONDS = 3600

MOST_PORT = 65_535
USERNAME_BYTES = 508
"""A longer user name fits in no STUN attribute (RFC 8489, section 14.3: fewer than 509 bytes)."""

URL = re.compile(
    r"(?P<scheme>stuns?|turns?):"
    r"(?:\[(?P<ipv6>[0-9A-Fa-f:.]+)\]|[A-Za-z0-9._-]+)"
    r"(?::(?P<port>[0-9]{1,9}))?"
    r"(?P<transport>\?transport=(?:udp|tcp))?"
)
"""RFC 7064 (stun:, stuns:) and RFC 7065 (turn:, turns:)."""


class StaticServers:
    """Implements `robosignal.server.ports.IceSource`: the same servers for everyone."""

    def __init__(self, servers: list[dict[str, Any]]) -> None:
        self._found = IceServers(servers, TTL_SECONDS)

    def servers(self, user: UserId | None, now: int, until: int) -> IceServers:  # noqa: ARG002 - the same for all
        """Return the list, valid for an hour."""
        return self._found


def check_servers(servers: Iterable[Mapping[str, Any]]) -> None:
    """Raise ValueError naming the first RTCIceServer that a browser refuses, and why.

    The rules are those of W3C WebRTC, section 4.4.1.1 (set a configuration), as Chromium and
    Firefox carry them out: `urls` is a URL or a list of at least one, and those of a TURN server
    come with `username` and `credential`.
    """
    for place, server in enumerate(servers, start=1):
        try:
            _check_server(server)
        except ValueError as error:
            raise ValueError(f"entry {place}: {error}") from error


def check_url(url: str) -> None:
    """Raise ValueError saying what keeps a browser from reading this STUN or TURN URL."""
    found = URL.fullmatch(url)
    if found is None:
        raise ValueError(f"{url!r} is not a URL such as stun:HOST:3478 or turn:HOST:3478")
    if found["port"] is not None and not 1 <= int(found["port"]) <= MOST_PORT:
        raise ValueError(f"{url!r} needs a port from 1 to {MOST_PORT}")
    if found["transport"] and found["scheme"].startswith("stun"):
        raise ValueError(f"{url!r} must not name a transport: only turn: and turns: do")
    if found["ipv6"] is not None:
        IPv6Address(found["ipv6"])


def _check_server(server: Mapping[str, Any]) -> None:
    urls = server.get("urls")
    listed = [urls] if isinstance(urls, str) else urls
    if not isinstance(listed, list) or not listed or not all(isinstance(u, str) for u in listed):
        raise ValueError("needs urls, a URL or a list of URLs")
    for url in listed:
        check_url(url)
    for name in ("username", "credential"):
        if not isinstance(server.get(name), str | None):
            raise ValueError(f"its {name} must be a text")  # noqa: TRY004 - as all are here
    if any(url.startswith("turn") for url in listed):
        _check_password(server)
    if server.get("credentialType", "password") != "password":
        raise ValueError("its credentialType must be password, which is the default")


def _check_password(server: Mapping[str, Any]) -> None:
    for name in ("username", "credential"):
        if not server.get(name):
            raise ValueError(
                f"a TURN server needs {name}; one that shares a secret belongs in TURN_URLS"
            )
    if len(server["username"].encode()) > USERNAME_BYTES:
        raise ValueError(f"its username must have at most {USERNAME_BYTES} bytes")
