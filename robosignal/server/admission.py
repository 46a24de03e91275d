"""Who may connect, and which messages are admitted: tokens, origins and rate limits."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from msgspec import structs

from robosignal.protocol import limits
from robosignal.protocol.device_keys import PublicKey
from robosignal.protocol.errors import (
    BadMessage,
    Forbidden,
    RateLimited,
    SignalingError,
    TokenExpired,
    Unauthorized,
)
from robosignal.protocol.ids import ConnectionId
from robosignal.protocol.messages import AnyMessage, RotateKey
from robosignal.server.core.records import (
    Code,
    Connection,
    Enrolment,
    Robot,
    device_user,
    is_admin_group,
)
from robosignal.server.events import Incoming
from robosignal.server.identity.assertions import (
    check_rotation,
    check_signature,
    is_assertion,
    read_assertion,
)
from robosignal.server.identity.carriers import (
    Credentials,
    OriginRefused,
    find_refused_origin,
    find_token,
)
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
    device_audiences: Callable[[], frozenset[str]]
    """Returns what `aud` of a robot's assertion may be."""

    def admit_connection(self, incoming: Incoming, now: int) -> tuple[Connection, str | None]:
        """Return the item of a new connection, and the subprotocol to accept, if it offers one.

        A user's token needs no call to the store; a robot's assertion needs one read. `now` is in
        epoch ms. Raise Forbidden for the origin, Unauthorized for the token, or TryAgain if the
        issuer's keys cannot be fetched or the store is busy.
        """
        origin = find_refused_origin(incoming.headers, self.origins)
        if origin is not None:
            refused = OriginRefused(origin[:ORIGIN_CHARACTERS])
            raise Forbidden(None, "pages of this origin may not connect") from refused
        carried = find_token(incoming.headers, incoming.query)
        if is_assertion(carried.token):
            return self._admit_robot(incoming, carried, now), carried.subprotocol
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

    def _admit_robot(self, incoming: Incoming, carried: Credentials, now: int) -> Connection:
        """Return the item of a connection that a robot opens with its own key."""
        if carried.is_in_query:
            raise Unauthorized("assertion query")
        unverified = read_assertion(carried.token, self.device_audiences(), now)
        robot_id, enrolment = unverified.assertion.robot_id, unverified.assertion.enrolment
        robot: Robot | None = None
        if enrolment is not None:
            code = self.store.code(enrolment.code_hash)
            counted = None if code is None else code.by_user_id
            key, until = _find_new_key(code, enrolment, now)
        else:
            robot = None if robot_id is None else self.store.robot(robot_id)
            counted = None if robot is None else robot.owner_user_id
            key, until = _find_key(robot, unverified.assertion.kid, now)
        checked = check_signature(unverified, key)
        assertion = structs.replace(checked, counted_user_id=counted)
        if robot is not None and robot.has_used(assertion, incoming.connection_id):
            # So a robot whose clock is behind learns the time from the refusal.
            raise Unauthorized("assertion used")
        return Connection(
            connection_id=incoming.connection_id,
            user_id=device_user(assertion.robot_id),
            assertion=assertion,
            dialect="v1" if carried.subprotocol else "seed",
            ts=incoming.connected_at,
            expires_at=until,
            ttl=incoming.connected_at // 1000 + limits.ROW_SECONDS,
        )

    def find_sender(self, connection_id: ConnectionId) -> Connection:
        """Return the item of a message's sender. Raise Unauthorized if there is none.

        Only this item says who sent a message: it was written when the token was verified, and
        nothing in a message can change it.
        """
        row = self.store.sender(connection_id)
        if row is None:
            raise Unauthorized("unknown connection")
        return row

    def admit_message(
        self, sender: Connection, message: AnyMessage | SignalingError, now: int
    ) -> None:
        """Count the message, and check the proof of a robot's new key.

        Raise TokenExpired, RateLimited if it exceeds a rate limit, or Unauthorized for the proof.
        """
        if sender.expires_at <= now:
            raise TokenExpired
        strike = self.limiter.judge(sender, message, now)
        if strike:
            raise RateLimited(last=strike >= limits.STRIKES)
        if isinstance(message, RotateKey) and sender.assertion is not None:
            robot_id, me = sender.assertion.robot_id, sender.connection_id
            try:
                check_rotation(message.proof, message.public_key, robot_id, me)
            except Unauthorized as error:
                raise BadMessage(
                    "proof", "must be signed by the new key, for this connection"
                ) from error


def _find_new_key(
    code: Code | None, enrolment: Enrolment, now: int
) -> tuple[PublicKey | None, int]:
    """Return the key to let in, and when the connection must end; None without a valid code."""
    is_valid = code is not None and now < code.expires_at
    until = now + limits.ENROLL_SECONDS * 1000
    return (enrolment.public_key if is_valid else None), until


def _find_key(robot: Robot | None, kid: str, now: int) -> tuple[PublicKey | None, int]:
    """Return the key that verifies a robot's assertion, and when its connection must end.

    None for a key that is not enrolled, waits for approval, or has ended.
    """
    latest = now + limits.LIFETIME_SECONDS * 1000
    key = ((robot.keys if robot else None) or {}).get(kid)
    if key is None or key.pending or key.is_over(now):
        return None, latest
    until = latest if key.not_after is None else min(latest, key.not_after)
    return PublicKey("EC", "P-256", key.x, key.y), until


def _choose_groups(groups: Sequence[str]) -> tuple[str, ...]:
    """Return the groups that count: the first `GROUPS`, and any that makes its users admins."""
    later = (group for group in groups[limits.GROUPS :] if is_admin_group(group))
    return (*groups[: limits.GROUPS], *later)
