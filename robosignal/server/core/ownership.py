"""Who may drive or view a robot: shares, giving it to another owner, forgetting it.

Only the owner or an admin may decide that, by the conditions of the writes themselves; a user
accepts an offer, and leaves a share, by themselves. When somebody loses the right to a robot, their
sessions with it end in the same write, or in the writes that follow directly.
"""

from contextlib import suppress

from robosignal.protocol import limits
from robosignal.protocol.errors import BadMessage, Forbidden, SignalingError, TryAgain
from robosignal.protocol.frames import Ack, ShareEntry, SharesReply
from robosignal.protocol.ids import RobotId, SessionId, UserId
from robosignal.protocol.messages import (
    AcceptShare,
    Forget,
    Invite,
    LeaveShare,
    Role,
    Share,
    Shares,
    Transfer,
    Unshare,
)
from robosignal.server.core.authorization import authorize, condition_for, find_shares
from robosignal.server.core.conditional_writes import AllOf, Condition, Write
from robosignal.server.core.delivery import notify
from robosignal.server.core.notices import (
    Notice,
    can_hear_control,
    control_frame,
    find_ended,
    notices_of_ended,
    notices_to,
    notices_to_viewers,
    peer_left_frame,
)
from robosignal.server.core.records import (
    Robot,
    RobotShare,
    Session,
    group_key,
    group_of,
    offer_key,
)
from robosignal.server.core.request import Request
from robosignal.server.core.steps import (
    Close,
    ConditionFailed,
    DropShare,
    Flow,
    NoteShare,
    Written,
    attempt_all,
    count_offers,
    perform_all,
    read_robot,
    remove_robot,
    write_robot,
)
from robosignal.server.core.writes import ownership, presence

CLEANED = 5
"""How many shares that have ended one `share` removes at most."""

ANY = AllOf(())
"""The right to end one's own share."""

NOT_OFFERED = "this robot is not offered to you: ask its owner to share it with you"

TRIES = 5
"""The second write removes the right at the latest; later ones only end what is left."""


def share(request: Request, message: Share) -> Flow[Ack]:
    """Share the robot with a group, offer it to a user, or change the share that there is.

    A user's share is an offer, which gives no right, until the user accepts it; so is one made
    again after its end. Sessions that the new share does not cover end. Raise BadMessage for what
    cannot be: the owner, a group that is not the sender's, an end in the past or too far ahead, or
    too many shares or offers.

    The share is noted for the user's list before the write, so that a share that is cut off is in
    the list, and again after it, because an `unshare` may have dropped the first note. A note
    without a share does no harm, because listing checks the robot's item.
    """
    robot_id, grantee = message.robot_id, _find_grantee(message)
    robot = authorize(request, message, robot_id, (yield from read_robot(robot_id)))
    refuse_end(request, message)
    _refuse_group(request, message)
    robot = yield from _drop_ended(request, robot, except_for=grantee)
    is_robot_told = True
    noted: NoteShare | None = None
    for _ in range(TRIES):
        wanted = _find_wanted(request, message, robot)
        yield from _refuse_share(robot, wanted)
        note = _note_of(robot, wanted)
        if note != noted:
            noted = note
            yield from perform_all((note,))
        if wanted in robot.shares() and not find_uncovered(robot, grantee, wanted):
            return _shares_ack(robot, is_robot_told=is_robot_told)
        outcome = yield from write_robot(robot_id, _choose_share_write(request, robot, wanted))
        if isinstance(outcome, ConditionFailed):
            noted = None
            yield from remove_share_note(robot_id, note.user_id)
            robot = authorize(request, message, robot_id, outcome.item)
            continue
        before, robot = outcome.before or robot, outcome.after
        yield from perform_all((note,))
        is_told = yield from notify_unshared(request, before, robot)
        is_robot_told = is_robot_told and is_told
    raise TryAgain(robot_id)


def _find_grantee(message: Share | Unshare) -> UserId:
    """Return the user's id, or the group's key, that a message names."""
    if message.group is not None:
        return group_key(message.group)
    if message.user_id is None:
        raise BadMessage("userId", "is missing")
    return message.user_id


def _find_wanted(request: Request, message: Share, robot: Robot) -> RobotShare:
    grantee = _find_grantee(message)
    current = robot.share_with(grantee, request.now)
    has_accepted = current is not None and not current.offered
    offered = message.group is None and not has_accepted
    return RobotShare(grantee, message.role, message.until, offered)


