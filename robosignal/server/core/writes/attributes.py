"""The attributes of a robot's item, and the conditions that several of its writes share.

Two rules of DynamoDB shape them. A path into `viewers` needs that map, and arithmetic needs
its number: registering makes both, so `connectionId` being there guards them. And connections
are compared, never session ids alone: a session moves with `resume`.
"""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import structs

from robosignal.protocol import limits
from robosignal.protocol.ids import ConnectionId, SessionId, robot_of, session_id
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
    Path,
    Put,
    Remove,
    Update,
    Write,
)
from robosignal.server.core.records import OLD_PRESENCE_UNTIL, Session, latest_end

OWNER = ("ownerUserId",)
OPERATORS = ("operators",)
CONNECTION_ID = ("connectionId",)
CONTROLLER = ("controller",)
HOLDER_SESSION_ID = ("controller", "sessionId")
HOLDER_CONNECTION_ID = ("controller", "connectionId")
HOLDER_USER_ID = ("controller", "userId")
HOLDER_UNTIL = ("controller", "until")
HOLDER_LOST = ("controller", "lost")
PRESENCE_UNTIL = ("presenceUntil",)
VIEWERS = ("viewers",)
EPOCH = ("epoch",)
REV = ("rev",)

STAMP = ("stamp",)
"""Which write last changed the item, renewals aside. A store that repeats a write because its
answer was lost recognises its own by it, and so does the write that undoes an unanswered one."""


def put_presence_until(until: int) -> tuple[Update, ...]:
    """Set when presence ends (epoch ms), also under the name that earlier versions read."""
    return Put(PRESENCE_UNTIL, until), Put((OLD_PRESENCE_UNTIL,), until)


NEXT_EPOCH: tuple[Update, ...] = (Increment(EPOCH), Increment(REV))
"""Every change of holder raises both numbers; a change of connection alone raises `rev`."""

COPY_HOLDER = Copy(("prev",), CONTROLLER)


END_ALL: tuple[Update, ...] = (
    *put_presence_until(0),
    COPY_HOLDER,
    Put(VIEWERS, {}),
    # A robot that was enrolled and never registered has neither number.
    Increment(EPOCH, begins=0),
    Increment(REV, begins=0),
    Remove(CONTROLLER),
    Remove(CONNECTION_ID),
)
"""Ends presence and every session."""


def add_stamp(write: Write, stamp: str) -> Write:
    """Return the write with one more update, which leaves its stamp on the item."""
    return structs.replace(write, then=(*write.then, Put(STAMP, stamp)))


def is_unchanged_since(stamp: str) -> Condition:
    """Ask that the write with this stamp was carried out, and none since except renewals."""
    return Compare(STAMP, "=", stamp)


def session_item(session: Session) -> dict[str, Any]:
    """Return a session as it stands in the item."""
    item: dict[str, Any] = msgspec.to_builtins(session)
    return item


def viewer_path(session_id: SessionId, *rest: str) -> Path:
    """Return the path of a viewer's session, or of an attribute of it."""
    return ("viewers", session_id, *rest)


def is_reachable_not(me: ConnectionId) -> Condition:
    """Ask that the robot has a connection and is not the sender: none drives itself."""
    return AllOf((Exists(CONNECTION_ID), Differs(CONNECTION_ID, me)))


def is_not_held_by(me: ConnectionId) -> Condition:
    """Ask that the sender does not hold the lease."""
    return Differs(HOLDER_CONNECTION_ID, me)


def has_lapsed(place: Path, now: int, seconds: int) -> Condition:
    """Ask that a session's time is past, or further ahead than it can be.

    A v1 session lasts `seconds` without renewal; a seed's session, which renews nothing, lasts as
    long as its socket can. A later end was written by a clock that has been set back since.
    """
    until = (*place, "until")
    renews = Compare((*place, "dialect"), "=", "v1")
    ahead = AllOf((renews, Compare(until, ">", latest_end(now, seconds))))
    furthest = Compare(until, ">", latest_end(now, limits.LIFETIME_SECONDS))
    return AnyOf((Compare(until, "<", now), ahead, furthest))


def is_not_lost_on(place: Path, me: ConnectionId) -> Condition:
    """Ask that the session is not on this connection if its socket is lost.

    Messages that a lost socket sent before may arrive late; a lost connection never comes back.
    """
    elsewhere = Differs((*place, "connectionId"), me)
    return AnyOf((Missing((*place, "lost")), elsewhere))


def has_no_other_viewer_session(moved: Session) -> Condition:
    """Ask that the connection has not opened a viewer's session of its own: it has one at most."""
    own = session_id(robot_of(moved.session_id), moved.connection_id)
    if own == moved.session_id:
        return AllOf(())
    return Differs(viewer_path(own, "connectionId"), moved.connection_id)


def are_still_elsewhere(mine: Session, viewers: Iterable[Session]) -> Condition:
    """Ask that none of the user's sessions that were seen has been resumed by this connection."""
    own = (each.session_id for each in viewers if each.user_id == mine.user_id)
    return AllOf(
        tuple(
            Differs(viewer_path(each, "connectionId"), mine.connection_id)
            for each in own
            if each != mine.session_id
        )
    )


def move_session(place: Path, moved: Session) -> tuple[Update, ...]:
    """Give a session the connection, dialect and token's end that it has after a redial."""
    return (
        Put((*place, "connectionId"), moved.connection_id),
        Put((*place, "connectedAt"), moved.connected_at),
        Put((*place, "dialect"), moved.dialect),
        Put((*place, "expiresAt"), moved.expires_at),
        Put((*place, "until"), moved.until),
        Remove((*place, "lost")),
    )
