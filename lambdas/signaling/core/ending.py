"""Ends one session, in whatever role it stands by then.

Between the read of a session and the write that ends it others may grant it control, or its
own connection release it. Knows which write fits which role; never why the session ends.
"""

from collections.abc import Mapping

from signaling.core.address import Found
from signaling.core.expressions import Write
from signaling.core.notices import Notice, control_of, notice, peer_left, told_viewers
from signaling.core.records import Robot
from signaling.core.steps import Flow, Won, write_robot
from signaling.core.writes import lease, places
from signaling.wire.ids import ConnectionId, RobotId, SessionId
from signaling.wire.messages import Role

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


def end(robot_id: RobotId, found: Found, ways: Ways) -> Flow[tuple[Won[Robot], Role] | None]:
    """End the session by the write that fits its role: the one it was found in is tried first.

    Return what the write did and the role that it ended; None when there was nothing to end.
    """
    role = found.role
    for _ in range(TRIES):
        outcome = yield from write_robot(robot_id, ways[role])
        if isinstance(outcome, Won):
            return outcome, role
        stands = outcome.item and outcome.item.session(found.session.session_id)
        if not stands or stands[1] == role:
            return None
        role = stands[1]
    return None


def told_of_end(robot: Robot, ended: Found) -> list[Notice]:
    """Return what tells the robot; and the viewers, if control is free by it."""
    left = peer_left(robot, ended.session, ended.role, "bye")
    return notice(robot, left) + told_freed(robot, ended)


def told_freed(robot: Robot, ended: Found) -> list[Notice]:
    """Return what tells the viewers that control is free, if it was the holder's session."""
    if ended.role == "viewer":
        return []
    return told_viewers(robot, control_of(robot), ended.session.session_id)