def _note_of(robot: Robot, wanted: RobotShare) -> NoteShare:
    owner = robot.owner_user_id if wanted.offered else None
    return NoteShare(robot.robot_id, wanted.key, owner)


def refuse_end(request: Request, message: Share | Invite) -> None:
    """Raise BadMessage for an end in the past, or further ahead than a share may last."""
    last = request.time_after(limits.LONGEST_SHARE_SECONDS)
    if message.until is not None and not request.now < message.until <= last:
        days = limits.LONGEST_SHARE_SECONDS // (24 * 60 * 60)
        raise BadMessage("until", f"must be in the future, and at most {days} days from now")


def _refuse_group(request: Request, message: Share) -> None:
    """Raise BadMessage for a group that the sender is not in: its members would not be asked."""
    sender = request.sender
    if message.group is not None and message.group not in sender.groups and not sender.is_admin:
        raise BadMessage("group", "must be a group of your token: only admins share with others")


def _refuse_share(robot: Robot, wanted: RobotShare) -> Flow[None]:
    """Raise BadMessage if this user or group cannot have a share."""
    field = "userId" if group_of(wanted.grantee) is None else "group"
    if robot.owner_user_id == wanted.grantee:
        raise BadMessage(field, "is the owner, who needs no share")
    if any(each.grantee == wanted.grantee for each in robot.shares()):
        return
    if sum(1 for _ in robot.shares()) >= limits.SHARES:
        raise BadMessage(
            field,
            f"cannot be added: the robot has {limits.SHARES} shares and offers already; "
            "unshare it with one first",
        )
    if not wanted.offered:
        return
    count = yield from count_offers(robot.owner_user_id, limits.OFFERS)
    if count >= limits.OFFERS:
        raise BadMessage(
            field,
            f"cannot be offered: the owner has {limits.OFFERS} offers that wait already; "
            "withdraw one with unshare first",
        )


def _drop_ended(request: Request, robot: Robot, except_for: UserId) -> Flow[Robot]:
    """Remove a few shares that have ended, which give no right; return the robot's newest item."""
    others = [each for each in robot.shares() if each.grantee != except_for]
    ended = [each for each in others if each.has_ended(request.now)][:CLEANED]
    for each in ended:
        write = ownership.drop_ended(each)
        outcome = yield from write_robot(robot.robot_id, write)
        if isinstance(outcome, Written):
            robot = outcome.after
            yield from attempt_all((DropShare(robot.robot_id, each.key),))
    return robot


def accept_share(request: Request, message: AcceptShare) -> Flow[Ack]:
    """Accept the offer of a robot. Raise Forbidden if there is none, or no such robot."""
    robot_id, user = message.robot_id, request.sender.user_id
    robot = yield from read_robot(robot_id)
    for _ in range(TRIES):
        offered = None if robot is None else robot.share_with(user, request.now)
        if robot is None or offered is None:
            raise Forbidden(robot_id, NOT_OFFERED)
        if not offered.offered:
            return Ack()
        # Noted first, as by `share`: what is cut off is in the list all the same.
        note = NoteShare(robot_id, user)
        yield from perform_all((note,))
        outcome = yield from write_robot(robot_id, ownership.accept(offered))
        if isinstance(outcome, Written):
            yield from attempt_all((note, DropShare(robot_id, offered.key)), "decide")
            return Ack()
        robot = outcome.item
    raise TryAgain(robot_id)


def leave_share(request: Request, message: LeaveShare) -> Flow[Ack]:
    """End the sender's own share, or decline its offer; no-op if there is neither.

    So it tells a stranger nothing of the robot. A group's share is its members' together: raise
    Forbidden if that is all the sender has.
    """
    robot_id, user = message.robot_id, request.sender.user_id
    robot = yield from read_robot(robot_id)
    has_own = robot is not None and any(each.grantee == user for each in robot.shares())
    if robot is not None and not has_own and find_shares(request.sender, robot, request.now):
        raise Forbidden(robot_id, "the robot is shared with a group of yours: ask its owner")
    if robot is None or _has_nothing(robot, user):
        return Ack()
    for _ in range(TRIES):
        if robot is None or _has_nothing(robot, user):
            yield from _remove_share_notes(robot_id, user)
            return Ack()
        outcome = yield from write_robot(robot_id, _choose_unshare_write(ANY, robot, user))
        if isinstance(outcome, ConditionFailed):
            robot = outcome.item
            continue
        before, robot = outcome.before or robot, outcome.after
        yield from notify_unshared(request, before, robot)
    raise TryAgain(robot_id)


