"""Writes to whose a robot is: sharing it, ending a share, giving it to another owner.

Knows the conditions under which each is right; never who is told of it.
"""

from collections.abc import Iterable

from robosignal.protocol.ids import SessionId, UserId
from robosignal.server.core.expressions import (
    All,
    Compare,
    Condition,
    Contains,
    Differs,
    Drop,
    Either,
    Exists,
    Join,
    Missing,
    Part,
    Put,
    Size,
    Update,
    Write,
)
from robosignal.server.core.writes.paths import (
    CONTROLLER,
    HOLDERS_USER,
    NEW_HOLDER,
    OPERATORS,
    OVER,
    OWNER,
    REMEMBER_HOLDER,
    place_of,
)


def share(user: UserId, right: Condition, limit: int) -> Write:
    """Make a user an operator, of so many at most; one who is already stays one."""
    room = Missing(OPERATORS), Size(OPERATORS, "<", limit), Contains(OPERATORS, user)
    when = All((Exists(OWNER), right, Differs(OWNER, user), Either(room)))
    return Write("share", when, (Join(OPERATORS, user),))


def unshare(user: UserId, right: Condition, viewing: Iterable[SessionId] = ()) -> Write:
    """End a share, and the viewer's sessions that were seen.

    Whatever the user has besides, they begin nothing any more: what is left is ended after it.
    """
    return Write("unshare", All((Exists(OWNER), right)), _no_operator(user, viewing))


def unshare_holder(user: UserId, right: Condition, viewing: Iterable[SessionId] = ()) -> Write:
    """End a share with the user who holds: the lease is free."""
    when = All((Exists(OWNER), right, Compare(HOLDERS_USER, "=", user)))
    freed = (REMEMBER_HOLDER, *NEW_HOLDER, Drop(CONTROLLER))
    return Write("unshare_holder", when, (*_no_operator(user, viewing), *freed))


def _no_operator(user: UserId, viewing: Iterable[SessionId]) -> tuple[Update, ...]:
    return (Part(OPERATORS, user), *(Drop(place_of(each)) for each in viewing))


def transfer(user: UserId, right: Condition) -> Write:
    """Give the robot to another owner: presence and every session end, operators stay.

    An owner is no operator besides: whom the robot is shared with can be told from its owner.
    """
    when = All((Exists(OWNER), right, Differs(OWNER, user)))
    return Write("transfer", when, (*OVER, Put(OWNER, user), Part(OPERATORS, user)))
