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
from robosignal.server.core.delivery import notify
from robosignal.server.core.expressions import Write
from robosignal.server.core.notices import (
    Notice,
    can_be_told,
    control_of,
    ended_since,
    notice,
    peer_left,
    told_ended,
    told_viewers,
)
from robosignal.server.core.policy import right
from robosignal.server.core.records import Robot, Session
from robosignal.server.core.request import Request
from robosignal.server.core.rights import permitted
from robosignal.server.core.steps import (
    Close,
    DropShare,
    Flow,
    NoteShare,
    Refused,
    Won,
    attempted,
    read_robot,
    remove_robot,
    together,
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
    robot = permitted(request, message, robot_id, (yield from read_robot(robot_id)))
    _refuse_operator(robot, user)
    noting = NoteShare(robot_id, user)
    yield from together((noting,))
    if user in robot.operators:
        return _operators(robot)
    writing = ownership.share(user, right(Share, request.sender), limits.OPERATORS)
    outcome = yield from write_robot(robot_id, writing)
    if isinstance(outcome, Won):
        yield from together((noting,))
        return _operators(outcome.after)
    yield from _drop(robot_id, user)
    robot = permitted(request, message, robot_id, outcome.item)
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
    robot = permitted(request, message, robot_id, (yield from read_robot(robot_id)))
    is_told = True
    for _ in range(TRIES):
        if robot.owner_user_id == user or _has_nothing(robot, user):
            yield from _drop(robot_id, user)
            return _operators(robot, is_told=is_told)
        outcome = yield from write_robot(robot_id, _unsharing(request, robot, user))
        if isinstance(outcome, Refused):
            robot = permitted(request, message, robot_id, outcome.item)
            continue
        before, robot = outcome.before or robot, outcome.after
        heard = yield from notify(request, robot_id, _told_unshared(before, robot))
        is_told = is_told and (not _drove(before, robot) or (heard and can_be_told(robot)))
    raise TryAgain(robot_id)


def _has_nothing(robot: Robot, user: UserId) -> bool:
    return user not in robot.operators and not _sessions_of(robot, user)


def _drop(robot_id: RobotId, user: UserId) -> Flow[None]:
    """Drop the note of a share, unless the robot is shared with the user again by then."""
    yield from attempted((DropShare(robot_id, user),))
    robot = yield from read_robot(robot_id)
    if robot is not None and user in robot.operators:
        yield from attempted((NoteShare(robot_id, user),), "needed")


def _unsharing(request: Request, robot: Robot, user: UserId) -> Write:
    """Return the write that fits what the user has with the robot, as it was seen."""
    viewing = [each.session_id for each, role in _sessions_of(robot, user) if role == "viewer"]
    held = robot.controller is not None and robot.controller.user_id == user
    write = ownership.unshare_holder if held else ownership.unshare
    return write(user, right(Unshare, request.sender), viewing)


def _sessions_of(robot: Robot, user: UserId) -> list[tuple[Session, Role]]:
    return [each for each in robot.sessions() if each[0].user_id == user]


def _told_unshared(before: Robot, robot: Robot) -> list[Notice]:
    """Return what tells of the sessions that have ended: their clients, the robot, the viewers."""
    told = told_ended(before, robot, "evicted")
    for session, role in ended_since(before, robot):
        told += notice(robot, peer_left(robot, session, role, "evicted"))
        if role == "controller":
            told += told_viewers(robot, control_of(robot), session.session_id)
    return told


def _drove(before: Robot | None, robot: Robot) -> bool:
    """Say whether one of the sessions that ended was the holder's."""
    return any(role == "controller" for _, role in ended_since(before, robot))


def _operators(robot: Robot, *, is_told: bool = True) -> Ack:
    return Ack(operators=sorted(robot.operators), robot_told=is_told)


def transfer(request: Request, message: Transfer) -> Flow[Ack]:
    """Give the robot to another owner. Its sessions and presence end; operators stay."""
    robot_id, user = message.robot_id, message.user_id
    outcome = yield from write_robot(
        robot_id, ownership.transfer(user, right(Transfer, request.sender))
    )
    if isinstance(outcome, Refused):
        robot = permitted(request, message, robot_id, outcome.item)
        if robot.owner_user_id == user:
            return Ack()
        raise TryAgain(robot_id)
    is_told = False
    with suppress(SignalingError):
        # The robot is given away: to ask again would be forbidden.
        is_told = yield from _evicted(request, outcome)
    yield from attempted((DropShare(robot_id, user),))
    return Ack(robot_told=is_told)


def forget(request: Request, message: Forget) -> Flow[Ack]:
    """Remove all trace of a robot. Its sessions end; whoever registers the id next owns it."""
    robot_id = message.robot_id
    outcome = yield from write_robot(robot_id, presence.evict(right(Forget, request.sender)))
    if isinstance(outcome, Refused):
        permitted(request, message, robot_id, outcome.item)
        raise TryAgain(robot_id)
    is_told = yield from _evicted(request, outcome)
    still = presence.unchanged_since(outcome.after.rev)
    if not (yield from remove_robot(robot_id, still)):
        # It has registered again meanwhile, as a live robot does that is told nothing.
        raise TryAgain(robot_id)
    yield from attempted(DropShare(robot_id, each) for each in sorted(outcome.after.operators))
    return Ack(robot_told=is_told)


def _evicted(request: Request, won: Won[Robot]) -> Flow[bool]:
    """Tell every session's client, then the robot; close a seed's, which cannot be told.

    Return whether the robot knows that it has no driver any more, if it had one.
    """
    robot_id: RobotId = won.after.robot_id
    yield from notify(request, robot_id, told_ended(won.before, won.after, "evicted"))
    robot = won.before
    if robot is None:
        return False
    if robot.connection_id is None:
        return not _drove(robot, won.after)
    if robot.dialect == "seed":
        yield from together((Close(robot.connection_id),))
        return not _drove(robot, won.after)
    told = [
        Notice(robot, peer_left(won.after, session, role, "evicted"))
        for session, role in robot.sessions()
    ]
    is_told = yield from notify(request, robot_id, told)
    return is_told or not _drove(robot, won.after)
