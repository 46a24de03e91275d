"""Keeping presence and sessions alive: `ping` renews them, `resume` moves a session to a redial."""

from robosignal.protocol.errors import Forbidden, NoSession, NotRegistered
from robosignal.protocol.frames import Ack, Pong
from robosignal.protocol.ids import RobotId, SessionId, robot_of
from robosignal.protocol.messages import Ping, Resume, Role
from robosignal.server.core.acquisition import note_or_record_loss
from robosignal.server.core.addressing import ActiveSession
from robosignal.server.core.authorization import condition_for, refuse_robot_connections
from robosignal.server.core.delivery import notify
from robosignal.server.core.notices import (
    control_state,
    notices_to,
    robot_control_frame,
    session_rights,
)
from robosignal.server.core.records import Robot
from robosignal.server.core.request import Request, reply_epoch
from robosignal.server.core.steps import (
    ConditionFailed,
    Flow,
    Written,
    read_robot,
    write_robot,
)
from robosignal.server.core.writes import lease, presence, viewers


def ping(request: Request, message: Ping) -> Flow[Pong]:
    """Renew the presence or session that the message names, if any.

    Raise NotRegistered if the robot's presence is not on this connection, NoSession if the
    session is not.
    """
    refuse_mismatched_ping(request, message)
    if message.session_id is not None:
        robot, role = yield from _renew_session(request, message.session_id)
        pong = Pong(session_id=message.session_id, role=role, epoch=robot.epoch)
    elif message.robot_id is not None:
        robot = yield from _renew_presence(request, message.robot_id)
        pong = Pong(
            control=control_state(robot, request.now), sessions=session_rights(robot, request.now)
        )
    else:
        return Pong()
    return pong if request.sender.dialect == "v1" else Pong()


def refuse_mismatched_ping(request: Request, message: Ping) -> None:
    """Raise NoSession if a ping names a session and another robot, or comes from a robot.

    No connection is both a robot and a client.
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
    viewer = outcome.item and outcome.item.viewers.get(session_id)
    if viewer and viewer.connection_id == me:
        renewal = viewers.renew(session_id, me, request.viewer_until)
        outcome = yield from write_robot(robot_id, renewal)
        if isinstance(outcome, Written):
            return outcome.after, "viewer"
    raise NoSession(robot_id)


def resume(request: Request, message: Resume) -> Flow[Ack]:
    """Move the user's session to the sender's connection: same role, same epoch, no new offer.

    Raise NoSession if it has ended, or has moved to a newer connection.
    """
    robot_id = robot_of(message.session_id)
    refuse_robot_connections(request)
    yield from refuse_second_session(request, message.session_id)
    may = condition_for(Resume, request.sender)
    mine = request.own_session(message.session_id, request.lease_until)
    outcome = yield from write_robot(robot_id, lease.resume(mine, may))
    if isinstance(outcome, Written):
        return (yield from _note_resumed(request, outcome, ActiveSession(mine, "controller")))
    viewer = outcome.item and outcome.item.viewers.get(message.session_id)
    if viewer and viewer.user_id == request.sender.user_id:
        mine = request.own_session(message.session_id, request.viewer_until)
        outcome = yield from write_robot(robot_id, viewers.resume(mine, may))
        if isinstance(outcome, Written):
            return (yield from _note_resumed(request, outcome, ActiveSession(mine, "viewer")))
    raise NoSession(robot_id)


def refuse_second_session(request: Request, session_id: SessionId) -> Flow[None]:
    """Raise Forbidden if the sender has another session with that robot: it may have only one."""
    robot_id, sender = robot_of(session_id), request.sender
    if all(each == session_id or robot_of(each) != robot_id for each in sender.sessions):
        return
    robot = yield from read_robot(robot_id)
    found = robot and robot.session_at(sender.connection_id)
    if found and found[0].session_id != session_id:
        raise Forbidden(robot_id, "this connection has a session with this robot: send bye first")


def _note_resumed(request: Request, written: Written[Robot], found: ActiveSession) -> Flow[Ack]:
    """Note the session on the new connection's item; if that is gone, record the loss and raise.

    Then tell the robot if its driver's right ends at another time by the new connection's token:
    the next `pong` may come after the end that the robot knows. A viewer's may wait for it, as it
    matters only for a stop, and then the robot asks.
    """
    session_id, robot = found.session.session_id, written.after
    yield from note_or_record_loss(request, robot, found)
    held = written.before and written.before.controller
    if found.role == "controller" and (held is None or held.expires_at != found.session.expires_at):
        notices = notices_to(robot, robot_control_frame(robot, request.now))
        yield from notify(request, robot.robot_id, notices)
    epoch = reply_epoch(request, robot, found.role)
    return Ack(session_id=session_id, role=found.role, epoch=epoch)
