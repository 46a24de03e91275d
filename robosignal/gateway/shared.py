"""What all connections of one gateway share: its limits, its handler, and who they are.

Knows neither a connection's life nor HTTP.
"""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from robosignal.gateway.dispatch import Dispatch
from robosignal.gateway.sockets import Sockets
from robosignal.protocol.limits import IDLE_SECONDS, LIFETIME_SECONDS
from robosignal.server.ports import Pacer

if TYPE_CHECKING:
    from robosignal.gateway.websocket import Connection


@dataclass(frozen=True, slots=True)
class Limits:
    """What a connection may do, in seconds and bytes, and how many there may be."""

    idle_seconds: float = IDLE_SECONDS
    lifetime_seconds: float = LIFETIME_SECONDS
    handshake_seconds: float = 5
    integration_seconds: float = 29
    closing_seconds: float = 5
    stopping_seconds: float = 3
    sockets: int = 1000
    unread_seconds: float = 30
    """How long a client may leave unread what it was sent."""
    unread_bytes: int = 32 * 1024 * 1024
    """What all such clients together may leave unread: beyond it, the largest is dropped."""


@dataclass(frozen=True, slots=True)
class Shared:
    """What all connections of one gateway share."""

    dispatch: Dispatch
    sockets: Sockets
    limits: Limits
    controls: Pacer
    """Counts pings and pongs, which no handler sees."""
    stage: str
    connections: "set[Connection]" = field(default_factory=set)
    unread: "dict[Connection, int]" = field(default_factory=dict)
    """The clients that are not reading now, and how many bytes wait for each."""
