"""Writes to a robot's presence and ownership: registering, renewing, losing, ending.

Ownership and the epoch outlive every connection; no write here takes them away.
"""

from msgspec import Struct

from robosignal.protocol.ids import ConnectionId, InstanceId
from robosignal.server.core.conditional_writes import (
    AllOf,
    AnyOf,
    Compare,
    Condition,
    Differs,
    Exists,
    Increment,
    Missing,
    Put,
    Remove,
    Update,
    Write,
)
from robosignal.server.core.effects import Effect
from robosignal.server.core.records import Connection
from robosignal.server.core.writes.attributes import (
    CONNECTION_ID,
    CONTROLLER,
    COPY_HOLDER,
    END_ALL,
    EPOCH,
    OWNER,
    REV,
    VIEWERS,
    put_presence_until,
)

INSTANCE = ("instanceId",)


class Claim(Struct, frozen=True, kw_only=True):
    """A robot's claim to its id, as it registers."""

    row: Connection
    instance_id: InstanceId
    metadata: str | None
    ice_restart: bool
    fleet_shard: str
    until: int
    now: int
    force: bool
    """An admin's: whoever the owner is, who stays the owner."""
    provisioned: bool
    """Only an id that has an owner already may be claimed."""


def _is_owned_by(claim: Claim) -> Condition:
    return Exists(OWNER) if claim.force else Compare(OWNER, "=", claim.row.user_id)


def _is_newest(claim: Claim) -> Condition:
    """Ask that no newer socket of this robot has registered: a late message must not win."""
    return AnyOf((Missing(CONNECTION_ID), Compare(("connectedAt",), "<=", claim.row.ts)))


def _claim_updates(claim: Claim) -> tuple[Update, ...]:
    said = () if claim.metadata is None else (Put(("metadata",), claim.metadata),)
    return (
        Put(CONNECTION_ID, claim.row.connection_id),
        Put(("connectedAt",), claim.row.ts),
        *put_presence_until(claim.until),
        Put(("dialect",), claim.row.dialect),
        Put(("expiresAt",), claim.row.expires_at),
        Put(("iceRestart",), claim.ice_restart),
        Put(("updatedAt",), claim.now),
        *said,
    )


def register_redial(claim: Claim) -> Write:
    """Register the same process after a redial: sessions stay."""
    same = Compare(INSTANCE, "=", claim.instance_id)
    when = AllOf((_is_owned_by(claim), same, _is_newest(claim)))
    return Write(
        "register_redial", when, (*_claim_updates(claim), Increment(REV)), effect=Effect.REDIALLED
    )


def register_process(claim: Claim) -> Write:
    """Claim an unknown id, or register a new process: sessions end, the epoch rises."""
    unknown = () if claim.provisioned else (Missing(OWNER),)
    owned = AnyOf((*unknown, _is_owned_by(claim)))
    other = Differs(INSTANCE, claim.instance_id)
    then = (
        *_claim_updates(claim),
        Put(OWNER, claim.row.user_id, once=True),
        Put(("fleetShard",), claim.fleet_shard, once=True),
        Put(INSTANCE, claim.instance_id),
        COPY_HOLDER,
        Put(VIEWERS, {}),
        Increment(EPOCH, begins=0),
        # Whoever watched a robot that was forgotten must take its next life for the newer.
        Increment(REV, begins=claim.now),
        Remove(CONTROLLER),
    )
    return Write(
        "register_process", AllOf((owned, _is_newest(claim), other)), then, effect=Effect.CLAIMED
    )


def renew(me: ConnectionId, until: int) -> Write:
    """Carry out a robot's ping."""
    renewed = put_presence_until(until)
    return Write("renew_presence", Compare(CONNECTION_ID, "=", me), renewed, renewal=True)


def record_loss(gone: ConnectionId) -> Write:
    """End presence when the robot's socket is lost, unless a newer one has registered."""
    then = (*put_presence_until(0), Increment(REV), Remove(CONNECTION_ID))
    return Write("record_robot_loss", Compare(CONNECTION_ID, "=", gone), then, effect=Effect.LOST)


def unregister(me: ConnectionId) -> Write:
    """End presence and every session, by the robot; ownership and the epoch stay."""
    return Write("unregister", Compare(CONNECTION_ID, "=", me), END_ALL, effect=Effect.UNREGISTERED)


def evict(right: Condition) -> Write:
    """End presence and every session, by whoever has the right to."""
    return Write("evict", AllOf((Exists(OWNER), right)), END_ALL, effect=Effect.EVICTED)


def is_unchanged_since(rev: int) -> Condition:
    """Ask that neither the robot's connection nor its holder has changed since."""
    return Compare(REV, "=", rev)
