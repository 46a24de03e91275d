"""Who may send what.

`PERMISSIONS` says which relation to a robot each message needs. It is used in two ways: to check a
sender against an item that was read (`authorize`, `is_allowed`), and as part of a write's condition
(`condition_for`). A message type that is not in the table is refused.
"""

from enum import Enum

from robosignal.protocol.errors import Forbidden, NotRegistered, RobotOffline
from robosignal.protocol.frames import Right
from robosignal.protocol.ids import RobotId
from robosignal.protocol.messages import (
    Answer,
    ApproveKey,
    Bye,
    CreateCode,
    DenyControl,
    Enroll,
    Forget,
    GrantControl,
    History,
    IceCandidate,
    IceServers,
    Keys,
    Message,
    Offer,
    Ping,
    Ready,
    Register,
    ReleaseControl,
    RequestControl,
    Resume,
    RevokeKey,
    Robots,
    RotateKey,
    Share,
    Takeover,
    Transfer,
    Unregister,
    Unshare,
    Unwatch,
    Watch,
)
from robosignal.server.core.conditional_writes import AllOf, AnyOf, Compare, Condition, Contains
from robosignal.server.core.records import Connection, Robot, Session
from robosignal.server.core.request import Request


class Relation(Enum):
    """What a sender can be to a robot. Several can apply at once."""

    ANYONE = "anyone signed in"
    ROBOT = "the robot itself, on its current connection"
    OWNER = "the robot's owner"
    OPERATOR = "a user it is shared with"
    ADMIN = "an admin"
    HOLDERS_USER = "an operator whose session holds the lease"


DRIVERS = frozenset({Relation.OWNER, Relation.OPERATOR, Relation.ADMIN})

PERMISSIONS: dict[type[Message], frozenset[Relation]] = {
    Ready: frozenset({Relation.ANYONE}),
    Ping: frozenset({Relation.ANYONE}),
    IceServers: frozenset({Relation.ANYONE}),
    Robots: frozenset({Relation.ANYONE}),
    Watch: frozenset({Relation.ANYONE}),
    Unwatch: frozenset({Relation.ANYONE}),
    # The write's condition decides who may register which robot.
    Register: frozenset({Relation.ANYONE}),
    Unregister: frozenset({Relation.ROBOT}),
    Forget: frozenset({Relation.OWNER, Relation.ADMIN}),
    Share: frozenset({Relation.OWNER, Relation.ADMIN}),
    Unshare: frozenset({Relation.OWNER, Relation.ADMIN}),
    Transfer: frozenset({Relation.OWNER, Relation.ADMIN}),
    # The write's condition, and the code, decide who may enrol which robot.
    Enroll: frozenset({Relation.ANYONE}),
    CreateCode: frozenset({Relation.ANYONE}),
    Keys: frozenset({Relation.OWNER, Relation.ADMIN}),
    RevokeKey: frozenset({Relation.OWNER, Relation.ADMIN}),
    ApproveKey: frozenset({Relation.OWNER, Relation.ADMIN}),
    RotateKey: frozenset({Relation.ROBOT}),
    History: frozenset({Relation.OWNER, Relation.ADMIN}),
    Offer: DRIVERS | {Relation.ROBOT},
    Answer: DRIVERS | {Relation.ROBOT},
    IceCandidate: DRIVERS | {Relation.ROBOT},
    # To end a session one needs that session, and nothing else.
    Bye: frozenset({Relation.ANYONE}),
    Resume: DRIVERS,
    ReleaseControl: DRIVERS,
    RequestControl: DRIVERS,
    GrantControl: DRIVERS,
    DenyControl: DRIVERS,
    Takeover: frozenset({Relation.OWNER, Relation.ADMIN, Relation.HOLDERS_USER}),
}

ROBOTS_MESSAGES: frozenset[type[Message]] = frozenset(
    {
        Ready,
        Ping,
        IceServers,
        Register,
        Unregister,
        Offer,
        Answer,
        IceCandidate,
        Bye,
        RotateKey,
    }
)
"""What a connection may send that a robot has opened with its own key."""

ENROLLING_MESSAGES: frozenset[type[Message]] = frozenset({Ready, Ping, Enroll})
"""What a connection may send that a robot has opened to enrol itself by a code."""

ROBOT_CANNOT_DRIVE = "a robot's connection drives no robot: open another one"

