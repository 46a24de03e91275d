"""Writes to a robot's viewer sessions, which are bounded in number and renewed by pings."""

from collections.abc import Iterable

from robosignal.protocol import limits
from robosignal.protocol.ids import ConnectionId, SessionId
from robosignal.server.core.conditional_writes import (
    AllOf,
    Compare,
    Condition,
    Differs,
    Exists,
    Missing,
    Put,
    Remove,
    Size,
    Write,
)
from robosignal.server.core.records import Session
from robosignal.server.core.writes.attributes import (
    CONNECTION_ID,
    HOLDER_SESSION_ID,
    VIEWERS,
    are_still_elsewhere,
    ends_with_right,
    has_lapsed,
    has_no_other_viewer_session,
    has_stamp,
    is_not_held_by,
    is_not_lost_on,
    is_reachable_not,
    move_session,
    put_right,
    session_item,
    viewer_path,
    write_grace,
    write_late_loss,
)


def add(viewing: Session, right: Condition, limit: int, seen: Iterable[Session] = ()) -> Write:
    """Open a viewer session, if there are fewer than the limit."""
    place = viewer_path(viewing.session_id)
    free = Missing(place), Size(VIEWERS, "<", limit)
    when = AllOf((*_may_view(viewing, right, seen), *free))
    return Write("add_viewer", when, (Put(place, session_item(viewing)),), opens="viewer")


def replace_lapsed(
    viewing: Session, right: Condition, replaced: SessionId, now: int, seen: Iterable[Session] = ()
) -> Write:
    """Open a viewer session in place of one that has lapsed."""
    place = viewer_path(viewing.session_id)
    over = has_lapsed(viewer_path(replaced), now, limits.VIEWER_SECONDS)
    # A session that was resumed on another connection, and lapsed there, has the id that its first
    # connection would open again. Two paths of one update must not overlap.
    own = replaced == viewing.session_id
    free = () if own else (Missing(place),)
    then = (Put(place, session_item(viewing)), *(() if own else (Remove(viewer_path(replaced)),)))
    when = AllOf((*_may_view(viewing, right, seen), *free, over))
    return Write("replace_lapsed_viewer", when, then, opens="viewer")


def _may_view(viewing: Session, right: Condition, seen: Iterable[Session]) -> tuple[Condition, ...]:
    # A seed robot knows no roles, so it takes no viewers. The holder cannot be a viewer too, nor
    # can a session whose user has resumed it elsewhere and holds the lease there.
    knows_roles = Compare(("dialect",), "=", "v1")
    me = viewing.connection_id
    other = Differs(HOLDER_SESSION_ID, viewing.session_id)
    only = is_not_held_by(me), other, are_still_elsewhere(viewing, seen)
    return is_reachable_not(me), right, knows_roles, *only


def renew(session_id: SessionId, me: ConnectionId, until: int) -> Write:
    """Extend a viewer session, unless its connection is lost: then only `resume` does."""
    place = viewer_path(session_id)
    live = _is_on(session_id, me), Missing((*place, "lost"))
    renewed = (Put((*place, "until"), until),)
    when = AllOf((*live, ends_with_right(place, until)))
    return Write("renew_viewer", when, renewed, renewal=True)


def renew_right(mine: Session, right: Condition) -> Write:
    """Extend the session of a viewer whose share ends before a whole renewal would, or did."""
    place = viewer_path(mine.session_id)
    live = _is_on(mine.session_id, mine.connection_id), Missing((*place, "lost"))
    renewed = (Put((*place, "until"), mine.until), *put_right(place, mine))
    return Write("renew_viewer_right", AllOf((*live, right)), renewed)


def resume(moved: Session, right: Condition) -> Write:
    """Move a viewer session to a newer connection of the same user."""
    place = viewer_path(moved.session_id)
    same_user = Compare((*place, "userId"), "=", moved.user_id)
    newer = Compare((*place, "connectedAt"), "<=", moved.connected_at)
    live = is_not_lost_on(place, moved.connection_id)
    only = live, has_no_other_viewer_session(moved), is_not_held_by(moved.connection_id)
    return Write(
        "resume_viewer", AllOf((right, same_user, newer, *only)), move_session(place, moved)
    )


def begin_grace(session_id: SessionId, gone: ConnectionId, now: int, until: int) -> Write:
    """Record that the viewer's connection is lost, once, and shorten its session to the grace."""
    held, place = _is_on(session_id, gone), viewer_path(session_id)
    return write_grace("begin_viewer_grace", held=held, place=place, now=now, until=until)


def record_late_loss(session_id: SessionId, gone: ConnectionId, now: int, until: int) -> Write:
    """Record the loss for a viewer whose session ends before the grace would; its end stays."""
    held, place = _is_on(session_id, gone), viewer_path(session_id)
    return write_late_loss("record_late_viewer_loss", held=held, place=place, now=now, until=until)


def _is_on(session_id: SessionId, connection: ConnectionId) -> Condition:
    return Compare(viewer_path(session_id, "connectionId"), "=", connection)


def leave(session_id: SessionId, me: ConnectionId) -> Write:
    """End a viewer session, by the viewer."""
    return Write("leave_viewer", _is_on(session_id, me), (Remove(viewer_path(session_id)),))


def dismiss(session_id: SessionId, robot: ConnectionId) -> Write:
    """End a viewer session, by the robot."""
    when = AllOf((Exists(viewer_path(session_id)), Compare(CONNECTION_ID, "=", robot)))
    return Write("dismiss_viewer", when, (Remove(viewer_path(session_id)),))


def undo(session_id: SessionId, me: ConnectionId, stamp: str) -> Write:
    """End the viewer session that an unanswered write opened, unless it was used since."""
    when = AllOf((_is_on(session_id, me), has_stamp(stamp)))
    return Write("undo_viewer", when, (Remove(viewer_path(session_id)),))