def unshare(request: Request, message: Unshare) -> Flow[Ack]:
    """End a share or an offer, and the sessions by it; no-op if there is none of them.

    So the next `unshare` completes one that was cut off. The owner's sessions stay: they do not
    come from a share.
    """
    robot_id, grantee = message.robot_id, _find_grantee(message)
    robot = authorize(request, message, robot_id, (yield from read_robot(robot_id)))
    is_robot_told = True
    for _ in range(TRIES):
        if _has_nothing(robot, grantee):
            yield from _remove_share_notes(robot_id, grantee)
            return _shares_ack(robot, is_robot_told=is_robot_told)
        right = condition_for(Unshare, request.sender)
        outcome = yield from write_robot(robot_id, _choose_unshare_write(right, robot, grantee))
        if isinstance(outcome, ConditionFailed):
            robot = authorize(request, message, robot_id, outcome.item)
            continue
        before, robot = outcome.before or robot, outcome.after
        is_told = yield from notify_unshared(request, before, robot)
        is_robot_told = is_robot_told and is_told
    raise TryAgain(robot_id)


def list_shares(request: Request, message: Shares) -> Flow[SharesReply]:
    """List a robot's shares and offers, those that have ended included."""
    robot_id = message.robot_id
    robot = authorize(request, message, robot_id, (yield from read_robot(robot_id)))
    return SharesReply(robot_id=robot_id, shares=_entries_of(robot))


def _has_nothing(robot: Robot, grantee: UserId) -> bool:
    """Say whether a user or group has neither a share or offer nor a session by it."""
    if robot.owner_user_id == grantee:
        return True
    has_share = any(each.grantee == grantee for each in robot.shares())
    return not has_share and not find_uncovered(robot, grantee, None)


def _remove_share_notes(robot_id: RobotId, grantee: UserId) -> Flow[None]:
    """Drop the notes of a share and its offer, in parallel; restore what the item has by then."""
    keys = (grantee,) if group_of(grantee) else (grantee, offer_key(grantee))
    yield from _remove_listed(robot_id, keys)


def remove_share_note(robot_id: RobotId, key: UserId) -> Flow[None]:
    """Drop the note of a share or offer; restore it if the item has that again by then."""
    yield from _remove_listed(robot_id, (key,))


def _remove_listed(robot_id: RobotId, keys: tuple[UserId, ...]) -> Flow[None]:
    yield from attempt_all(DropShare(robot_id, key) for key in keys)
    robot = yield from read_robot(robot_id)
    if robot is not None:
        found = [each for each in robot.shares() if each.key in keys]
        yield from attempt_all((_note_of(robot, each) for each in found), "decide")


def find_uncovered(
    robot: Robot, grantee: UserId, wanted: RobotShare | None
) -> list[tuple[Session, Role]]:
    """Return the sessions by a share that the wanted one does not cover; all for None."""
    return [
        (session, role)
        for session, role in robot.sessions()
        if session.comes_from(grantee)
        and session.user_id != robot.owner_user_id
        and not _covers(wanted, session, role)
    ]


def _covers(share: RobotShare | None, session: Session, role: Role) -> bool:
    if share is None or share.offered:
        return False
    may = share.role == "operator" or role == "viewer"
    if share.until is None:
        return may
    return may and session.right_until is not None and session.right_until <= share.until


def _choose_share_write(request: Request, robot: Robot, wanted: RobotShare) -> Write:
    """Return the write that makes the share and ends what it does not cover, judging by the item.

    What a share that has ended leaves is not covered by the offer that takes its place.
    """
    uncovered = find_uncovered(robot, wanted.grantee, wanted)
    write = ownership.share_with_holder if _has_holder(uncovered) else ownership.share
    right = condition_for(Share, request.sender)
    return write(wanted, right, robot, viewers_of(uncovered))


def _choose_unshare_write(right: Condition, robot: Robot, grantee: UserId) -> Write:
    """Return the write that ends what the user or group has with the robot, judging by its item."""
    uncovered = find_uncovered(robot, grantee, None)
    write = ownership.unshare_holder if _has_holder(uncovered) else ownership.unshare
    return write(grantee, right, robot, viewers_of(uncovered))


def _has_holder(sessions: list[tuple[Session, Role]]) -> bool:
    return any(role == "controller" for _, role in sessions)


