"""Writes to who may drive a robot: sharing it, ending a share, giving it to another owner."""

from collections.abc import Iterable

from msgspec import structs

from robosignal.protocol import limits
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
    Increment,
    Lacks,
    Missing,
    Path,
    Put,
    Remove,
    RemoveFromSet,
    Size,
    Update,
    Write,
)
from robosignal.server.core.effects import Effect
from robosignal.server.core.records import Invitation, Robot, RobotShare, group_of
from robosignal.server.core.writes.attributes import (
    CONTROLLER,
    COPY_HOLDER,
    END_ALL,
    ENDS,
    HOLDER_GROUP,
    HOLDER_USER_ID,
    INVITING,
    NEXT_EPOCH,
    OFFERED_OPERATORS,
    OFFERED_VIEW_ONLY,
    OPERATORS,
    OWNER,
    SHARE_SETS,
    SHARES_CHANGED,
    VIEW_ONLY,
    viewer_path,
)


def share(
    wanted: RobotShare, right: Condition, seen: Robot, ended: Iterable[SessionId] = ()
) -> Write:
    """Make, change or offer a share, if the robot has few enough of them.

    `seen` is the robot as it was read. `ended`: the viewer sessions to end, which the share does
    not cover.
    """
    return Write(
        "share",
        AllOf((Exists(OWNER), right, *_may_share(wanted, seen))),
        (*_put_share(wanted, seen), *_end_viewers(ended), NOTE_CHANGE),
        effect=Effect.OFFERED if wanted.offered else Effect.SHARED,
    )


def share_with_holder(
    wanted: RobotShare, right: Condition, seen: Robot, ended: Iterable[SessionId] = ()
) -> Write:
    """Change a share so that it does not cover the holder's session any more: free the lease."""
    when = (Exists(OWNER), right, *_may_share(wanted, seen), _is_holder_of(wanted.grantee))
    return Write(
        "share_with_holder",
        AllOf(when),
        (*_put_share(wanted, seen), *_end_viewers(ended), NOTE_CHANGE, *FREE_LEASE),
        effect=Effect.SHARED,
    )


def accept(offered: RobotShare) -> Write:
    """Make an offer a share, if the item still has it with this role and this end."""
    member = Contains(_set_of(offered), offered.grantee)
    share_of = structs.replace(offered, offered=False)
    moves = AddToSet(_set_of(share_of), offered.grantee), *_remove_from_others(share_of)
    when = AllOf((Exists(OWNER), member, _has_end(offered)))
    return Write("accept", when, moves, effect=Effect.ACCEPTED)


def invite(code_hash: str, right: Condition) -> Write:
    """Note the first invitation since the robot is this owner's, in which later ones agree."""
    first = Put(INVITING, code_hash, if_missing=True)
    return Write("invite", AllOf((Exists(OWNER), right)), (first,), effect=Effect.INVITED)


def accept_invitation(
    user: UserId, invitation: Invitation, seen: Robot, ended: Iterable[SessionId] = ()
) -> Write:
    """Make the share of an invitation, in place of the user's offer or lesser share.

    The invitation must be of this owner's time. The user's share must be as it was `seen`, because
    a greater one that was made since must stay. No share may have been taken back since the use was
    taken: it may have been this one, made by an earlier try.
    """
    wanted = invitation.share_with(user)
    current = _is_share_as_seen(user, seen, puts=wanted.until is not None)
    when = (Compare(INVITING, "=", invitation.inviting), *current, _is_unchanged(seen))
    return Write(
        "accept_invitation",
        AllOf(when),
        (*_put_share(wanted, seen), *_end_viewers(ended)),
        effect=Effect.ACCEPTED,
    )


def _is_unchanged(seen: Robot) -> Condition:
    changed = seen.shares_changed
    return Compare(SHARES_CHANGED, "=", changed) if changed else Missing(SHARES_CHANGED)


def _is_share_as_seen(user: UserId, seen: Robot, *, puts: bool) -> tuple[Condition, ...]:
    """Require the share that the user has accepted; without one, none, and room for one.

    `puts`: whether the update notes an end.
    """
    ready = _end_is_ready(user, seen, puts=puts)
    accepted = [each for each in seen.shares() if each.grantee == user and not each.offered]
    if not accepted:
        room = _has_room(user, seen, (OFFERED_OPERATORS, OFFERED_VIEW_ONLY))
        return Lacks(OPERATORS, user), Lacks(VIEW_ONLY, user), room, ready
    member, end = Contains(_set_of(accepted[0]), user), _has_end(accepted[0])
    if seen.ends is None:
        # No end at all says that this share has none.
        return member, ready
    # That it has one says that there are ends.
    return (member, end, ready) if puts and accepted[0].until is None else (member, end)


def unshare(
    grantee: UserId, right: Condition, seen: Robot, ended: Iterable[SessionId] = ()
) -> Write:
    """End a share or an offer, and the viewer sessions by it that were read.

    The user can open no session after this write, so a later write ends what is left.
    """
    when = (Exists(OWNER), right, *_may_drop_end(grantee, seen))
    then = (*_remove_share(grantee, seen), *_end_viewers(ended), NOTE_CHANGE)
    return Write("unshare", AllOf(when), then, effect=Effect.UNSHARED)


def unshare_holder(
    grantee: UserId, right: Condition, seen: Robot, ended: Iterable[SessionId] = ()
) -> Write:
    """End a share by which the lease is held: free the lease too."""
    when = (Exists(OWNER), right, *_may_drop_end(grantee, seen), _is_holder_of(grantee))
    then = (*_remove_share(grantee, seen), *_end_viewers(ended), NOTE_CHANGE, *FREE_LEASE)
    return Write("unshare_holder", AllOf(when), then, effect=Effect.UNSHARED)


