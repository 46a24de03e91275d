"""Whose a robot is: shared with operators, given to another owner, forgotten.

Only its owner or an admin decides, by the conditions of the writes themselves. What somebody
has with a robot ends with their right to it: in the same write, or in those right after it.
"""

from contextlib import suppress

from robosignal.protocol import limits
from robosignal.protocol.errors import BadMessage, SignalingError, TryAgain
from robosignal.protocol.frames import Ack
from robosignal.protocol.ids import RobotId, UserId
from robosignal.protocol.messages import Forget, Role, Share, Transfer, Unshare
from robosignal.server.core.authorization import authorize, condition_for
from robosignal.server.core.conditional_writes import Write
from robosignal.server.core.delivery import notify
from robosignal.server.core.notices import (
    Notice,
    can_hear_control,
    control_frame,
    ended_notices,
    find_ended,
    notices_to,
    peer_left_frame,
    viewer_notices,
)
from robosignal.server.core.records import Robot, Session
from robosignal.server.core.request import Request
from robosignal.server.core.steps import (
    Close,
    ConditionFailed,
    DropShare,
    Flow,
    NoteShare,
    Written,
    attempt_all,
    perform_all,
    read_robot,
    remove_robot,
    write_robot,
)
from robosignal.server.core.writes import ownership, presence

TRIES = 5
"""The right goes with the second write at the latest; what is left then can only end."""


def share(request: Request, message: Share) -> Flow[Ack]:
    """Make a user an operator. Raise BadMessage for the owner, and when there are too many.

    The user's list needs a note of it, which is made before, lest a share that is cut off be in
    no list, and again after: an `unshare` may have dropped the first one. A note without a share
    does no harm: whoever lists asks the robot's item.
    """
    robot_id, user = message.robot_id, message.user_id
    robot = authorize(request, message, robot_id, (yield from read_robot(robot_id)))
    _refuse_operator(robot, user)
    noting = NoteShare(robot_id, user)
    yield from perform_all((noting,))
    if user in robot.operators:
        return _operators_ack(robot)
    writing = ownership.share(user, condition_for(Share, request.sender), limits.OPERATORS)
    outcome = yield from write_robot(robot_id, writing)
    if isinstance(outcome, Written):
        yield from perform_all((noting,))
        return _operators_ack(outcome.after)
    yield from _remove_share_note(robot_id, user)
    robot = authorize(request, message, robot_id, outcome.item)
    _refuse_operator(robot, user)
    raise TryAgain(robot_id)


def _refuse_operator(robot: Robot, user: UserId) -> None:
    """Raise BadMessage if this user cannot be one operator more."""
    if robot.owner_user_id == user:
        raise BadMessage("userId", "is the owner's, who needs no share")
    if user not in robot.operators and len(robot.operators) >= limits.OPERATORS:
        most = limits.OPERATORS
        raise BadMessage("userId", f"is one too many: a robot has {most} operators at most")


def unshare(request: Request, message: Unshare) -> Flow[Ack]:
    """Take a user from the operators, and end their sessions; who has neither is let be.

    So one that was cut off is finished by the next. An owner's sessions are no share's.
    """
    robot_id, user = message.robot_id, message.user_id
    robot = authorize(request, message, robot_id, (yield from read_robot(robot_id)))
    is_told = True
    for _ in range(TRIES):
        if robot.owner_user_id == user or _has_nothing(robot, user):
            yield from _remove_share_note(robot_id, user)
            return _operators_ack(robot, is_told=is_told)
        outcome = yield from write_robot(robot_id, _choose_write(request, robot, user))
        if isinstance(outcome, ConditionFailed):
            robot = authorize(request, message, robot_id, outcome.item)
            continue
        before, robot = outcome.before or robot, outcome.after
        heard = yield from notify(request, robot_id, _unshared_notices(before, robot))
        is_told = is_told and (
            not _had_driver(before, robot) or (heard and can_hear_control(robot))
        )
    raise TryAgain(robot_id)


def _has_nothing(robot: Robot, user: UserId) -> bool:
    return user not in robot.operators and not _sessions_of(robot, user)


