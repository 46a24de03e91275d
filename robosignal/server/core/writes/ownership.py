"""Writes to who may drive a robot: sharing it, ending a share, giving it to another owner."""

from collections.abc import Iterable

from robosignal.protocol.ids import SessionId, UserId
from robosignal.server.core.conditional_writes import (
    AddToSet,
    AllOf,
    AnyOf,
    Compare,
    Condition,
    Contains,
    Differs,
    Exists,
    Missing,
    Put,
    Remove,
    RemoveFromSet,
    Size,
    Update,
    Write,
)
from robosignal.server.core.effects import Effect
from robosignal.server.core.writes.attributes import (
    CONTROLLER,
    COPY_HOLDER,
    END_ALL,
    HOLDER_USER_ID,
    NEXT_EPOCH,
    OPERATORS,
    OWNER,
    viewer_path,
)


def share(user: UserId, right: Condition, limit: int) -> Write:
    """Make a user an operator, if there are fewer than the limit or the user is one already."""
    room = Missing(OPERATORS), Size(OPERATORS, "<", limit), Contains(OPERATORS, user)
    when = AllOf((Exists(OWNER), right, Differs(OWNER, user), AnyOf(room)))
    return Write("share", when, (AddToSet(OPERATORS, user),), effect=Effect.SHARED)


def unshare(user: UserId, right: Condition, viewing: Iterable[SessionId] = ()) -> Write:
    """End a share, and the user's viewer sessions that were read.

    The user can open no session after this write, so a later write ends what is left.
    """
    return Write(
        "unshare",
        AllOf((Exists(OWNER), right)),
        _no_operator(user, viewing),
        effect=Effect.UNSHARED,
    )


def unshare_holder(user: UserId, right: Condition, viewing: Iterable[SessionId] = ()) -> Write:
    """End a share with the holder: free the lease too."""
    when = AllOf((Exists(OWNER), right, Compare(HOLDER_USER_ID, "=", user)))
    freed = (COPY_HOLDER, *NEXT_EPOCH, Remove(CONTROLLER))
    return Write(
        "unshare_holder", when, (*_no_operator(user, viewing), *freed), effect=Effect.UNSHARED
    )


def _no_operator(user: UserId, viewing: Iterable[SessionId]) -> tuple[Update, ...]:
    return (RemoveFromSet(OPERATORS, user), *(Remove(viewer_path(each)) for each in viewing))


def transfer(user: UserId, right: Condition) -> Write:
    """Give the robot to another owner; presence and every session end, operators stay.

    The new owner is removed from the operators, who never include the owner.
    """
    when = AllOf((Exists(OWNER), right, Differs(OWNER, user)))
    return Write(
        "transfer",
        when,
        (*END_ALL, Put(OWNER, user), RemoveFromSet(OPERATORS, user)),
        effect=Effect.TRANSFERRED,
    )
