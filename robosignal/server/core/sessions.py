"""Ending a session: the message `bye`, by either end, and the writes and notices of every end."""

from collections.abc import Mapping
from dataclasses import dataclass

from robosignal.protocol.errors import NoSession
from robosignal.protocol.frames import Ack, PeerLeft
from robosignal.protocol.ids import ConnectionId, RobotId, SessionId
from robosignal.protocol.messages import Bye, Role
from robosignal.server.core.addressing import (
    ActiveSession,
    find_named_session,
    find_own_session,
    resolve_robot_id,
)
from robosignal.server.core.authorization import refuse_former_robot
from robosignal.server.core.conditional_writes import Write
from robosignal.server.core.delivery import notify
from robosignal.server.core.notices import (
    Notice,
    can_hear_control,
    control_frame,
    notices_to,
    notices_to_viewers,
    peer_left_frame,
)
from robosignal.server.core.records import Robot, Session
from robosignal.server.core.request import Request
from robosignal.server.core.steps import (
    Flow,
    Purpose,
    WriteConnection,
    Written,
    attempt_all,
    read_robot,
    write_robot,
)
from robosignal.server.core.writes import connections, lease, viewers

TRIES = 3
"""Only a misbehaving client changes its role more often than this between two writes."""

EndWrites = Mapping[Role, Write]
"""The write that ends a session, for each role that it may have."""


def bye(request: Request, message: Bye) -> Flow[Ack]:
    """End a session, by either end, and notify the other one. Raise NoSession if there is none."""
    robot_id = yield from resolve_robot_id(request, message)
    robot = yield from read_robot(robot_id)
    refuse_former_robot(request, robot_id, robot)
    if robot is None:
        raise NoSession(robot_id)
    if robot.connection_id == request.sender.connection_id:
        return (yield from _dismiss(request, robot, find_named_session(robot, message)))
    return (yield from _leave(request, robot, find_own_session(request, robot, message)))


def _leave(request: Request, robot: Robot, found: ActiveSession | None) -> Flow[Ack]:
    """End the sender's own session."""
    if found is None:
        raise NoSession(robot.robot_id)
    me, session_id = request.sender.connection_id, found.session.session_id
    ended = yield from end_session(robot.robot_id, found, writes_to_leave(session_id, me))
    if ended is None:
        raise NoSession(robot.robot_id)
    # The session has ended, so a note of it that stays on the item does no harm.
    yield from attempt_all((WriteConnection(me, connections.forget_session(session_id)),))
    is_robot_told = yield from notify(request, robot.robot_id, notices_of_end(ended))
    has_driven = ended.role == "controller"
    return Ack(robot_told=not has_driven or (is_robot_told and can_hear_control(ended.robot)))


def _dismiss(request: Request, robot: Robot, found: ActiveSession | None) -> Flow[Ack]:
    """End a client's session, by the robot."""
    if found is None:
        raise NoSession(robot.robot_id)
    writes = writes_to_dismiss(found.session.session_id, request.sender.connection_id)
    ended = yield from end_session(robot.robot_id, found, writes)
    if ended is None:
        raise NoSession(robot.robot_id)
    notices = notices_to(ended.session, end_frame(ended)) + notices_of_free_control(ended)
    yield from notify(request, robot.robot_id, notices)
    return Ack()


def writes_to_leave(session_id: SessionId, me: ConnectionId) -> EndWrites:
    """Return the writes by which a client ends its session."""
    return {"controller": lease.leave(session_id, me), "viewer": viewers.leave(session_id, me)}


def writes_to_dismiss(session_id: SessionId, robot: ConnectionId) -> EndWrites:
    """Return the writes by which a robot ends a client's session."""
    return {
        "controller": lease.dismiss(session_id, robot),
        "viewer": viewers.dismiss(session_id, robot),
    }


def writes_to_roll_back(session_id: SessionId, me: ConnectionId) -> EndWrites:
    """Return the writes that end a session that could not be introduced to its robot."""
    return {"controller": lease.roll_back(session_id, me), "viewer": viewers.leave(session_id, me)}


@dataclass(frozen=True, slots=True)
class EndedSession:
    """A session that has ended, as it last was, and its robot's item without it."""

    robot: Robot
    session: Session
    role: Role


def end_session(
    robot_id: RobotId, found: ActiveSession, writes: EndWrites, purpose: Purpose = "decide"
) -> Flow[EndedSession | None]:
    """End the session by the write that fits its role; return None if it has ended already.

    Its role may change between the read that found it and this write: others may grant it
    control, and its own connection may release it. So another role is tried when one fails.
    """
    session_id, role = found.session.session_id, found.role
    for _ in range(TRIES):
        outcome = yield from write_robot(robot_id, writes[role], purpose)
        if isinstance(outcome, Written):
            # It may have been resumed since it was found: its newest connection is notified.
            last = outcome.before and outcome.before.session(session_id)
            return EndedSession(outcome.after, last[0] if last else found.session, role)
        current = outcome.item and outcome.item.session(session_id)
        if not current or current[1] == role:
            return None
        role = current[1]
    return None


def end_frame(ended: EndedSession) -> PeerLeft:
    """Return the frame that tells the other end of it."""
    return peer_left_frame(ended.robot, ended.session, ended.role, "bye")


def notices_of_end(ended: EndedSession) -> list[Notice]:
    """Return the notices for the robot and, if the holder's session ended, for the viewers."""
    return notices_to(ended.robot, end_frame(ended)) + notices_of_free_control(ended)


def notices_of_free_control(ended: EndedSession) -> list[Notice]:
    """Return the notices that tell viewers that control is free, if it was the holder's session."""
    if ended.role == "viewer":
        return []
    return notices_to_viewers(ended.robot, control_frame(ended.robot), ended.session.session_id)