def _remove_share_note(robot_id: RobotId, user: UserId) -> Flow[None]:
    """Drop the note of a share, unless the robot is shared with the user again by then."""
    yield from attempt_all((DropShare(robot_id, user),))
    robot = yield from read_robot(robot_id)
    if robot is not None and user in robot.operators:
        yield from attempt_all((NoteShare(robot_id, user),), "needed")


def _choose_write(request: Request, robot: Robot, user: UserId) -> Write:
    """Return the write that fits what the user has with the robot, as it was seen."""
    viewing = [each.session_id for each, role in _sessions_of(robot, user) if role == "viewer"]
    held = robot.controller is not None and robot.controller.user_id == user
    write = ownership.unshare_holder if held else ownership.unshare
    return write(user, condition_for(Unshare, request.sender), viewing)


def _sessions_of(robot: Robot, user: UserId) -> list[tuple[Session, Role]]:
    return [each for each in robot.sessions() if each[0].user_id == user]


def _unshared_notices(before: Robot, robot: Robot) -> list[Notice]:
    """Return what tells of the sessions that have ended: their clients, the robot, the viewers."""
    told = ended_notices(before, robot, "evicted")
    for session, role in find_ended(before, robot):
        told += notices_to(robot, peer_left_frame(robot, session, role, "evicted"))
        if role == "controller":
            told += viewer_notices(robot, control_frame(robot), session.session_id)
    return told


def _had_driver(before: Robot | None, robot: Robot) -> bool:
    """Say whether one of the sessions that ended was the holder's."""
    return any(role == "controller" for _, role in find_ended(before, robot))


def _operators_ack(robot: Robot, *, is_told: bool = True) -> Ack:
    return Ack(operators=sorted(robot.operators), robot_told=is_told)


def transfer(request: Request, message: Transfer) -> Flow[Ack]:
    """Give the robot to another owner. Its sessions and presence end; operators stay."""
    robot_id, user = message.robot_id, message.user_id
    outcome = yield from write_robot(
        robot_id, ownership.transfer(user, condition_for(Transfer, request.sender))
    )
    if isinstance(outcome, ConditionFailed):
        robot = authorize(request, message, robot_id, outcome.item)
        if robot.owner_user_id == user:
            return Ack()
        raise TryAgain(robot_id)
    is_told = False
    with suppress(SignalingError):
        # The robot is given away: to ask again would be forbidden.
        is_told = yield from _notify_evicted(request, outcome)
    yield from attempt_all((DropShare(robot_id, user),))
    return Ack(robot_told=is_told)


def forget(request: Request, message: Forget) -> Flow[Ack]:
    """Remove all trace of a robot. Its sessions end; whoever registers the id next owns it."""
    robot_id = message.robot_id
    outcome = yield from write_robot(
        robot_id, presence.evict(condition_for(Forget, request.sender))
    )
    if isinstance(outcome, ConditionFailed):
        authorize(request, message, robot_id, outcome.item)
        raise TryAgain(robot_id)
    is_told = yield from _notify_evicted(request, outcome)
    still = presence.is_unchanged_since(outcome.after.rev)
    if not (yield from remove_robot(robot_id, still)):
        # It has registered again meanwhile, as a live robot does that is told nothing.
        raise TryAgain(robot_id)
    yield from attempt_all(DropShare(robot_id, each) for each in sorted(outcome.after.operators))
    return Ack(robot_told=is_told)


def _notify_evicted(request: Request, won: Written[Robot]) -> Flow[bool]:
    """Tell every session's client, then the robot; close a seed's, which cannot be told.

    Return whether the robot knows that it has no driver any more, if it had one.
    """
    robot_id: RobotId = won.after.robot_id
    yield from notify(request, robot_id, ended_notices(won.before, won.after, "evicted"))
    robot = won.before
    if robot is None:
        return False
    if robot.connection_id is None:
        return not _had_driver(robot, won.after)
    if robot.dialect == "seed":
        yield from perform_all((Close(robot.connection_id),))
        return not _had_driver(robot, won.after)
    told = [
        Notice(robot, peer_left_frame(won.after, session, role, "evicted"))
        for session, role in robot.sessions()
    ]
    is_told = yield from notify(request, robot_id, told)
    return is_told or not _had_driver(robot, won.after)
