"""What keeps a session or presence alive: ping and resume. And what ends one: bye.

Renewal and resumption are conditional on the connection or the user that has it.
"""

from signaling.core.address import Found, robot_addressed, session_of_client, session_of_robot
from signaling.core.delivery import notify
from signaling.core.ending import dismissing, end, leaving, left, told_freed, told_of_end
from signaling.core.introduction import note_or_lose
from signaling.core.notices import (
    can_be_told,
    control_state,
    notice,
)
from signaling.core.policy import right
from signaling.core.records import Robot
from signaling.core.request import Request, epoch_told
from signaling.core.rights import refuse_former, refuse_robots
from signaling.core.steps import (
    Flow,
    Refused,
    Won,
    WriteConnection,
    attempted,
    read_robot,
    write_robot,
)
from signaling.core.writes import lease, places, presence, rows
from signaling.wire.errors import Forbidden, NoSession, NotRegistered
from signaling.wire.frames import Ack, Pong
from signaling.wire.ids import RobotId, SessionId, robot_of
from signaling.wire.messages import Bye, Ping, Resume, Role


def ping(request: Request, message: Ping) -> Flow[Pong]:
    """Renew what the message names. Raise NotRegistered or NoSession if it is not there."""
    refuse_odd_pair(request, message)
    if message.session_id is not None:
        robot, role = yield from _renew_session(request, message.session_id)
        pong = Pong(session_id=message.session_id, role=role, epoch=robot.epoch)
    elif message.robot_id is not None:
        robot = yield from _renew_presence(request, message.robot_id)
        pong = Pong(control=control_state(robot))
    else:
        return Pong()
    return pong if request.sender.dialect == "v1" else Pong()


def refuse_odd_pair(request: Request, message: Ping) -> None:
    """Raise if a session is named beside a robot that it is not with, or by the robot itself.

    No connection is both ends: what else it has must stay as it is.
    """
    if message.robot_id is None or message.session_id is None:
        return
    robot_id = robot_of(message.session_id)
    if robot_id != message.robot_id or request.sender.robot_id is not None:
        raise NoSession(robot_id)


def _renew_presence(request: Request, robot_id: RobotId) -> Flow[Robot]:
    renewal = presence.renew(request.sender.connection_id, request.presence_until)
    outcome = yield from write_robot(robot_id, renewal)
    if isinstance(outcome, Refused):
        raise NotRegistered(robot_id)
    return outcome.after


def _renew_session(request: Request, session_id: SessionId) -> Flow[tuple[Robot, Role]]:
    robot_id, me = robot_of(session_id), request.sender.connection_id
    outcome = yield from write_robot(robot_id, lease.renew(session_id, me, request.lease_until))
    if isinstance(outcome, Won):
        return outcome.after, "controller"
    viewing = outcome.item and outcome.item.viewers.get(session_id)
    if viewing and viewing.connection_id == me:
        renewal = places.renew(session_id, me, request.place_until)
        outcome = yield from write_robot(robot_id, renewal)
        if isinstance(outcome, Won):
            return outcome.after, "viewer"
    raise NoSession(robot_id)


def resume(request: Request, message: Resume) -> Flow[Ack]:
    """Move the sender's user's session to this connection: same role, same epoch, no SDP."""
    robot_id = robot_of(message.session_id)
    refuse_robots(request)
    yield from refuse_second(request, message.session_id)
    may = right(Resume, request.sender)
    held = request.moved(message.session_id, request.lease_until)
    outcome = yield from write_robot(robot_id, lease.resume(held, may))
    if isinstance(outcome, Won):
        return (yield from _resumed(request, outcome.after, Found(held, "controller")))
    viewing = outcome.item and outcome.item.viewers.get(message.session_id)
    if viewing and viewing.user_id == request.sender.user_id:
        held = request.moved(message.session_id, request.place_until)
        outcome = yield from write_robot(robot_id, places.resume(held, may))
        if isinstance(outcome, Won):
            return (yield from _resumed(request, outcome.after, Found(held, "viewer")))
    raise NoSession(robot_id)


def refuse_second(request: Request, session_id: SessionId) -> Flow[None]:
    """Raise Forbidden if the sender has another session with that robot: it has one at most."""
    robot_id, sender = robot_of(session_id), request.sender
    if all(each == session_id or robot_of(each) != robot_id for each in sender.sessions):
        return
    robot = yield from read_robot(robot_id)
    found = robot and robot.session_at(sender.connection_id)
    if found and found[0].session_id != session_id:
        raise Forbidden(robot_id, "this connection has a session with this robot: send bye first")


def _resumed(request: Request, robot: Robot, found: Found) -> Flow[Ack]:
    """Note the session on the new connection's row; if that is gone, the socket is lost."""
    session_id = found.session.session_id
    yield from note_or_lose(request, robot, found)
    epoch = epoch_told(request, robot, found.role)
    return Ack(session_id=session_id, role=found.role, epoch=epoch)


def bye(request: Request, message: Bye) -> Flow[Ack]:
    """End a session, by either end, and tell the other one."""
    robot_id = yield from robot_addressed(request, message)
    robot = yield from read_robot(robot_id)
    refuse_former(request, robot_id, robot)
    if robot is None:
        raise NoSession(robot_id)
    if robot.connection_id == request.sender.connection_id:
        return (yield from _dismiss(request, robot, session_of_robot(robot, message)))
    return (yield from _leave(request, robot, session_of_client(request, robot, message)))


def _leave(request: Request, robot: Robot, found: Found | None) -> Flow[Ack]:
    """End the sender's own session."""
    if found is None:
        raise NoSession(robot.robot_id)
    me, session_id = request.sender.connection_id, found.session.session_id
    ended = yield from end(robot.robot_id, found, leaving(session_id, me))
    if ended is None:
        raise NoSession(robot.robot_id)
    # The session has ended: a note of it that stays on the row makes no difference to anybody.
    yield from attempted((WriteConnection(me, rows.forget_session(session_id)),))
    is_told = yield from notify(request, robot.robot_id, told_of_end(ended))
    drove = ended.role == "controller"
    return Ack(robot_told=not drove or (is_told and can_be_told(ended.robot)))


def _dismiss(request: Request, robot: Robot, found: Found | None) -> Flow[Ack]:
    """End a client's session, by the robot."""
    if found is None:
        raise NoSession(robot.robot_id)
    ways = dismissing(found.session.session_id, request.sender.connection_id)
    ended = yield from end(robot.robot_id, found, ways)
    if ended is None:
        raise NoSession(robot.robot_id)
    told = notice(ended.session, left(ended)) + told_freed(ended)
    yield from notify(request, robot.robot_id, told)
    return Ack()
