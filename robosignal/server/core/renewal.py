"""What keeps a session or presence alive: ping and resume. And what ends one: bye.

Renewal and resumption are conditional on the connection or the user that has it.
"""

from robosignal.protocol.errors import Forbidden, NoSession, NotRegistered
from robosignal.protocol.frames import Ack, Pong
from robosignal.protocol.ids import RobotId, SessionId, robot_of
from robosignal.protocol.messages import Ping, Resume, Role
from robosignal.server.core.acquisition import explain_missing_note, note_session
from robosignal.server.core.addressing import (
    ActiveSession,
)
from robosignal.server.core.authorization import (
    condition_for,
    refuse_robot_connections,
)
from robosignal.server.core.delivery import loss_write
from robosignal.server.core.notices import control_state
from robosignal.server.core.records import Robot
from robosignal.server.core.request import Request, reply_epoch
from robosignal.server.core.steps import (
    ConditionFailed,
    Flow,
    WriteRobot,
    Written,
    attempt_all,
    perform_all,
    read_robot,
    write_robot,
)
from robosignal.server.core.writes import lease, presence, viewers


def ping(request: Request, message: Ping) -> Flow[Pong]:
    """Renew what the message names. Raise NotRegistered or NoSession if it is not there."""
    refuse_mismatched_ping(request, message)
    if message.session_id is not None:
        robot, role = yield from _renew_session(request, message.session_id)
        pong = Pong(session_id=message.session_id, role=role, epoch=robot.epoch)
    elif message.robot_id is not None:
        robot = yield from _renew_presence(request, message.robot_id)
        pong = Pong(control=control_state(robot))
    else:
        return Pong()
    return pong if request.sender.dialect == "v1" else Pong()


def refuse_mismatched_ping(request: Request, message: Ping) -> None:
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
    if isinstance(outcome, ConditionFailed):
        raise NotRegistered(robot_id)
    return outcome.after


def _renew_session(request: Request, session_id: SessionId) -> Flow[tuple[Robot, Role]]:
    robot_id, me = robot_of(session_id), request.sender.connection_id
    outcome = yield from write_robot(robot_id, lease.renew(session_id, me, request.lease_until))
    if isinstance(outcome, Written):
        return outcome.after, "controller"
    viewing = outcome.item and outcome.item.viewers.get(session_id)
    if viewing and viewing.connection_id == me:
        renewal = viewers.renew(session_id, me, request.place_until)
        outcome = yield from write_robot(robot_id, renewal)
        if isinstance(outcome, Written):
            return outcome.after, "viewer"
    raise NoSession(robot_id)


def resume(request: Request, message: Resume) -> Flow[Ack]:
    """Move the sender's user's session to this connection: same role, same epoch, no SDP."""
    robot_id = robot_of(message.session_id)
    refuse_robot_connections(request)
    yield from refuse_second_session(request, message.session_id)
    may = condition_for(Resume, request.sender)
    held = request.moved(message.session_id, request.lease_until)
    outcome = yield from write_robot(robot_id, lease.resume(held, may))
    if isinstance(outcome, Written):
        return (yield from _note_resumed(request, outcome.after, ActiveSession(held, "controller")))
    viewing = outcome.item and outcome.item.viewers.get(message.session_id)
    if viewing and viewing.user_id == request.sender.user_id:
        held = request.moved(message.session_id, request.place_until)
        outcome = yield from write_robot(robot_id, viewers.resume(held, may))
        if isinstance(outcome, Written):
            return (yield from _note_resumed(request, outcome.after, ActiveSession(held, "viewer")))
    raise NoSession(robot_id)


def refuse_second_session(request: Request, session_id: SessionId) -> Flow[None]:
    """Raise Forbidden if the sender has another session with that robot: it has one at most."""
    robot_id, sender = robot_of(session_id), request.sender
    if all(each == session_id or robot_of(each) != robot_id for each in sender.sessions):
        return
    robot = yield from read_robot(robot_id)
    found = robot and robot.session_at(sender.connection_id)
    if found and found[0].session_id != session_id:
        raise Forbidden(robot_id, "this connection has a session with this robot: send bye first")


def _note_resumed(request: Request, robot: Robot, found: ActiveSession) -> Flow[Ack]:
    """Note the session on the new connection's row; if that is gone, the socket is lost."""
    session_id = found.session.session_id
    (noted,) = yield from perform_all((note_session(request, session_id),))
    if isinstance(noted, ConditionFailed):
        lost = WriteRobot(robot.robot_id, loss_write(found.session, found.role, request.now))
        yield from attempt_all((lost,), "reserved")
        raise explain_missing_note(robot, noted)
    epoch = reply_epoch(request, robot, found.role)
    return Ack(session_id=session_id, role=found.role, epoch=epoch)
