"""Writes to a robot's control lease: one holder, and an epoch that rises with every other.

Knows the conditions under which each is right; never which one a message calls for.
"""

from collections.abc import Iterable

from signaling.core.expressions import (
    All,
    Compare,
    Condition,
    Drop,
    Either,
    Exists,
    Missing,
    Put,
    Size,
    Update,
    Write,
)
from signaling.core.records import Session
from signaling.core.writes.paths import (
    CONNECTION,
    CONTROLLER,
    EPOCH,
    HOLDER,
    HOLDERS_CONNECTION,
    HOLDERS_USER,
    LOST,
    NEW_HOLDER,
    PRESENCE_UNTIL,
    REMEMBER_HOLDER,
    UNTIL,
    VIEWERS,
    item_of,
    lapsed,
    moved_to,
    no_other_place,
    not_held_by,
    not_lost_on,
    place_of,
    reachable_but_not,
    still_elsewhere,
    unchanged_since,
)
from signaling.wire import limits
from signaling.wire.ids import ConnectionId, SessionId

NO_VIEWERS = Size(VIEWERS, "=", 0)
"""With no viewers at all the sender cannot be one, so no read has to precede the write."""


def _hold(mine: Session) -> tuple[Update, ...]:
    leave_place = Drop(place_of(mine.session_id))
    return (REMEMBER_HOLDER, Put(CONTROLLER, item_of(mine)), *NEW_HOLDER, leave_place)


def _is_free(mine: Session, now: int) -> Condition:
    """Ask that nobody else holds: never held, released, lapsed, or the same user's in grace."""
    in_grace = All((Compare(HOLDERS_USER, "=", mine.user_id), Exists(LOST)))
    over = Either((lapsed(CONTROLLER, now, limits.LEASE_SECONDS), in_grace))
    other = not_held_by(mine.connection_id)
    return Either((Missing(CONTROLLER), All((other, over))))


def _is_viewer(mine: Session) -> Condition:
    viewing = Compare(place_of(mine.session_id, "connectionId"), "=", mine.connection_id)
    return All((Exists(CONNECTION), viewing))


def _is_held(session_id: SessionId, by: ConnectionId) -> Condition:
    return All((Compare(HOLDER, "=", session_id), Compare(HOLDERS_CONNECTION, "=", by)))


def _is_held_on(session_id: SessionId, by: ConnectionId) -> Condition:
    """Ask that this session holds, and its socket is not known to be lost.

    What a lost socket sent before may arrive late, also where its row is remembered still: no
    connection comes back, so it neither ends its grace nor outlasts it.
    """
    return All((_is_held(session_id, by), Missing(LOST)))


def acquire(mine: Session, right: Condition, now: int) -> Write:
    """Take the free lease by a first offer, sight unseen."""
    me = reachable_but_not(mine.connection_id)
    return Write("acquire", All((me, right, NO_VIEWERS, _is_free(mine, now))), _hold(mine))


def acquire_among_viewers(
    mine: Session, right: Condition, now: int, seen: Iterable[Session] = ()
) -> Write:
    """Take the free lease, having seen every session, and that none is the sender's."""
    me = reachable_but_not(mine.connection_id)
    when = All((me, right, _is_free(mine, now), still_elsewhere(mine, seen)))
    return Write("acquire_among_viewers", when, _hold(mine))


def acquire_as_viewer(mine: Session, right: Condition, now: int) -> Write:
    """Take the free lease from one's own viewer session."""
    when = All((_is_viewer(mine), right, _is_free(mine, now)))
    return Write("acquire_as_viewer", when, _hold(mine))


def acquire_again(mine: Session, right: Condition, now: int) -> Write:
    """Take one's own lapsed lease anew, with a new epoch."""
    own = _is_held(mine.session_id, mine.connection_id)
    over = lapsed(CONTROLLER, now, limits.LEASE_SECONDS)
    return Write("acquire_again", All((Exists(CONNECTION), right, own, over)), _hold(mine))


def take_over(mine: Session, right: Condition) -> Write:
    """Move the lease at once, sight unseen.

    Connections are compared, not sessions: a holder who repeats it must not displace themselves.
    """
    me = mine.connection_id
    when = All((reachable_but_not(me), right, NO_VIEWERS, not_held_by(me)))
    return Write("take_over", when, _hold(mine))


def take_over_among_viewers(mine: Session, right: Condition, seen: Iterable[Session] = ()) -> Write:
    """Move the lease, having seen every session, and that none is the sender's."""
    me = mine.connection_id
    when = All((reachable_but_not(me), right, not_held_by(me), still_elsewhere(mine, seen)))
    return Write("take_over_among_viewers", when, _hold(mine))


def take_over_as_viewer(mine: Session, right: Condition) -> Write:
    """Move the lease to one's own viewer session."""
    when = All((_is_viewer(mine), right, not_held_by(mine.connection_id)))
    return Write("take_over_as_viewer", when, _hold(mine))


TAKEOVERS = frozenset({"take_over", "take_over_among_viewers", "take_over_as_viewer"})
"""The writes that move the lease away from somebody, by their names."""


OPENING = frozenset({"acquire", "acquire_among_viewers", "take_over", "take_over_among_viewers"})
"""The writes that open a session as they take the lease, by their names."""