def drop_ended(ended: RobotShare) -> Write:
    """Remove a share that has ended, if the item still has it with that end."""
    grantee = ended.grantee
    sets = (RemoveFromSet(path, grantee) for path in SHARE_SETS)
    removed: tuple[Update, ...] = (*sets, Remove((*ENDS, grantee)))
    when = AllOf((Exists(OWNER), _has_end(ended)))
    return Write("drop_ended_share", when, removed, effect=Effect.SHARE_ENDED)


NOTE_CHANGE = Increment(SHARES_CHANGED, start=0)
"""A use of an invitation that was taken before is good for no share any more."""

FREE_LEASE = (COPY_HOLDER, *NEXT_EPOCH, Remove(CONTROLLER))


def _is_holder_of(grantee: UserId) -> Condition:
    """Require that the holder has the right by the share with this user or group."""
    group = group_of(grantee)
    if group is not None:
        return Compare(HOLDER_GROUP, "=", group)
    return AllOf((Compare(HOLDER_USER_ID, "=", grantee), Missing(HOLDER_GROUP)))


def _may_share(wanted: RobotShare, seen: Robot) -> tuple[Condition, ...]:
    grantee = wanted.grantee
    # The user may have left in the meantime: what is no offer needs a share that is accepted.
    accepted = AnyOf((Contains(OPERATORS, grantee), Contains(VIEW_ONLY, grantee)))
    is_new = wanted.offered or group_of(grantee) is not None
    room = _has_room(grantee, seen) if is_new else accepted
    end = _end_is_ready(grantee, seen, puts=wanted.until is not None)
    return Differs(OWNER, grantee), room, end


def _has_room(grantee: UserId, seen: Robot, places: Iterable[Path] = SHARE_SETS) -> Condition:
    """Require that the user or group is in one of the sets, or that there is room for one more.

    No condition can add up the sizes of sets, so what is free is divided among them: each may have
    grown by its part since it was read.
    """
    sizes = {path: _size(seen, path) for path in SHARE_SETS}
    free = max(0, limits.SHARES - 1 - sum(sizes.values())) // len(SHARE_SETS)
    has_one = tuple(Contains(path, grantee) for path in places)
    if sum(sizes.values()) >= limits.SHARES:
        return AnyOf(has_one)
    few = AllOf(tuple(_has_at_most(path, size + free) for path, size in sizes.items()))
    return AnyOf((few, *has_one))


def _size(seen: Robot, path: Path) -> int:
    return sum(_set_of(each) == path for each in seen.shares())


def _has_at_most(path: Path, size: int) -> Condition:
    return AnyOf((Missing(path), Size(path, "<=", size)))


def _set_of(share: RobotShare) -> Path:
    """Return the set of the item that a share or an offer is in."""
    operators, view_only = (
        (OFFERED_OPERATORS, OFFERED_VIEW_ONLY) if share.offered else (OPERATORS, VIEW_ONLY)
    )
    return operators if share.role == "operator" else view_only


def _remove_from_others(share: RobotShare) -> tuple[Update, ...]:
    others = (path for path in SHARE_SETS if path != _set_of(share))
    return tuple(RemoveFromSet(path, share.grantee) for path in others)


def _put_share(wanted: RobotShare, seen: Robot) -> tuple[Update, ...]:
    grantee, until = wanted.grantee, wanted.until
    moves = AddToSet(_set_of(wanted), grantee), *_remove_from_others(wanted)
    if until is None:
        return *moves, *_remove_end(grantee, seen)
    end: Update = Put(ENDS, {grantee: until}) if seen.ends is None else Put((*ENDS, grantee), until)
    return *moves, end


def _remove_share(grantee: UserId, seen: Robot) -> tuple[Update, ...]:
    return (
        *(RemoveFromSet(path, grantee) for path in SHARE_SETS),
        *_remove_end(grantee, seen),
    )


def _has_end(share: RobotShare) -> Condition:
    end = (*ENDS, share.grantee)
    return Missing(end) if share.until is None else Compare(end, "=", share.until)


def _end_is_ready(grantee: UserId, seen: Robot, *, puts: bool) -> Condition:
    """Require what the item must have for the update of this end, or for none to be needed.

    In DynamoDB a path into `ends` needs that map, and items of before have none.
    """
    if seen.ends is None:
        return Missing(ENDS)
    if puts or grantee in seen.ends:
        return Exists(ENDS)
    return Missing((*ENDS, grantee))


def _may_drop_end(grantee: UserId, seen: Robot) -> tuple[Condition, ...]:
    return (_end_is_ready(grantee, seen, puts=False),)


def _remove_end(grantee: UserId, seen: Robot) -> tuple[Update, ...]:
    return (Remove((*ENDS, grantee)),) if grantee in (seen.ends or {}) else ()


def _end_viewers(ended: Iterable[SessionId]) -> tuple[Update, ...]:
    return tuple(Remove(viewer_path(each)) for each in ended)


def transfer(user: UserId, right: Condition) -> Write:
    """Give the robot to another owner: presence, sessions, offers and invitations end, shares stay.

    The new owner is removed from the shares, which never include the owner.
    """
    when = AllOf((Exists(OWNER), right, Differs(OWNER, user)))
    return Write(
        "transfer",
        when,
        (
            *END_ALL,
            Put(OWNER, user),
            *(RemoveFromSet(path, user) for path in (OPERATORS, VIEW_ONLY)),
            *(Remove(path) for path in (OFFERED_OPERATORS, OFFERED_VIEW_ONLY, INVITING)),
        ),
        effect=Effect.TRANSFERRED,
    )
