"""Ends one session, in whatever role it stands by then.

Between the read of a session and the write that ends it others may grant it control, or its
own connection release it. Knows which write fits which role; never why the session ends.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from robosignal.protocol.frames import PeerLeft
from robosignal.protocol.ids import ConnectionId, RobotId, SessionId
from robosignal.protocol.messages import Role
from robosignal.server.core.address import Found
from robosignal.server.core.expressions import Write
from robosignal.server.core.notices import Notice, control_of, notice, peer_left, told_viewers
from robosignal.server.core.records import Robot, Session
from robosignal.server.core.steps import Flow, Won, write_robot
from robosignal.server.core.writes import lease, places

TRIES = 3
"""A role that changes between every two writes is nobody's accident."""

Ways = Mapping[Role, Write]
"""The write that ends a session, for each role in which it may stand."""


def leaving(session_id: SessionId, me: ConnectionId) -> Ways:
    """Return the writes by which a client ends its session."""
    return {"controller": lease.leave(session_id, me), "viewer": places.leave(session_id, me)}


def dismissing(session_id: SessionId, robot: ConnectionId) -> Ways:
    """Return the writes by which a robot ends a client's session."""
    dismiss = lease.dismiss(session_id, robot), places.dismiss(session_id, robot)
    return {"controller": dismiss[0], "viewer": dismiss[1]}


def giving_back(session_id: SessionId, me: ConnectionId) -> Ways:
    """Return the writes that end a session which was opened for nothing."""
    return {"controller": lease.give_back(session_id, me), "viewer": places.leave(session_id, me)}


@dataclass(frozen=True, slots=True)
class Ended:
    """A session that has ended, as it last stood, and its robot's item without it."""

    robot: Robot
    session: Session
    role: Role


def end(robot_id: RobotId, found: Found, ways: Ways) -> Flow[Ended | None]:
    """End the session by the write that fits its role: the one it was found in is tried first.

    Return None when there was nothing to end.
    """
    session_id, role = found.session.session_id, found.role
    for _ in range(TRIES):
        outcome = yield from write_robot(robot_id, ways[role])
        if isinstance(outcome, Won):
            # It may have been resumed since it was found: whoever is on it now is told.
            last = outcome.before and outcome.before.session(session_id)
            return Ended(outcome.after, last[0] if last else found.session, role)
        stands = outcome.item and outcome.item.session(session_id)
        if not stands or stands[1] == role:
            return None
        role = stands[1]
    return None


def left(ended: Ended) -> PeerLeft:
    """Return what tells the other end of it."""
    return peer_left(ended.robot, ended.session, ended.role, "bye")


def told_of_end(ended: Ended) -> list[Notice]:
    """Return what tells the robot; and the viewers, if control is free by it."""
    return notice(ended.robot, left(ended)) + told_freed(ended)


def told_freed(ended: Ended) -> list[Notice]:
    """Return what tells the viewers that control is free, if it was the holder's session."""
    if ended.role == "viewer":
        return []
    return told_viewers(ended.robot, control_of(ended.robot), ended.session.session_id)