TAKING = TAKEOVERS | {
    "acquire",
    "acquire_among_viewers",
    "acquire_as_viewer",
    "acquire_again",
    "grant",
}
"""The writes that give the lease to somebody, by their names."""


def renew(session_id: SessionId, me: ConnectionId, until: int) -> Write:
    """Carry out a holder's ping, unless its socket is lost: then only `resume` ends the grace."""
    renewed = (Put(UNTIL, until),)
    return Write("renew_lease", _is_held_on(session_id, me), renewed, renewal=True)


def resume(moved: Session, right: Condition) -> Write:
    """Move the holder's session to the same user's newer connection; the epoch stays."""
    same = (Compare(HOLDER, "=", moved.session_id), Compare(HOLDERS_USER, "=", moved.user_id))
    newer = Compare(("controller", "connectedAt"), "<=", moved.connected_at)
    live = not_lost_on(CONTROLLER, moved.connection_id)
    when = All((right, *same, newer, live, no_other_place(moved)))
    return Write("resume_lease", when, moved_to(CONTROLLER, moved))


def lose(session_id: SessionId, gone: ConnectionId, now: int, until: int) -> Write:
    """Begin the grace of a holder whose socket is lost, once: it shortens the lease.

    A second report must change nothing, and so must one for a lease that ends sooner.
    """
    longer = (Missing(LOST), Compare(UNTIL, ">", until))
    when = All((_is_held(session_id, gone), *longer))
    return Write("lose_holder", when, (Put(UNTIL, until), Put(LOST, now)))


def lose_late(session_id: SessionId, gone: ConnectionId, now: int, until: int) -> Write:
    """Note the loss of a holder whose lease ends before the grace would: it ends as it did.

    A late report must not revive a lapsed lease, nor leave it to a late ping to do so.
    """
    ends_sooner = (Missing(LOST), Compare(UNTIL, "<=", until))
    when = All((_is_held(session_id, gone), *ends_sooner))
    return Write("lose_holder_late", when, (Put(LOST, now),))


def grant(mine: Session, theirs: Session, seen: ConnectionId, epoch: int) -> Write:
    """Hand the lease to a viewer; its holder stays as a viewer.

    `mine` and `theirs` are the two sessions as they stand afterwards, `seen` the viewer's
    connection as it was read: a viewer who resumes meanwhile is asked for again.
    """
    place = place_of(theirs.session_id)
    # A seed's lease lasts as long as its place did: one whose socket was lost meanwhile would
    # hold for hours, and a seed is sent nothing by which that could be found out.
    lasting = (Compare((*place, "until"), ">=", theirs.until),)
    when = All(
        (
            _is_held_on(mine.session_id, mine.connection_id),
            Compare(EPOCH, "=", epoch),
            Compare((*place, "connectionId"), "=", seen),
            Missing((*place, "lost")),
            *(lasting if theirs.dialect == "seed" else ()),
        )
    )
    swap = (Put(CONTROLLER, item_of(theirs)), Put(place_of(mine.session_id), item_of(mine)))
    return Write("grant", when, (*swap, *NEW_HOLDER, Drop(place)))


def release(viewing: Session, limit: int) -> Write:
    """Free the lease; its holder stays as a viewer, one over the limit at most.

    Without a bound, whoever takes the lease and releases it again and again would view, each
    from a connection of their own, in any number.
    """
    stay = Put(place_of(viewing.session_id), item_of(viewing))
    held = _is_held_on(viewing.session_id, viewing.connection_id)
    when = All((held, Size(VIEWERS, "<=", limit)))
    return Write("release", when, (stay, *NEW_HOLDER, Drop(CONTROLLER)))


def leave(session_id: SessionId, me: ConnectionId) -> Write:
    """End the holder's session, by the holder."""
    return Write("leave_lease", _is_held(session_id, me), (*NEW_HOLDER, Drop(CONTROLLER)))


def dismiss(session_id: SessionId, robot: ConnectionId) -> Write:
    """End the holder's session, by the robot."""
    when = All((Compare(HOLDER, "=", session_id), Compare(CONNECTION, "=", robot)))
    return Write("dismiss_holder", when, (*NEW_HOLDER, Drop(CONTROLLER)))


def give_back(session_id: SessionId, me: ConnectionId) -> Write:
    """Free a lease that was taken for nothing, unless the session was resumed meanwhile."""
    return Write("give_back", _is_held(session_id, me), (*NEW_HOLDER, Drop(CONTROLLER)))


def give_back_with_robot(session_id: SessionId, me: ConnectionId, gone: ConnectionId) -> Write:
    """Free a lease whose first frame found the robot's socket gone, and end presence."""
    when = All((_is_held(session_id, me), Compare(CONNECTION, "=", gone)))
    then = (*NEW_HOLDER, Put(PRESENCE_UNTIL, 0), Drop(CONTROLLER), Drop(CONNECTION))
    return Write("give_back_with_robot", when, then)


def undo(session_id: SessionId, me: ConnectionId, stamp: str) -> Write:
    """End the holder's session that an unanswered write has opened, unless it was used since."""
    when = All((_is_held(session_id, me), unchanged_since(stamp)))
    return Write("undo_lease", when, (*NEW_HOLDER, Drop(CONTROLLER)))
