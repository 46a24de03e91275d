"""Resolves which robot and which session a message is about, in either dialect.

No other module reads `to` or `target`.
"""

import re
from dataclasses import dataclass

from robosignal.protocol import limits
from robosignal.protocol.errors import BadMessage, NoSession, Unauthorized
from robosignal.protocol.ids import ConnectionId, RobotId, robot_of, session_id
from robosignal.protocol.messages import Addressed, Role
from robosignal.server.core.records import Robot, Session
from robosignal.server.core.request import Request
from robosignal.server.core.steps import Flow, read_connection

_ROBOT_ID = re.compile(limits.ID_PATTERN)


@dataclass(frozen=True, slots=True)
class ActiveSession:
    """A session and its role."""

    session: Session
    role: Role


def refresh_sender(request: Request) -> Flow[Request]:
    """Read the sender's item again, unless it is known as a robot's, which never changes.

    Raise Unauthorized if the item is gone.
    """
    if request.sender.robot_id is not None:
        return request
    row = yield from read_connection(request.sender.connection_id)
    if row is None:
        raise Unauthorized("connection is gone")
    return request.with_sender(row)


def resolve_robot_id(request: Request, message: Addressed) -> Flow[RobotId]:
    """Return the id of the robot that a message is about.

    Raise NoSession if its session is with another robot; BadMessage if it names no robot, or if
    its `target` is not the other end.
    """
    robot_id = yield from _resolve_named_robot(request, message)
    # Checked before a robot is read, so that a stranger learns nothing about any robot.
    if message.target == "robot" and request.sender.robot_id == robot_id:
        raise BadMessage("target", "must be 'client': the sender is the robot")
    if message.target == "client" and not (yield from _has_registered(request, robot_id)):
        raise BadMessage("target", "must be 'robot': only a robot addresses a client")
    return robot_id


def _has_registered(request: Request, robot_id: RobotId) -> Flow[bool]:
    """Say whether the sender has registered this robot; its cached item may not show that yet."""
    if request.sender.robot_id == robot_id:
        return True
    return (yield from refresh_sender(request)).sender.robot_id == robot_id


def _resolve_named_robot(request: Request, message: Addressed) -> Flow[RobotId]:
    named = message.robot_id or _parse_to(request, message)
    if message.session_id is not None:
        robot_id = robot_of(message.session_id)
        if named not in (None, robot_id):
            raise NoSession(named)
        return robot_id
    if named is not None:
        return named
    sender = (yield from refresh_sender(request)).sender
    if sender.robot_id is None:
        raise BadMessage("robotId", "is missing")
    return sender.robot_id


def _parse_to(request: Request, message: Addressed) -> RobotId | None:
    """Return the robot that a client's `to` names, if any. A robot's `to` names a client."""
    if message.to is None or request.sender.robot_id is not None:
        return None
    # On AWS connection ids end in "=", and robot ids never do, so `to` is not ambiguous.
    return RobotId(message.to) if _ROBOT_ID.search(message.to) else None


def find_own_session(request: Request, robot: Robot, message: Addressed) -> ActiveSession | None:
    """Return the sender's own session with this robot; None if the message means another one."""
    found = robot.session_at(request.sender.connection_id)
    if found is None or message.session_id not in (None, found[0].session_id):
        return None
    return ActiveSession(*found)


def find_named_session(robot: Robot, message: Addressed) -> ActiveSession | None:
    """Return the session that a robot names, by its id or by the client's connection."""
    if message.session_id is not None:
        found = robot.session(message.session_id)
    else:
        client = message.client_connection_id or (message.to and ConnectionId(message.to))
        found = _find_session_with(robot, client) if client else None
    return ActiveSession(*found) if found else None


def _find_session_with(robot: Robot, client: ConnectionId) -> tuple[Session, Role] | None:
    # A seed robot keeps naming the connection that the offer came from. After that client has
    # redialled, only the session's id, which is derived from the older connection, matches.
    return robot.session_at(client) or robot.session(session_id(robot.robot_id, client))
