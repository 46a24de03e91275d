"""The identifiers of the protocol, each as a type of its own so that none is used for another."""

from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import NewType

ConnectionId = NewType("ConnectionId", str)
"""One WebSocket, as API Gateway names it: opaque, at most 128 characters."""

RobotId = NewType("RobotId", str)
"""A registered device: `[A-Za-z0-9_.-]{1,64}`."""

UserId = NewType("UserId", str)
"""The user that a token names, its `sub`: printable ASCII, at most 128 characters."""

SessionId = NewType("SessionId", str)
"""A client's session with a robot: `<robotId>:<22 characters of base64url>`."""

InstanceId = NewType("InstanceId", str)
"""One run of a robot's process: `[A-Za-z0-9_.-]{1,64}`."""


def token_of(connection: ConnectionId) -> str:
    """Return 22 characters of base64url that identify this connection.

    They are derived, not random, so that two messages of one connection that are handled at the
    same time open the same session.
    """
    return urlsafe_b64encode(sha256(connection.encode()).digest()[:16]).decode().rstrip("=")


def session_id(robot: RobotId, connection: ConnectionId) -> SessionId:
    """Return the id of the session that this connection would open with this robot."""
    return SessionId(f"{robot}:{token_of(connection)}")


def robot_of(session: SessionId) -> RobotId:
    """Return the robot of a session, whose id begins with the robot's."""
    return RobotId(session.partition(":")[0])
