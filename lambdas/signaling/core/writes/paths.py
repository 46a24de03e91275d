"""The attributes of a robot's item, and the conditions that several of its writes share.

Two rules of DynamoDB shape them. A path into `viewers` needs that map, and arithmetic needs
its number: registering makes both, so `connectionId` being there guards them. And connections
are compared, never session ids alone: a session moves with `resume`.
"""

from collections.abc import Iterable
from typing import Any

import msgspec

from signaling.core.expressions import (
    All,
    Compare,
    Condition,
    Differs,
    Drop,
    Either,
    Exists,
    Keep,
    Missing,
    Path,
    Put,
    Rise,
    Update,
    Write,
)
from signaling.core.records import Session, latest
from signaling.wire import limits
from signaling.wire.ids import ConnectionId, SessionId, robot_of, session_id

OWNER = ("ownerUserId",)
OPERATORS = ("operators",)
CONNECTION = ("connectionId",)
CONTROLLER = ("controller",)
HOLDER = ("controller", "sessionId")
HOLDERS_CONNECTION = ("controller", "connectionId")
HOLDERS_USER = ("controller", "userId")
UNTIL = ("controller", "until")
LOST = ("controller", "lost")
PRESENCE_UNTIL = ("leaseUntil",)
VIEWERS = ("viewers",)
EPOCH = ("epoch",)
REV = ("rev",)

STAMP = ("stamp",)
"""Which write last changed the item, renewals aside. A store that repeats a write because its
answer was lost recognises its own by it, and so does the write that undoes an unanswered one."""

NEW_HOLDER: tuple[Update, ...] = (Rise(EPOCH), Rise(REV))
"""Every change of holder raises both numbers; a change of connection alone raises `rev`."""

REMEMBER_HOLDER = Keep(("prev",), CONTROLLER)


OVER: tuple[Update, ...] = (
    Put(PRESENCE_UNTIL, 0),
    REMEMBER_HOLDER,
    Put(VIEWERS, {}),
    # A robot that was enrolled and never registered has neither number.
    Rise(EPOCH, begins=0),
    Rise(REV, begins=0),
    Drop(CONTROLLER),
    Drop(CONNECTION),
)
"""Ends presence and every session."""


def stamped(write: Write, stamp: str) -> Write:
    """Return the write as it also leaves its stamp."""
    return Write(write.name, write.when, (*write.then, Put(STAMP, stamp)))


def unchanged_since(stamp: str) -> Condition:
    """Ask that the write with this stamp was carried out, and none since but renewals."""
    return Compare(STAMP, "=", stamp)


def item_of(session: Session) -> dict[str, Any]:
    """Return a session as it stands in the item."""
    item: dict[str, Any] = msgspec.to_builtins(session)
    return item


def place_of(session_id: SessionId, *rest: str) -> Path:
    """Return the path of a viewer's session, or of an attribute of it."""
    return ("viewers", session_id, *rest)


def reachable_but_not(me: ConnectionId) -> Condition:
    """Ask that the robot has a connection and is not the sender: none drives itself."""
    return All((Exists(CONNECTION), Differs(CONNECTION, me)))


def not_held_by(me: ConnectionId) -> Condition:
    """Ask that the sender does not hold the lease."""
    return Differs(HOLDERS_CONNECTION, me)


def lapsed(place: Path, now: int, seconds: int) -> Condition:
    """Ask that a session's time is past, or further ahead than it can be.

    A v1 session lasts `seconds` without renewal; a seed's session, which renews nothing, lasts as
    long as its socket can. A later end was written by a clock that has been set back since.
    """
    until = (*place, "until")
    renews = Compare((*place, "dialect"), "=", "v1")
    ahead = All((renews, Compare(until, ">", latest(now, seconds))))
    furthest = Compare(until, ">", latest(now, limits.LIFETIME_SECONDS))
    return Either((Compare(until, "<", now), ahead, furthest))


def not_lost_on(place: Path, me: ConnectionId) -> Condition:
    """Ask that the session is not on this connection if its socket is lost.

    Messages that a lost socket sent before may arrive late; a lost connection never comes back.
    """
    elsewhere = Differs((*place, "connectionId"), me)
    return Either((Missing((*place, "lost")), elsewhere))


def no_other_place(moved: Session) -> Condition:
    """Ask that the connection has not opened a viewer's session of its own: it has one at most."""
    own = session_id(robot_of(moved.session_id), moved.connection_id)
    if own == moved.session_id:
        return All(())
    return Differs(place_of(own, "connectionId"), moved.connection_id)


def still_elsewhere(mine: Session, viewers: Iterable[Session]) -> Condition:
    """Ask that none of the user's sessions that were seen has been resumed by this connection."""
    own = (each.session_id for each in viewers if each.user_id == mine.user_id)
    return All(
        tuple(
            Differs(place_of(each, "connectionId"), mine.connection_id)
            for each in own
            if each != mine.session_id
        )
    )


def moved_to(place: Path, moved: Session) -> tuple[Update, ...]:
    """Give a session the connection, dialect and token's end that it has after a redial."""
    return (
        Put((*place, "connectionId"), moved.connection_id),
        Put((*place, "connectedAt"), moved.connected_at),
        Put((*place, "dialect"), moved.dialect),
        Put((*place, "expiresAt"), moved.expires_at),
        Put((*place, "until"), moved.until),
        Drop((*place, "lost")),
    )
