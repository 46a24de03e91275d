"""Writes to a robot's control lease: one holder, and an epoch that increments with each change."""

from collections.abc import Iterable

from robosignal.protocol import limits
from robosignal.protocol.ids import ConnectionId, SessionId
from robosignal.server.core.conditional_writes import (
    AllOf,
    AnyOf,
    Compare,
    Condition,
    Exists,
    Missing,
    Put,
    Remove,
    Size,
    Update,
    Write,
)
from robosignal.server.core.effects import Effect
from robosignal.server.core.records import Session
from robosignal.server.core.writes.attributes import (
    CONNECTION_ID,
    CONTROLLER,
    COPY_HOLDER,
    EPOCH,
    HOLDER_CONNECTION_ID,
    HOLDER_LOST,
    HOLDER_SESSION_ID,
    HOLDER_UNTIL,
    HOLDER_USER_ID,
    NEXT_EPOCH,
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
    put_presence_until,
    put_right,
    session_item,
    viewer_path,
    write_grace,
    write_late_loss,
)

NO_VIEWERS = Size(VIEWERS, "=", 0)
"""Without viewers the sender cannot be one, so the write needs no read before it."""


def _make_holder(mine: Session) -> tuple[Update, ...]:
    remove_viewer = Remove(viewer_path(mine.session_id))
    return (COPY_HOLDER, Put(CONTROLLER, session_item(mine)), *NEXT_EPOCH, remove_viewer)


def _is_free(mine: Session, now: int) -> Condition:
    """Require that no other connection holds it, or it has lapsed or is the user's in grace."""
    in_grace = AllOf((Compare(HOLDER_USER_ID, "=", mine.user_id), Exists(HOLDER_LOST)))
    over = AnyOf((has_lapsed(CONTROLLER, now, limits.LEASE_SECONDS), in_grace))
    other = is_not_held_by(mine.connection_id)
    return AnyOf((Missing(CONTROLLER), AllOf((other, over))))


def _is_viewer(mine: Session) -> Condition:
    viewing = Compare(viewer_path(mine.session_id, "connectionId"), "=", mine.connection_id)
    return AllOf((Exists(CONNECTION_ID), viewing))


def _is_held(session_id: SessionId, by: ConnectionId) -> Condition:
    return AllOf(
        (Compare(HOLDER_SESSION_ID, "=", session_id), Compare(HOLDER_CONNECTION_ID, "=", by))
    )


def _is_held_on(session_id: SessionId, by: ConnectionId) -> Condition:
    """Require that this session holds the lease, and that its connection is not known as lost.

    Messages that a lost connection sent before may arrive late. They must not end or extend its
    grace, because the connection itself never comes back.
    """
    return AllOf((_is_held(session_id, by), Missing(HOLDER_LOST)))


def acquire(mine: Session, right: Condition, now: int) -> Write:
    """Take the free lease without having read the item."""
    me = is_reachable_not(mine.connection_id)
    return Write(
        "acquire",
        AllOf((me, right, NO_VIEWERS, _is_free(mine, now))),
        _make_holder(mine),
        effect=Effect.ACQUIRED,
        opens="controller",
    )


def acquire_among_viewers(
    mine: Session, right: Condition, now: int, seen: Iterable[Session] = ()
) -> Write:
    """Take the free lease, given the sessions that were read, none of which is the sender's."""
    me = is_reachable_not(mine.connection_id)
    when = AllOf((me, right, _is_free(mine, now), are_still_elsewhere(mine, seen)))
    then, effect = _make_holder(mine), Effect.ACQUIRED
    return Write("acquire_among_viewers", when, then, effect=effect, opens="controller")


def acquire_as_viewer(mine: Session, right: Condition, now: int) -> Write:
    """Take the free lease for the sender's own viewer session."""
    when = AllOf((_is_viewer(mine), right, _is_free(mine, now)))
    return Write("acquire_as_viewer", when, _make_holder(mine), effect=Effect.ACQUIRED)


def acquire_again(mine: Session, right: Condition, now: int) -> Write:
    """Take the sender's own lapsed lease again, at a new epoch."""
    own = _is_held(mine.session_id, mine.connection_id)
    over = has_lapsed(CONTROLLER, now, limits.LEASE_SECONDS)
    return Write(
        "acquire_again",
        AllOf((Exists(CONNECTION_ID), right, own, over)),
        _make_holder(mine),
        effect=Effect.REACQUIRED,
    )


def take_over(mine: Session, right: Condition) -> Write:
    """Move the lease to the sender without having read the item.

    Connections are compared, so that a holder who repeats a takeover does not displace themselves.
    """
    me = mine.connection_id
    when = AllOf((is_reachable_not(me), right, NO_VIEWERS, is_not_held_by(me)))
    then, effect = _make_holder(mine), Effect.TAKEN_OVER
    return Write("take_over", when, then, effect=effect, opens="controller")


def take_over_among_viewers(mine: Session, right: Condition, seen: Iterable[Session] = ()) -> Write:
    """Move the lease, given the sessions that were read, none of which is the sender's."""
    me = mine.connection_id
    when = AllOf((is_reachable_not(me), right, is_not_held_by(me), are_still_elsewhere(mine, seen)))
    then, effect = _make_holder(mine), Effect.TAKEN_OVER
    return Write("take_over_among_viewers", when, then, effect=effect, opens="controller")


def take_over_as_viewer(mine: Session, right: Condition) -> Write:
    """Move the lease to the sender's own viewer session."""
    when = AllOf((_is_viewer(mine), right, is_not_held_by(mine.connection_id)))
    return Write("take_over_as_viewer", when, _make_holder(mine), effect=Effect.TAKEN_OVER)


