"""Writes to a robot's viewers: each has a place, bounded in number, renewed by its ping.

Knows the conditions under which each is right; never which one a message calls for.
"""

from collections.abc import Iterable

from signaling.core.expressions import (
    All,
    Compare,
    Condition,
    Differs,
    Drop,
    Exists,
    Missing,
    Put,
    Size,
    Write,
)
from signaling.core.records import Session
from signaling.core.writes.paths import (
    CONNECTION,
    HOLDER,
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

OPENING = frozenset({"take_place", "take_lapsed_place"})
"""The writes that open a viewer's session, by their names."""


def take(viewing: Session, right: Condition, limit: int, seen: Iterable[Session] = ()) -> Write:
    """Open a viewer's session in a free place."""
    place = place_of(viewing.session_id)
    free = Missing(place), Size(VIEWERS, "<", limit)
    when = All((*_may_view(viewing, right, seen), *free))
    return Write("take_place", when, (Put(place, item_of(viewing)),))


def take_lapsed(
    viewing: Session, right: Condition, replaced: SessionId, now: int, seen: Iterable[Session] = ()
) -> Write:
    """Open a viewer's session in the place of one that was not renewed."""
    place = place_of(viewing.session_id)
    over = lapsed(place_of(replaced), now, limits.PLACE_SECONDS)
    # A session that was resumed elsewhere, and lapsed there, bears the id that its first
    # connection opens anew; two paths of one update must not overlap.
    own = replaced == viewing.session_id
    free = () if own else (Missing(place),)
    then = (Put(place, item_of(viewing)), *(() if own else (Drop(place_of(replaced)),)))
    return Write("take_lapsed_place", All((*_may_view(viewing, right, seen), *free, over)), then)


def _may_view(viewing: Session, right: Condition, seen: Iterable[Session]) -> tuple[Condition, ...]:
    # A seed robot cannot know roles, so it takes no viewers; and a holder is no viewer too,
    # nor is a session that its user has resumed elsewhere and holds there.
    knows_roles = Compare(("dialect",), "=", "v1")
    me = viewing.connection_id
    other = Differs(HOLDER, viewing.session_id)
    only = not_held_by(me), other, still_elsewhere(viewing, seen)
    return reachable_but_not(me), right, knows_roles, *only


def renew(session_id: SessionId, me: ConnectionId, until: int) -> Write:
    """Carry out a viewer's ping, unless its socket is lost: then only `resume` helps."""
    when = All((_is_on(session_id, me), Missing(place_of(session_id, "lost"))))
    renewed = (Put(place_of(session_id, "until"), until),)
    return Write("renew_place", when, renewed, renewal=True)


def resume(moved: Session, right: Condition) -> Write:
    """Move a viewer's session to the same user's newer connection."""
    place = place_of(moved.session_id)
    same_user = Compare((*place, "userId"), "=", moved.user_id)
    newer = Compare((*place, "connectedAt"), "<=", moved.connected_at)
    live = not_lost_on(place, moved.connection_id)
    only = live, no_other_place(moved), not_held_by(moved.connection_id)
    return Write("resume_place", All((right, same_user, newer, *only)), moved_to(place, moved))


def lose(session_id: SessionId, gone: ConnectionId, now: int, until: int) -> Write:
    """Shorten the place of a viewer whose socket is lost, once, and note the loss."""
    place = place_of(session_id)
    longer = Missing((*place, "lost")), Compare((*place, "until"), ">", until)
    then = Put((*place, "until"), until), Put((*place, "lost"), now)
    return Write("lose_viewer", All((_is_on(session_id, gone), *longer)), then)


def lose_late(session_id: SessionId, gone: ConnectionId, now: int, until: int) -> Write:
    """Note the loss of a viewer whose place ends sooner: it ends as it did."""
    place = place_of(session_id)
    ends_sooner = Missing((*place, "lost")), Compare((*place, "until"), "<=", until)
    when = All((_is_on(session_id, gone), *ends_sooner))
    return Write("lose_viewer_late", when, (Put((*place, "lost"), now),))


def _is_on(session_id: SessionId, connection: ConnectionId) -> Condition:
    return Compare(place_of(session_id, "connectionId"), "=", connection)


def leave(session_id: SessionId, me: ConnectionId) -> Write:
    """End a viewer's session, by the viewer."""
    return Write("leave_place", _is_on(session_id, me), (Drop(place_of(session_id)),))


def dismiss(session_id: SessionId, robot: ConnectionId) -> Write:
    """End a viewer's session, by the robot."""
    when = All((Exists(place_of(session_id)), Compare(CONNECTION, "=", robot)))
    return Write("dismiss_viewer", when, (Drop(place_of(session_id)),))


def undo(session_id: SessionId, me: ConnectionId, stamp: str) -> Write:
    """End the viewer's session that an unanswered write has opened, unless it was used since."""
    when = All((_is_on(session_id, me), unchanged_since(stamp)))
    return Write("undo_place", when, (Drop(place_of(session_id)),))
