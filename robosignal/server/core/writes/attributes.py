"""The attributes of a robot's item, and the conditions and updates that several writes share.

In DynamoDB a path into `viewers` needs that map to exist, and arithmetic needs its number.
Registering creates both, so where a condition requires `connectionId`, they exist. Connections are
compared, never session ids alone, because a session moves to another connection with `resume`.
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
VIEW_ONLY = ("viewOnly",)
OFFERED_OPERATORS = ("offeredOperators",)
OFFERED_VIEW_ONLY = ("offeredViewOnly",)
SHARE_SETS = (OPERATORS, VIEW_ONLY, OFFERED_OPERATORS, OFFERED_VIEW_ONLY)
ENDS = ("ends",)
INVITING = ("inviting",)
SHARES_CHANGED = ("sharesChanged",)
HOLDER_GROUP = ("controller", "group")
HOLDER_RIGHT_UNTIL = ("controller", "rightUntil")
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
"""Each change of holder increments both; a change of the robot's connection only `rev`."""

COPY_HOLDER = Copy(("prev",), CONTROLLER)


END_ALL: tuple[Update, ...] = (
    *put_presence_until(0),
    COPY_HOLDER,
    Put(VIEWERS, {}),
    # An item that exists before its robot has registered has neither number.
    Increment(EPOCH, start=0),
    Increment(REV, start=0),
    Remove(CONTROLLER),
    Remove(CONNECTION_ID),
)
"""Ends presence and every session."""


def add_stamp(write: Write, stamp: str) -> Write:
    """Return the write with one more update, which leaves its stamp on the item."""
    return structs.replace(write, then=(*write.then, Put(STAMP, stamp)))


def has_stamp(stamp: str) -> Condition:
    """Require that the write with this stamp was carried out, and no other since but renewals."""
    return Compare(STAMP, "=", stamp)


def session_item(session: Session) -> dict[str, Any]:
    """Return a session in the form of the item."""
    item: dict[str, Any] = msgspec.to_builtins(session)
    return item


def viewer_path(session_id: SessionId, *rest: str) -> Path:
    """Return the path of a viewer's session, or of an attribute of it."""
    return ("viewers", session_id, *rest)


def is_reachable_not(me: ConnectionId) -> Condition:
    """Require that the robot has a connection, and that it is not the sender's."""
    return AllOf((Exists(CONNECTION_ID), Differs(CONNECTION_ID, me)))


def is_not_held_by(me: ConnectionId) -> Condition:
    """Require that this connection does not hold the lease."""
    return Differs(HOLDER_CONNECTION_ID, me)


def has_lapsed(place: Path, now: int, seconds: int) -> Condition:
    """Require that a session's `until` has passed, or is further ahead than it can be.

    A v1 session lasts `seconds` without renewal. A seed session, which is never renewed, lasts as
    long as its connection can. A later end was written by a clock that has been set back since.
    """
    until = (*place, "until")
    renews = Compare((*place, "dialect"), "=", "v1")
    ahead = AllOf((renews, Compare(until, ">", latest_end(now, seconds))))
    furthest = Compare(until, ">", latest_end(now, limits.LIFETIME_SECONDS))
    return AnyOf((Compare(until, "<", now), ahead, furthest))


def is_not_lost_on(place: Path, me: ConnectionId) -> Condition:
    """Require that this connection is not known as the session's lost one.

    A lost connection never comes back, but messages that it sent before may arrive late.
    """
    elsewhere = Differs((*place, "connectionId"), me)
    return AnyOf((Missing((*place, "lost")), elsewhere))


def has_no_other_viewer_session(moved: Session) -> Condition:
    """Require that the connection has no other viewer session: it may have only one."""
    own = session_id(robot_of(moved.session_id), moved.connection_id)
    if own == moved.session_id:
        return AllOf(())
    return Differs(viewer_path(own, "connectionId"), moved.connection_id)


def are_still_elsewhere(mine: Session, seen: Iterable[Session]) -> Condition:
    """Require that this connection has resumed none of the user's sessions that were `seen`."""
    own = (each.session_id for each in seen if each.user_id == mine.user_id)
    return AllOf(
        tuple(
            Differs(viewer_path(each, "connectionId"), mine.connection_id)
            for each in own
            if each != mine.session_id
        )
    )


def ends_with_right(place: Path, until: int) -> Condition:
    """Require that the right to a session lasts until this time, as far as the session notes."""
    right = (*place, "rightUntil")
    return AnyOf((Missing(right), Compare(right, ">=", until)))


def put_right(place: Path, session: Session) -> tuple[Update, ...]:
    """Note by which share a session's user has the right, and when that ends."""
    group, until = (*place, "group"), (*place, "rightUntil")
    return (
        Remove(group) if session.group is None else Put(group, session.group),
        Remove(until) if session.right_until is None else Put(until, session.right_until),
    )


def move_session(place: Path, moved: Session) -> tuple[Update, ...]:
    """Move a session to the connection that it has after a redial."""
    return (
        Put((*place, "connectionId"), moved.connection_id),
        Put((*place, "connectedAt"), moved.connected_at),
        Put((*place, "dialect"), moved.dialect),
        Put((*place, "expiresAt"), moved.expires_at),
        Put((*place, "until"), moved.until),
        Remove((*place, "lost")),
        *put_right(place, moved),
    )


def write_grace(name: str, *, held: Condition, place: Path, now: int, until: int) -> Write:
    """Return the write that records a session's connection as lost, and ends it by the grace.

    `held` requires that the session at `place` is still on that connection. `now` and `until` are
    epoch ms. A second report must change nothing, nor one for a session that ends before the
    grace would.
    """
    end, lost = (*place, "until"), (*place, "lost")
    when = AllOf((held, Missing(lost), Compare(end, ">", until)))
    return Write(name, when, (Put(end, until), Put(lost, now)))


def write_late_loss(name: str, *, held: Condition, place: Path, now: int, until: int) -> Write:
    """Return the write that records the loss of a session that ends before the grace would.

    Its end stays: a late report must not extend a lapsed session, and must keep a late ping from
    extending it.
    """
    end, lost = (*place, "until"), (*place, "lost")
    when = AllOf((held, Missing(lost), Compare(end, "<=", until)))
    return Write(name, when, (Put(lost, now),))