NO_RELATIONS: frozenset[Relation] = frozenset()


def find_relations(sender: Connection, robot: Robot | None) -> frozenset[Relation]:
    """Return every relation of the sender to this robot; None is a robot that does not exist."""
    found = {Relation.ANYONE}
    if sender.is_admin:
        found.add(Relation.ADMIN)
    if robot is None:
        return frozenset(found)
    if robot.connection_id == sender.connection_id:
        found.add(Relation.ROBOT)
    if robot.owner_user_id == sender.user_id:
        found.add(Relation.OWNER)
    if sender.user_id in robot.operators:
        found.add(Relation.OPERATOR)
        # A lapsed lease stays in the item, and gives no right by itself.
        if robot.controller is not None and robot.controller.user_id == sender.user_id:
            found.add(Relation.HOLDERS_USER)
    return frozenset(found)


def refuse_unlisted(kind: type[Message]) -> None:
    """Raise Forbidden for a message type that no user may send, or that the table lacks."""
    if not PERMISSIONS.get(kind):
        raise Forbidden(None, "no user may send this type of message")


def refuse_by_kind(sender: Connection, message: Message) -> None:
    """Raise Forbidden for a message that this kind of connection never sends."""
    assertion, kind = sender.assertion, type(message)
    by_code = isinstance(message, Enroll) and message.code is not None
    if assertion is None:
        if by_code or kind is RotateKey:
            raise Forbidden(None, "only a robot sends this, on a connection that it opened itself")
        return
    if kind not in (ENROLLING_MESSAGES if assertion.enrolment else ROBOTS_MESSAGES) or (
        kind is Enroll and not by_code
    ):
        raise Forbidden(None, "a robot's own connection may not send this type of message")


def is_allowed(kind: type[Message], sender: Connection, robot: Robot | None) -> bool:
    """Say whether the sender may send this kind of message to this robot."""
    return bool(PERMISSIONS.get(kind, NO_RELATIONS) & find_relations(sender, robot))


def find_right(request: Request, robot: Robot, session: Session) -> Right:
    """Return what the sender may do with the robot over its session, for the robot's own use."""
    relations = find_relations(request.sender, robot)
    return Right(
        drive=bool(relations & DRIVERS),
        owner=Relation.OWNER in relations,
        right_seconds=session.right_seconds(request.now),
    )


def condition_for(kind: type[Message], sender: Connection) -> Condition:
    """Return the condition on the robot's item under which the sender may send this message.

    For an admin who may send it, an empty AllOf, which is true; for a sender that never may, an
    empty AnyOf, which is false.
    """
    may = PERMISSIONS.get(kind, NO_RELATIONS)
    if Relation.ADMIN in may and sender.is_admin:
        return AllOf(())
    ways: dict[Relation, Condition] = {
        Relation.OWNER: Compare(("ownerUserId",), "=", sender.user_id),
        Relation.OPERATOR: Contains(("operators",), sender.user_id),
        Relation.HOLDERS_USER: AllOf(
            (
                Contains(("operators",), sender.user_id),
                Compare(("controller", "userId"), "=", sender.user_id),
            )
        ),
    }
    return AnyOf(tuple(way for standing, way in ways.items() if standing in may))


def authorize(request: Request, message: Message, robot_id: RobotId, robot: Robot | None) -> Robot:
    """Return the robot if the sender may send this message to it.

    Raise NotRegistered for a connection on which the robot was registered before. Raise Forbidden
    without the permission, also if the robot does not exist, so that strangers cannot find out;
    for an admin, raise RobotOffline then.
    """
    refuse_former_robot(request, robot_id, robot)
    if not is_allowed(type(message), request.sender, robot):
        raise Forbidden(robot_id)
    if robot is None:
        raise RobotOffline(robot_id)
    return robot


def refuse_former_robot(request: Request, robot_id: RobotId, robot: Robot | None) -> None:
    """Raise NotRegistered if the robot was once registered on the sender's connection."""
    sender = request.sender
    current = robot is not None and robot.connection_id == sender.connection_id
    if sender.robot_id == robot_id and not current:
        raise NotRegistered(robot_id)


def refuse_robot_connections(request: Request) -> None:
    """Raise Forbidden if the sender's connection is a robot's."""
    if request.sender.robot_id is not None:
        raise Forbidden(None, ROBOT_CANNOT_DRIVE)
