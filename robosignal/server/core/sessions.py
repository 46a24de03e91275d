"""Ends one session, in whatever role it stands by then.

Between the read of a session and the write that ends it others may grant it control, or its
own connection release it. Knows which write fits which role; never why the session ends.
"""

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
from robosignal.server.core.authorization import (
    refuse_former_robot,
)
from robosignal.server.core.conditional_writes import Write
from robosignal.server.core.delivery import notify
from robosignal.server.core.notices import (
    Notice,
    can_hear_control,
    control_frame,
    notices_to,
    peer_left_frame,
    viewer_notices,
)
from robosignal.server.core.records import Robot, Session
from robosignal.server.core.request import Request
from robosignal.server.core.steps import (
    Flow,
    WriteConnection,
    Written,
    attempt_all,
    read_robot,
    write_robot,
)
from robosignal.server.core.writes import connections, lease, viewers

TRIES = 3
"""A role that changes between every two writes is nobody's accident."""

EndWrites = Mapping[Role, Write]
"""The write that ends a session, for each role in which it may stand."""


def writes_to_leave(session_id: SessionId, me: ConnectionId) -> EndWrites:
    """Return the writes by which a client ends its session."""
    return {"controller": lease.leave(session_id, me), "viewer": viewers.leave(session_id, me)}


def writes_to_dismiss(session_id: SessionId, robot: ConnectionId) -> EndWrites:
    """Return the writes by which a robot ends a client's session."""
    dismiss = lease.dismiss(session_id, robot), viewers.dismiss(session_id, robot)
    return {"controller": dismiss[0], "viewer": dismiss[1]}


def writes_to_roll_back(session_id: SessionId, me: ConnectionId) -> EndWrites:
    """Return the writes that end a session which was opened for nothing."""
    return {"controller": lease.roll_back(session_id, me), "viewer": viewers.leave(session_id, me)}


@dataclass(frozen=True, slots=True)
class EndedSession:
    """A session that has ended, as it last stood, and its robot's item without it."""

    robot: Robot
    session: Session
    role: Role


def end_session(
    robot_id: RobotId, found: ActiveSession, ways: EndWrites
) -> Flow[EndedSession | None]:
    """End the session by the write that fits its role: the one it was found in is tried first.

    Return None when there was nothing to end.
    """
    session_id, role = found.session.session_id, found.role
    for _ in range(TRIES):
        outcome = yield from write_robot(robot_id, ways[role])
        if isinstance(outcome, Written):
            # It may have been resumed since it was found: whoever is on it now is told.
            last = outcome.before and outcome.before.session(session_id)
            return EndedSession(outcome.after, last[0] if last else found.session, role)
        stands = outcome.item and outcome.item.session(session_id)
        if not stands or stands[1] == role:
            return None
        role = stands[1]
    return None


def end_frame(ended: EndedSession) -> PeerLeft:
    """Return what tells the other end of it."""
    return peer_left_frame(ended.robot, ended.session, ended.role, "bye")


def end_notices(ended: EndedSession) -> list[Notice]:
    """Return what tells the robot; and the viewers, if control is free by it."""
    return notices_to(ended.robot, end_frame(ended)) + freed_notices(ended)


def freed_notices(ended: EndedSession) -> list[Notice]:
    """Return what tells the viewers that control is free, if it was the holder's session."""
    if ended.role == "viewer":
        return []
    return viewer_notices(ended.robot, control_frame(ended.robot), ended.session.session_id)


def bye(request: Request, message: Bye) -> Flow[Ack]:
    """End a session, by either end, and tell the other one."""
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
    # The session has ended: a note of it that stays on the row makes no difference to anybody.
    yield from attempt_all((WriteConnection(me, connections.forget_session(session_id)),))
    is_told = yield from notify(request, robot.robot_id, end_notices(ended))
    drove = ended.role == "controller"
    return Ack(robot_told=not drove or (is_told and can_hear_control(ended.robot)))


def _dismiss(request: Request, robot: Robot, found: ActiveSession | None) -> Flow[Ack]:
    """End a client's session, by the robot."""
    if found is None:
        raise NoSession(robot.robot_id)
    ways = writes_to_dismiss(found.session.session_id, request.sender.connection_id)
    ended = yield from end_session(robot.robot_id, found, ways)
    if ended is None:
        raise NoSession(robot.robot_id)
    told = notices_to(ended.session, end_frame(ended)) + freed_notices(ended)
    yield from notify(request, robot.robot_id, told)
    return Ack()
