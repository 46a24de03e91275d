"""What the rules need of the world, in the domain's words.

Adapters keep these promises: DynamoDB and the management API on AWS, memory over SQLite and
in-process delivery in the local gateway. Nothing here says how.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from signaling.wire.ids import ConnectionId, UserId

Jwk = Mapping[str, Any]
"""One RSA public key as a JSON Web Key (RFC 7517)."""


class KeySource(Protocol):
    """The public keys of one token issuer."""

    def key(self, kid: str) -> Jwk | None:
        """Return the key with exactly this id, or None when the issuer has no such key.

        Raise `KeysUnavailable` when the issuer's keys could not be fetched.
        """


class KeysUnavailable(Exception):  # noqa: N818 - it names a state, as an error's code would
    """The issuer's keys could not be fetched, so no token can be judged now."""


class Sender(Protocol):
    """Delivers frames to connections."""

    def post(self, connection: ConnectionId, frame: bytes) -> bool:
        """Hand a frame over for delivery; False when that connection is gone.

        True means handed over, not received. Raise `TryAgain` when it could not be handed over
        for another reason (throttled, out of reach).
        """

    def close(self, connection: ConnectionId) -> None:
        """Close a connection; one that is gone already is no error."""


class IceServers(Protocol):
    """The STUN and TURN servers that a peer connection may use."""

    def servers(self, user: UserId, now: int) -> tuple[Sequence[Mapping[str, Any]], int]:
        """Return RTCIceServer dictionaries for this user, and for how many seconds they serve.

        `now` is in epoch milliseconds.
        """


class Limiter(Protocol):
    """Counts what a connection sends."""

    def strike(self, connection: ConnectionId, now: int) -> int:
        """Count one message at `now` (epoch ms): 0 if within the limits, else which strike it is."""

    def forget(self, connection: ConnectionId) -> None:
        """Drop what is kept of a connection that has ended."""
