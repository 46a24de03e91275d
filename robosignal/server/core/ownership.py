"""Who may drive a robot: sharing it with operators, giving it to another owner, forgetting it.

Only the owner or an admin may decide that, by the conditions of the writes themselves. When
somebody loses the right to a robot, their sessions with it end in the same write, or in the writes
that follow directly.
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
    find_ended,
    notices_of_ended,
    notices_to,
    notices_to_viewers,
    peer_left_frame,
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
"""The second write removes the right at the latest; later ones only end what is left."""


def share(request: Request, message: Share) -> Flow[Ack]:
    """Make a user an operator. Raise BadMessage for the owner, or if there are too many.

    The share is noted for the user's list before the write, so that a share that is cut off is in
    the list, and again after it, because an `unshare` may have dropped the first note. A note
    without a share does no harm, because listing checks the robot's item.
    """
    robot_id, user = message.robot_id, message.user_id
    robot = authorize(request, message, robot_id, (yield from read_robot(robot_id)))
    _refuse_operator(robot, user)
    note = NoteShare(robot_id, user)
    yield from perform_all((note,))
    if user in robot.operators:
        return _operators_ack(robot)
    write = ownership.share(user, condition_for(Share, request.sender), limits.OPERATORS)
    outcome = yield from write_robot(robot_id, write)
    if isinstance(outcome, Written):
        yield from perform_all((note,))
        return _operators_ack(outcome.after)
    yield from _remove_share_note(robot_id, user)
    robot = authorize(request, message, robot_id, outcome.item)
    _refuse_operator(robot, user)
    raise TryAgain(robot_id)


def _refuse_operator(robot: Robot, user: UserId) -> None:
    """Raise BadMessage if this user cannot become an operator."""
    if robot.owner_user_id == user:
        raise BadMessage("userId", "is the owner, who needs no share")
    if user not in robot.operators and len(robot.operators) >= limits.OPERATORS:
        most = limits.OPERATORS
        raise BadMessage(
            "userId",
            f"cannot be added: the robot has {most} operators already; unshare it with one first",
        )


def unshare(request: Request, message: Unshare) -> Flow[Ack]:
    """Remove a user from the operators and end their sessions; no-op if the user has neither.

    So the next `unshare` completes one that was cut off. The owner's sessions stay: they do not
    come from a share.
    """
    robot_id, user = message.robot_id, message.user_id
    robot = authorize(request, message, robot_id, (yield from read_robot(robot_id)))
    is_robot_told = True
    for _ in range(TRIES):
        if robot.owner_user_id == user or _has_nothing(robot, user):
            yield from _remove_share_note(robot_id, user)
            return _operators_ack(robot, is_robot_told=is_robot_told)
        outcome = yield from write_robot(robot_id, _choose_write(request, robot, user))
        if isinstance(outcome, ConditionFailed):
            robot = authorize(request, message, robot_id, outcome.item)
            continue
        before, robot = outcome.before or robot, outcome.after
        is_sent = yield from notify(request, robot_id, _notices_of_unshared(before, robot))
        if _has_driver_ended(before, robot):
            is_robot_told = is_robot_told and is_sent and can_hear_control(robot)
    raise TryAgain(robot_id)


def _has_nothing(robot: Robot, user: UserId) -> bool:
    return user not in robot.operators and not _sessions_of(robot, user)


def _remove_share_note(robot_id: RobotId, user: UserId) -> Flow[None]:
    """Drop the note of a share; restore it if the robot is shared with the user again by then."""
    yield from attempt_all((DropShare(robot_id, user),))
    robot = yield from read_robot(robot_id)
    if robot is not None and user in robot.operators:
        yield from attempt_all((NoteShare(robot_id, user),), "decide")


def _choose_write(request: Request, robot: Robot, user: UserId) -> Write:
    """Return the write that ends what the user has with the robot, judging by its item."""
    viewing = [each.session_id for each, role in _sessions_of(robot, user) if role == "viewer"]
    held = robot.controller is not None and robot.controller.user_id == user
    write = ownership.unshare_holder if held else ownership.unshare
    return write(user, condition_for(Unshare, request.sender), viewing)


def _sessions_of(robot: Robot, user: UserId) -> list[tuple[Session, Role]]:
    return [each for each in robot.sessions() if each[0].user_id == user]


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


def _operators_ack(robot: Robot, *, is_robot_told: bool = True) -> Ack:
    return Ack(operators=sorted(robot.operators), robot_told=is_robot_told)


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
    is_robot_told = False
    with suppress(SignalingError):
        # The write cannot be repeated: the sender is not the owner any more.
        is_robot_told = yield from _notify_evicted(request, outcome)
    yield from attempt_all((DropShare(robot_id, user),))
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
    yield from attempt_all(DropShare(robot_id, each) for each in sorted(outcome.after.operators))
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
