"""What a gateway's connections may do, and how many of them there may be."""

from dataclasses import dataclass

from robosignal.protocol.limits import IDLE_SECONDS, LIFETIME_SECONDS


@dataclass(frozen=True, slots=True)
class Limits:
    """Times are in seconds. The defaults are API Gateway's where it has such a limit."""

    idle_seconds: float = IDLE_SECONDS
    lifetime_seconds: float = LIFETIME_SECONDS
    handshake_seconds: float = 5
    integration_seconds: float = 29
    closing_seconds: float = 5
    stopping_seconds: float = 3
    connections: int = 1000
    """How many may be open at once."""
    unread_seconds: float = 30
    """How long a client may leave what it was sent unread."""
    unread_bytes: int = 32 * 1024 * 1024
    """How much all such clients together may leave unread; beyond it, the largest is dropped."""
