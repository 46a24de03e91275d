"""The server's RTCIceServer dictionaries as aiortc wants them.

Knows how to leave out what aiortc cannot use; never where the dictionaries come from.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from aiortc import RTCConfiguration, RTCIceServer
from aiortc.rtcicetransport import parse_stun_turn_uri


class IceServer(msgspec.Struct, frozen=True):
    """RTCIceServer (W3C WebRTC, section 4.2.2)."""

    urls: str | list[str]
    username: str | None = None
    credential: str | None = None


def configuration(servers: Iterable[Mapping[str, Any]]) -> RTCConfiguration:
    """Return a configuration with the servers that are usable.

    Never without a list: aiortc would ask a public STUN server then.
    """
    return RTCConfiguration(iceServers=[usable for one in servers for usable in _usable(one)])


def _usable(server: Mapping[str, Any]) -> list[RTCIceServer]:
    try:
        found = msgspec.convert(server, IceServer)
    except msgspec.ValidationError:
        return []
    urls = [found.urls] if isinstance(found.urls, str) else found.urls
    # One URL that aiortc cannot read would fail the whole peer connection.
    return [
        RTCIceServer(urls=url, username=found.username, credential=found.credential)
        for url in urls
        if _readable(url)
    ]


def _readable(url: str) -> bool:
    try:
        parse_stun_turn_uri(url)
    except ValueError:
        return False
    return True
