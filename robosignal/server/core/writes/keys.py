"""Writes to a robot's keys: letting one in, approving, replacing and ending it.

A path into `keys` needs that map to exist, and it exists once a key was added. It stays, empty,
after the last key has ended: so no code lets a robot in again whose key was ended.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from robosignal.protocol import limits
from robosignal.protocol.ids import ConnectionId, UserId
from robosignal.server.core.conditional_writes import (
    AllOf,
    AnyOf,
    Compare,
    Condition,
    Differs,
    Exists,
    Increment,
    Missing,
    Path,
    Put,
    Remove,
    Size,
    Update,
    Write,
)
from robosignal.server.core.effects import Effect
from robosignal.server.core.records import Key
from robosignal.server.core.writes.attributes import CONNECTION_ID, END_ALL, OWNER, REV

KEYS = ("keys",)
KID = ("kid",)


def key_path(kid: str, *rest: str) -> Path:
    """Return the path of a key, or of an attribute of it."""
    return ("keys", kid, *rest)


def _key_item(key: Key) -> dict[str, Any]:
    item: dict[str, Any] = msgspec.to_builtins(key)
    return item


def is_usable(kid: str, now: int) -> Condition:
    """Require that the robot has this key, that it was approved, and that it has not ended."""
    until = key_path(kid, "notAfter")
    return AllOf(
        (
            Exists(key_path(kid)),
            Missing(key_path(kid, "pending")),
            AnyOf((Missing(until), Compare(until, ">", now))),
        )
    )


def _have_ended(kids: Iterable[str], now: int) -> Condition:
    return AllOf(tuple(Compare(key_path(each, "notAfter"), "<=", now) for each in kids))


def has_no_owner() -> Condition:
    """Require that the id is free."""
    return Missing(OWNER)


def is_owned_by(user: UserId) -> Condition:
    """Require that this user owns the robot."""
    return Compare(OWNER, "=", user)


def enroll_first(kid: str, key: Key, owner: UserId, right: Condition, fleet_shard: str) -> Write:
    """Add a robot's first key; the id gets this owner if it has none."""
    then = (
        Put(KEYS, {kid: _key_item(key)}),
        Put(OWNER, owner, if_missing=True),
        Put(("fleetShard",), fleet_shard, if_missing=True),
        # To a watcher, a robot that was forgotten must be newer when it enrols again.
        Increment(REV, start=key.added_at),
    )
    return Write("enroll_first", AllOf((right, Missing(KEYS))), then, effect=Effect.ENROLLED)


def enroll(kid: str, key: Key, right: Condition, ended: Iterable[str] = ()) -> Write:
    """Add one more key, in place of those that have `ended`."""
    ended = tuple(ended)
    when = AllOf(
        (
            right,
            Exists(OWNER),
            Missing(key_path(kid)),
            Size(KEYS, "<", limits.KEYS + len(ended)),
            _have_ended(ended, key.added_at),
        )
    )
    return Write("enroll", when, _add(kid, key, ended), effect=Effect.ENROLLED)


def _add(kid: str, key: Key, ended: Iterable[str]) -> tuple[Update, ...]:
    removed = (Remove(key_path(each)) for each in ended)
    return (Put(key_path(kid), _key_item(key)), *removed)


def approve(kid: str, right: Condition) -> Write:
    """Let in a key that waits."""
    when = AllOf((Exists(OWNER), right, Exists(key_path(kid, "pending"))))
    return Write("approve_key", when, (Remove(key_path(kid, "pending")),), effect=Effect.APPROVED)


def rotate(me: ConnectionId, old: str, kid: str, key: Key, ended: Iterable[str] = ()) -> Write:
    """Add the key that replaces this connection's, which ends in seven days."""
    ended = tuple(ended)
    when = AllOf(
        (
            Compare(CONNECTION_ID, "=", me),
            Compare(KID, "=", old),
            is_usable(old, key.added_at),
            Missing(key_path(kid)),
            Size(KEYS, "<", limits.KEYS + len(ended)),
            _have_ended(ended, key.added_at),
        )
    )
    last = key.added_at + limits.ROTATED_KEY_SECONDS * 1000
    then = (*_add(kid, key, ended), Put(key_path(old, "notAfter"), last))
    return Write("rotate_key", when, then, effect=Effect.ROTATED)


def revoke(kid: str, right: Condition) -> Write:
    """End a key that has not registered the robot's present connection."""
    when = AllOf((Exists(OWNER), right, Exists(key_path(kid)), Differs(KID, kid)))
    return Write("revoke_key", when, (Remove(key_path(kid)),), effect=Effect.REVOKED)


def revoke_all(right: Condition) -> Write:
    """End every key of a robot whose present connection none of them has registered."""
    when = AllOf((Exists(OWNER), right, Exists(KEYS), Missing(KID)))
    return Write("revoke_all_keys", when, (Put(KEYS, {}),), effect=Effect.REVOKED)


def revoke_all_present(right: Condition) -> Write:
    """End every key of a robot that one of them has registered: presence and sessions end."""
    when = AllOf((Exists(OWNER), right, Exists(KEYS), Exists(KID)))
    then = (*END_ALL, Put(KEYS, {}), Remove(KID))
    return Write("revoke_all_present_keys", when, then, effect=Effect.REVOKED)


def revoke_present(kid: str, right: Condition) -> Write:
    """End the key that has registered the robot's present connection: presence and sessions end."""
    when = AllOf((Exists(OWNER), right, Exists(key_path(kid)), Compare(KID, "=", kid)))
    then = (*END_ALL, Remove(key_path(kid)), Remove(KID))
    return Write("revoke_present_key", when, then, effect=Effect.REVOKED)
