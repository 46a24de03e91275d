"""Judges a sender on an item that was read, and raises what tells it no more than it may know.

The table of rights is `policy`'s; what a write's condition judges by itself is not asked here.
"""

from robosignal.protocol.errors import Forbidden, NotRegistered, RobotOffline
from robosignal.protocol.ids import RobotId
from robosignal.protocol.messages import Message
from robosignal.server.core.policy import allowed
from robosignal.server.core.records import Robot
from robosignal.server.core.request import Request


def permitted(request: Request, message: Message, robot_id: RobotId, robot: Robot | None) -> Robot:
    """Return the robot if the sender may send it such a message.

    Raise NotRegistered to a connection that was the robot's and is no more; Forbidden, the
    same for a robot that does not exist; RobotOffline to an admin, who may know.
    """
    refuse_former(request, robot_id, robot)
    if not allowed(type(message), request.sender, robot):
        raise Forbidden(robot_id)
    if robot is None:
        raise RobotOffline(robot_id)
    return robot


def refuse_former(request: Request, robot_id: RobotId, robot: Robot | None) -> None:
    """Raise NotRegistered if the sender's connection was this robot's and is no more."""
    sender = request.sender
    current = robot is not None and robot.connection_id == sender.connection_id
    if sender.robot_id == robot_id and not current:
        raise NotRegistered(robot_id)


def refuse_robots(request: Request) -> None:
    """Raise Forbidden if the sender's connection is a robot's: such a one drives nothing."""
    if request.sender.robot_id is not None:
        raise robots_drive_nothing()


def robots_drive_nothing() -> Forbidden:
    """Return what a robot's connection is told that would drive."""
    return Forbidden(None, "a robot's connection drives no robot: open another one")
