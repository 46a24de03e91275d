"""Keeping presence and sessions alive: `ping` renews them, `resume` moves a session to a redial."""

from robosignal.protocol.errors import Forbidden, NoSession, NotRegistered
from robosignal.protocol.frames import Ack, Pong
from robosignal.protocol.ids import RobotId, SessionId, robot_of
from robosignal.protocol.messages import Ping, RequestControl, Resume, Role
from robosignal.server.core.acquisition import note_or_record_loss
from robosignal.server.core.addressing import ActiveSession
from robosignal.server.core.authorization import (
    DRIVERS,
    VIEWERS,
    condition_for,
    find_relations,
    find_share,
    refuse_robot_connections,
)
from robosignal.server.core.delivery import notify
from robosignal.server.core.notices import (
    control_state,
    notices_to,
    robot_control_frame,
    session_rights,
)
from robosignal.server.core.records import Robot, RobotShare, Session
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
    found = outcome.item and outcome.item.session(session_id)
    if not outcome.item or not found or found[0].connection_id != me:
        raise NoSession(robot_id)
    return (yield from _renew_right(request, outcome.item, ActiveSession(*found)))


def _renew_right(request: Request, robot: Robot, found: ActiveSession) -> Flow[tuple[Robot, Role]]:
    """Renew a session whose right ends before a whole renewal would: its share may go on by now.

    Raise NoSession if the sender has no right any more. Tell the robot if its driver's right ends
    at another time than it knows.
    """
    sender, role, now = request.sender, found.role, request.now
    if found.session.right_until is None:
        raise NoSession(robot.robot_id)
    drives = role == "controller"
    if not find_relations(sender, robot, now) & (DRIVERS if drives else VIEWERS):
        raise NoSession(robot.robot_id)
    share = find_share(sender, robot, now, drive=drives)
    until = request.lease_until if drives else request.viewer_until
    mine = request.own_session(found.session.session_id, until, share)
    renew = lease.renew_right if drives else viewers.renew_right
    may = condition_for(RequestControl if drives else Resume, sender, share)
    outcome = yield from write_robot(robot.robot_id, renew(mine, may))
    if isinstance(outcome, ConditionFailed):
        raise NoSession(robot.robot_id)
    if drives and mine.right_until != found.session.right_until:
        notices = notices_to(outcome.after, robot_control_frame(outcome.after, now))
        yield from notify(request, robot.robot_id, notices)
    return outcome.after, role


def resume(request: Request, message: Resume) -> Flow[Ack]:
    """Move the user's session to the sender's connection: same role, same epoch, no new offer.

    Raise NoSession if it has ended, or has moved to a newer connection.
    """
    robot_id = robot_of(message.session_id)
    refuse_robot_connections(request)
    yield from refuse_second_session(request, message.session_id)
    # Without a read, only the right of an owner, an admin or a share without an end is known.
    may = condition_for(RequestControl, request.sender)
    mine = request.own_session(message.session_id, request.lease_until)
    outcome = yield from write_robot(robot_id, lease.resume(mine, may))
    if isinstance(outcome, Written):
        return (yield from _note_resumed(request, outcome, ActiveSession(mine, "controller")))
    found = outcome.item and outcome.item.session(message.session_id)
    if not outcome.item or not found or found[0].user_id != request.sender.user_id:
        raise NoSession(robot_id)
    drives = found[1] == "controller"
    share = find_share(request.sender, outcome.item, request.now, drive=drives)
    if drives and share in (None, RobotShare(request.sender.user_id, "operator")):
        # The write above has asked for that right already.
        raise NoSession(robot_id)
    until = request.lease_until if drives else request.viewer_until
    mine = request.own_session(message.session_id, until, share)
    resume_write = lease.resume if drives else viewers.resume
    may = condition_for(RequestControl if drives else Resume, request.sender, share)
    outcome = yield from write_robot(robot_id, resume_write(mine, may))
    if isinstance(outcome, ConditionFailed):
        raise NoSession(robot_id)
    return (yield from _note_resumed(request, outcome, ActiveSession(mine, found[1])))


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
    mine, session_id, robot = found.session, found.session.session_id, written.after
    yield from note_or_record_loss(request, robot, found)
    held = None if written.before is None else written.before.controller
    if found.role == "controller" and (held is None or _right_end(held) != _right_end(mine)):
        notices = notices_to(robot, robot_control_frame(robot, request.now))
        yield from notify(request, robot.robot_id, notices)
    epoch = reply_epoch(request, robot, found.role)
    return Ack(session_id=session_id, role=found.role, epoch=epoch)


def _right_end(session: Session) -> tuple[int, int | None]:
    return session.expires_at, session.right_until
