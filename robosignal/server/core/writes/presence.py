"""Writes to a robot's presence: registering, renewing, recording its loss, and ending it.

Ownership and the epoch outlive every connection: no write here removes them.
"""

from msgspec import Struct

from robosignal.protocol import limits
from robosignal.protocol.ids import ConnectionId, InstanceId
from robosignal.server.core.conditional_writes import (
    AllOf,
    AnyOf,
    Compare,
    Condition,
    Copy,
    Differs,
    Exists,
    Increment,
    Missing,
    Put,
    Remove,
    Size,
    Update,
    Write,
)
from robosignal.server.core.effects import Effect
from robosignal.server.core.records import Assertion, Connection
from robosignal.server.core.writes.attributes import (
    CONNECTION_ID,
    CONTROLLER,
    COPY_HOLDER,
    END_ALL,
    EPOCH,
    OWNER,
    PRESENCE_UNTIL,
    REV,
    VIEWERS,
    put_presence_until,
)
from robosignal.server.core.writes.keys import KID, is_usable, key_path

INSTANCE = ("instanceId",)


class Claim(Struct, frozen=True, kw_only=True):
    """What a robot registers with. Times are in epoch ms."""

    row: Connection
    instance_id: InstanceId
    metadata: str | None
    ice_restart: bool
    fleet_shard: str
    until: int
    now: int
    force: bool
    """Whether an admin registers it regardless of its owner, who stays the owner."""
    same_second: bool = False
    """Whether another assertion of the same second may have registered a connection before."""


KEEP_SEEN = Copy(("seenUntil",), PRESENCE_UNTIL)
"""Keeps when presence would have ended, which tells when it was last renewed. Only writes that
require the robot's connection may, as others could find presence ended already."""

LAST_IAT = ("lastIat",)
ASSERTIONS = ("assertions",)


def _may_register(claim: Claim) -> Condition:
    """Require the right to register this robot: its owner's, an admin's, or its own key."""
    assertion = claim.row.assertion
    if assertion is not None:
        fresh = _is_fresh(assertion, claim.row.connection_id, same_second=claim.same_second)
        return AllOf((Exists(OWNER), is_usable(assertion.kid, claim.now), fresh))
    return Exists(OWNER) if claim.force else Compare(OWNER, "=", claim.row.user_id)


def _is_fresh(assertion: Assertion, me: ConnectionId, *, same_second: bool) -> Condition:
    """Require that the assertion has registered no other connection.

    Assertions of earlier seconds than the newest are refused, so that only those of one second
    have to be kept.
    """
    if not same_second:
        return AnyOf((Missing(LAST_IAT), Compare(LAST_IAT, "<", assertion.iat)))
    used = (*ASSERTIONS, assertion.jti)
    room = AllOf((Missing(used), Size(ASSERTIONS, "<", limits.ASSERTIONS_PER_SECOND)))
    mine = Compare(used, "=", me)
    return AllOf((Compare(LAST_IAT, "=", assertion.iat), AnyOf((mine, room))))


def _key_updates(claim: Claim) -> tuple[Update, ...]:
    """Note the key that registers the connection, and its assertion."""
    assertion = claim.row.assertion
    if assertion is None:
        return (Remove(KID),)
    used = (*ASSERTIONS, assertion.jti)
    me = claim.row.connection_id
    note: tuple[Update, ...] = (
        (Put(used, me),)
        if claim.same_second
        else (Put(LAST_IAT, assertion.iat), Put(ASSERTIONS, {assertion.jti: me}))
    )
    return (
        Put(KID, assertion.kid),
        Put(key_path(assertion.kid, "lastUsedAt"), claim.now),
        *note,
    )


def _is_newest(claim: Claim) -> Condition:
    """Require that no newer connection has registered this robot, as this message may be late."""
    return AnyOf((Missing(CONNECTION_ID), Compare(("connectedAt",), "<=", claim.row.ts)))


def _claim_updates(claim: Claim) -> tuple[Update, ...]:
    metadata = () if claim.metadata is None else (Put(("metadata",), claim.metadata),)
    return (
        Put(CONNECTION_ID, claim.row.connection_id),
        Put(("connectedAt",), claim.row.ts),
        *put_presence_until(claim.until),
        Put(("dialect",), claim.row.dialect),
        Put(("expiresAt",), claim.row.expires_at),
        Put(("iceRestart",), claim.ice_restart),
        Put(("updatedAt",), claim.now),
        *metadata,
        *_key_updates(claim),
    )


def register_redial(claim: Claim) -> Write:
    """Register the same process after a redial; sessions continue."""
    same = Compare(INSTANCE, "=", claim.instance_id)
    when = AllOf((_may_register(claim), same, _is_newest(claim)))
    return Write(
        "register_redial", when, (*_claim_updates(claim), Increment(REV)), effect=Effect.REDIALLED
    )


def register_process(claim: Claim) -> Write:
    """Register an unknown id, or a new process: sessions end, and the epoch increments."""
    right = _may_register(claim)
    if claim.row.assertion is None:
        right = AnyOf((Missing(OWNER), right))
    owner = () if claim.row.assertion else (Put(OWNER, claim.row.user_id, if_missing=True),)
    other = Differs(INSTANCE, claim.instance_id)
    then = (
        *_claim_updates(claim),
        *owner,
        Put(("fleetShard",), claim.fleet_shard, if_missing=True),
        Put(INSTANCE, claim.instance_id),
        COPY_HOLDER,
        Put(VIEWERS, {}),
        Increment(EPOCH, start=0),
        # To a watcher, a robot that was forgotten must be newer when it registers again.
        Increment(REV, start=claim.now),
        Remove(CONTROLLER),
    )
    return Write(
        "register_process", AllOf((right, _is_newest(claim), other)), then, effect=Effect.CLAIMED
    )


def renew(me: ConnectionId, until: int) -> Write:
    """Extend presence."""
    renewed = put_presence_until(until)
    return Write("renew_presence", Compare(CONNECTION_ID, "=", me), renewed, renewal=True)


def record_loss(gone: ConnectionId) -> Write:
    """End presence because the robot's connection is lost, unless a newer one has registered."""
    then = (KEEP_SEEN, *put_presence_until(0), Increment(REV), Remove(CONNECTION_ID))
    return Write("record_robot_loss", Compare(CONNECTION_ID, "=", gone), then, effect=Effect.LOST)


def unregister(me: ConnectionId) -> Write:
    """End presence and every session, by the robot."""
    then = (KEEP_SEEN, *END_ALL)
    return Write("unregister", Compare(CONNECTION_ID, "=", me), then, effect=Effect.UNREGISTERED)


def evict(right: Condition) -> Write:
    """End presence and every session, by someone who may forget the robot."""
    return Write("evict", AllOf((Exists(OWNER), right)), END_ALL, effect=Effect.EVICTED)


def is_unchanged_since(rev: int) -> Condition:
    """Require that neither the robot's connection nor its holder has changed since."""
    return Compare(REV, "=", rev)