def renew(session_id: SessionId, me: ConnectionId, until: int) -> Write:
    """Extend the lease, unless the connection is lost: then only `resume` ends the grace."""
    renewed = (Put(HOLDER_UNTIL, until),)
    when = AllOf((_is_held_on(session_id, me), ends_with_right(CONTROLLER, until)))
    return Write("renew_lease", when, renewed, renewal=True)


def renew_right(mine: Session, right: Condition) -> Write:
    """Extend the lease of a holder whose share ends before a whole renewal would, or did."""
    held = _is_held_on(mine.session_id, mine.connection_id)
    renewed = (Put(HOLDER_UNTIL, mine.until), *put_right(CONTROLLER, mine))
    return Write("renew_lease_right", AllOf((held, right)), renewed)


def resume(moved: Session, right: Condition) -> Write:
    """Move the holder's session to a newer connection of the same user, at the same epoch."""
    same = (
        Compare(HOLDER_SESSION_ID, "=", moved.session_id),
        Compare(HOLDER_USER_ID, "=", moved.user_id),
    )
    newer = Compare(("controller", "connectedAt"), "<=", moved.connected_at)
    live = is_not_lost_on(CONTROLLER, moved.connection_id)
    when = AllOf((right, *same, newer, live, has_no_other_viewer_session(moved)))
    return Write("resume_lease", when, move_session(CONTROLLER, moved))


def begin_grace(session_id: SessionId, gone: ConnectionId, now: int, until: int) -> Write:
    """Record that the holder's connection is lost, once, and shorten the lease to the grace."""
    held = _is_held(session_id, gone)
    return write_grace("begin_holder_grace", held=held, place=CONTROLLER, now=now, until=until)


def record_late_loss(session_id: SessionId, gone: ConnectionId, now: int, until: int) -> Write:
    """Record the loss for a holder whose lease ends before the grace would; its end stays."""
    held = _is_held(session_id, gone)
    return write_late_loss(
        "record_late_holder_loss", held=held, place=CONTROLLER, now=now, until=until
    )


def grant(
    mine: Session, theirs: Session, seen: ConnectionId, epoch: int, right: Condition
) -> Write:
    """Hand the lease to a viewer, who has the `right` to drive; the holder becomes a viewer.

    `mine` and `theirs` are the two sessions as they are afterwards. `seen` is the viewer's
    connection that was read, so that a viewer who resumes in the meantime is read again.
    """
    place = viewer_path(theirs.session_id)
    # A seed's lease lasts as long as its viewer session did. If its connection was lost in the
    # meantime, it would hold for hours, because nothing is posted to it that would show the loss.
    lasting = (Compare((*place, "until"), ">=", theirs.until),)
    when = AllOf(
        (
            _is_held_on(mine.session_id, mine.connection_id),
            Compare(EPOCH, "=", epoch),
            Compare((*place, "connectionId"), "=", seen),
            Missing((*place, "lost")),
            right,
            *(lasting if theirs.dialect == "seed" else ()),
        )
    )
    swap = (
        Put(CONTROLLER, session_item(theirs)),
        Put(viewer_path(mine.session_id), session_item(mine)),
    )
    return Write("grant", when, (*swap, *NEXT_EPOCH, Remove(place)), effect=Effect.GRANTED)


def release(viewing: Session, limit: int) -> Write:
    """Free the lease; the holder becomes a viewer, at most one over the limit.

    Without that limit any number of connections could become viewers, by taking the lease and
    releasing it one after the other.
    """
    stay = Put(viewer_path(viewing.session_id), session_item(viewing))
    held = _is_held_on(viewing.session_id, viewing.connection_id)
    when = AllOf((held, Size(VIEWERS, "<=", limit)))
    return Write("release", when, (stay, *NEXT_EPOCH, Remove(CONTROLLER)), effect=Effect.RELEASED)


def leave(session_id: SessionId, me: ConnectionId) -> Write:
    """End the holder's session, by the holder."""
    return Write(
        "leave_lease",
        _is_held(session_id, me),
        (*NEXT_EPOCH, Remove(CONTROLLER)),
        effect=Effect.LEFT,
    )


def dismiss(session_id: SessionId, robot: ConnectionId) -> Write:
    """End the holder's session, by the robot."""
    when = AllOf((Compare(HOLDER_SESSION_ID, "=", session_id), Compare(CONNECTION_ID, "=", robot)))
    return Write("dismiss_holder", when, (*NEXT_EPOCH, Remove(CONTROLLER)), effect=Effect.DISMISSED)


def roll_back(session_id: SessionId, me: ConnectionId) -> Write:
    """Free a lease whose holder could not be introduced, unless the session was resumed since."""
    return Write(
        "roll_back",
        _is_held(session_id, me),
        (*NEXT_EPOCH, Remove(CONTROLLER)),
        effect=Effect.ROLLED_BACK,
    )


def roll_back_with_robot(session_id: SessionId, me: ConnectionId, gone: ConnectionId) -> Write:
    """Free a lease whose first frame found the robot's connection gone, and end presence."""
    when = AllOf((_is_held(session_id, me), Compare(CONNECTION_ID, "=", gone)))
    then = (*NEXT_EPOCH, *put_presence_until(0), Remove(CONTROLLER), Remove(CONNECTION_ID))
    return Write("roll_back_with_robot", when, then, effect=Effect.ROLLED_BACK)


def undo(session_id: SessionId, me: ConnectionId, stamp: str) -> Write:
    """End the holder's session that an unanswered write opened, unless it was used since."""
    when = AllOf((_is_held(session_id, me), has_stamp(stamp)))
    return Write("undo_lease", when, (*NEXT_EPOCH, Remove(CONTROLLER)), effect=Effect.UNDONE)
