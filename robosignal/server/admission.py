"""Who may connect, and which messages are admitted: tokens, origins and rate limits."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from robosignal.protocol import limits
from robosignal.protocol.errors import (
    Forbidden,
    RateLimited,
    SignalingError,
    TokenExpired,
    Unauthorized,
)
from robosignal.protocol.ids import ConnectionId
from robosignal.protocol.messages import AnyMessage
from robosignal.server.core.records import Connection, is_admin_group
from robosignal.server.events import Incoming
from robosignal.server.identity.carriers import OriginRefused, find_refused_origin, find_token
from robosignal.server.identity.tokens import Issuer, verify
from robosignal.server.ports import Limiter, Store

log = logging.getLogger("signaling")

ORIGIN_CHARACTERS = 128
"""How much of a refused origin is logged: enough to copy it into the setting."""


@dataclass(frozen=True, slots=True)
class Admission:
    """Admits connections whose tokens are valid, and messages within the rate limits."""

    store: Store
    limiter: Limiter
    issuers: Sequence[Issuer]
    origins: frozenset[str] | None
    """The origins of pages that may connect; None: any."""

    def admit_connection(self, incoming: Incoming, now: int) -> tuple[Connection, str | None]:
        """Return the row of a new connection, and the subprotocol to accept, if it offers one.

        `now` is in epoch ms. Raise Forbidden for the origin, Unauthorized for the token, or
        TryAgain if the issuer's keys cannot be fetched.
        """
        origin = find_refused_origin(incoming.headers, self.origins)
        if origin is not None:
            refused = OriginRefused(origin[:ORIGIN_CHARACTERS])
            raise Forbidden(None, "pages of this origin may not connect") from refused
        carried = find_token(incoming.headers, incoming.query)
        identity = verify(carried.token, self.issuers, now)
        groups = _choose_groups(identity.groups)
        left_out = len(identity.groups) - len(groups)
        if left_out:
            log.warning("groups left out", extra={"user": identity.user_id, "groups": left_out})
        row = Connection(
            connection_id=incoming.connection_id,
            user_id=identity.user_id,
            name=identity.name,
            groups=groups,
            groups_left_out=left_out,
            dialect="v1" if carried.subprotocol else "seed",
            ts=incoming.connected_at,
            expires_at=identity.expires_at,
            ttl=incoming.connected_at // 1000 + limits.ROW_SECONDS,
        )
        return row, carried.subprotocol

    def find_sender(self, connection_id: ConnectionId) -> Connection:
        """Return the row of a message's sender. Raise Unauthorized if there is none.

        Only this row says who sent a message: it was written when the token was verified, and
        nothing in a message can change it.
        """
        row = self.store.sender(connection_id)
        if row is None:
            raise Unauthorized("unknown connection")
        return row

    def admit_message(
        self, sender: Connection, message: AnyMessage | SignalingError, now: int
    ) -> None:
        """Count the message. Raise TokenExpired, or RateLimited if it exceeds a rate limit."""
        if sender.expires_at <= now:
            raise TokenExpired
        strike = self.limiter.judge(sender, message, now)
        if strike:
            raise RateLimited(last=strike >= limits.STRIKES)


def _choose_groups(groups: Sequence[str]) -> tuple[str, ...]:
    """Return the groups that count: the first `GROUPS`, and any that makes its users admins."""
    later = (group for group in groups[limits.GROUPS :] if is_admin_group(group))
    return (*groups[: limits.GROUPS], *later)