def viewers_of(sessions: list[tuple[Session, Role]]) -> list[SessionId]:
    """Return the ids of the viewer sessions among these."""
    return [each.session_id for each, role in sessions if role == "viewer"]


def notify_unshared(request: Request, before: Robot, robot: Robot) -> Flow[bool]:
    """Notify everyone of the sessions that ended; return whether the robot knows its driver."""
    is_sent = yield from notify(request, robot.robot_id, _notices_of_unshared(before, robot))
    return not _has_driver_ended(before, robot) or (is_sent and can_hear_control(robot))


def _notices_of_unshared(before: Robot, robot: Robot) -> list[Notice]:
    """Return the notices of ended sessions, for their clients, the robot and the viewers."""
    notices = notices_of_ended(before, robot, "evicted")
    for session, role in find_ended(before, robot):
        notices += notices_to(robot, peer_left_frame(robot, session, role, "evicted"))
        if role == "controller":
            notices += notices_to_viewers(robot, control_frame(robot), session.session_id)
    return notices


def _has_driver_ended(before: Robot | None, robot: Robot) -> bool:
    """Say whether the holder's session is among those that have ended."""
    return any(role == "controller" for _, role in find_ended(before, robot))


def _shares_ack(robot: Robot, *, is_robot_told: bool = True) -> Ack:
    users = sorted(each for each in robot.operators if group_of(each) is None)
    return Ack(operators=users, shares=_entries_of(robot), robot_told=is_robot_told)


def _entries_of(robot: Robot) -> list[ShareEntry]:
    return [
        ShareEntry(
            user_id=each.grantee if group_of(each.grantee) is None else None,
            group=group_of(each.grantee),
            role=each.role,
            until=each.until,
            offered=each.offered,
        )
        for each in robot.shares()
    ]


def transfer(request: Request, message: Transfer) -> Flow[Ack]:
    """Give the robot to another owner. Its sessions, presence and offers end; shares stay."""
    robot_id, user = message.robot_id, message.user_id
    outcome = yield from write_robot(
        robot_id, ownership.transfer(user, condition_for(Transfer, request.sender))
    )
    if isinstance(outcome, ConditionFailed):
        robot = authorize(request, message, robot_id, outcome.item)
        if robot.owner_user_id == user:
            return Ack()
        raise TryAgain(robot_id)
    is_robot_told = False
    with suppress(SignalingError):
        # The write cannot be repeated: the sender is not the owner any more.
        is_robot_told = yield from _notify_evicted(request, outcome)
    before = outcome.before.shares() if outcome.before is not None else ()
    offers = {each.key for each in before if each.offered}
    yield from attempt_all(DropShare(robot_id, each) for each in (user, *sorted(offers)))
    return Ack(robot_told=is_robot_told)


def forget(request: Request, message: Forget) -> Flow[Ack]:
    """Delete a robot. Its sessions end; the next user to register its id owns it."""
    robot_id = message.robot_id
    outcome = yield from write_robot(
        robot_id, presence.evict(condition_for(Forget, request.sender))
    )
    if isinstance(outcome, ConditionFailed):
        authorize(request, message, robot_id, outcome.item)
        raise TryAgain(robot_id)
    is_robot_told = yield from _notify_evicted(request, outcome)
    unchanged = presence.is_unchanged_since(outcome.after.rev)
    if not (yield from remove_robot(robot_id, unchanged)):
        # It has registered again in the meantime, as a robot that is online does.
        raise TryAgain(robot_id)
    yield from attempt_all(DropShare(robot_id, each.key) for each in outcome.after.shares())
    return Ack(robot_told=is_robot_told)


def _notify_evicted(request: Request, written: Written[Robot]) -> Flow[bool]:
    """Notify the clients of ended sessions, then the robot; close a seed robot's connection.

    Return whether the robot knows that it has lost its driver, if it had one.
    """
    robot_id: RobotId = written.after.robot_id
    yield from notify(request, robot_id, notices_of_ended(written.before, written.after, "evicted"))
    robot = written.before
    if robot is None:
        return False
    if robot.connection_id is None:
        return not _has_driver_ended(robot, written.after)
    if robot.dialect == "seed":
        yield from perform_all((Close(robot.connection_id),))
        return not _has_driver_ended(robot, written.after)
    notices = [
        Notice(robot, peer_left_frame(written.after, session, role, "evicted"))
        for session, role in robot.sessions()
    ]
    is_robot_told = yield from notify(request, robot_id, notices)
    return is_robot_told or not _has_driver_ended(robot, written.after)
