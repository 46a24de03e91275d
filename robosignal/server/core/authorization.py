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
    Accept,
    AcceptShare,
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
    Invite,
    Keys,
    LeaveShare,
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
    ShareRole,
    Shares,
    Takeover,
    Transfer,
    Unregister,
    Unshare,
    Unwatch,
    Watch,
)
from robosignal.server.core.conditional_writes import (
    AllOf,
    AnyOf,
    Compare,
    Condition,
    Contains,
    Missing,
)
from robosignal.server.core.records import Connection, Robot, RobotShare, Session, group_key
from robosignal.server.core.request import Request


class Relation(Enum):
    """What a sender can be to a robot. Several can apply at once."""

    ANYONE = "anyone signed in"
    ROBOT = "the robot itself, on its current connection"
    OWNER = "the robot's owner"
    OPERATOR = "a user it is shared with, who may drive"
    VIEWER = "a user it is shared with, who may only view"
    ADMIN = "an admin"
    HOLDERS_USER = "an operator whose session holds the lease"


DRIVERS = frozenset({Relation.OWNER, Relation.OPERATOR, Relation.ADMIN})
VIEWERS = DRIVERS | {Relation.VIEWER}

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
    Shares: frozenset({Relation.OWNER, Relation.ADMIN}),
    Invite: frozenset({Relation.OWNER, Relation.ADMIN}),
    Transfer: frozenset({Relation.OWNER, Relation.ADMIN}),
    # The write's condition, and the code, decide who may enrol which robot.
    Enroll: frozenset({Relation.ANYONE}),
    CreateCode: frozenset({Relation.ANYONE}),
    Keys: frozenset({Relation.OWNER, Relation.ADMIN}),
    RevokeKey: frozenset({Relation.OWNER, Relation.ADMIN}),
    ApproveKey: frozenset({Relation.OWNER, Relation.ADMIN}),
    RotateKey: frozenset({Relation.ROBOT}),
    History: frozenset({Relation.OWNER, Relation.ADMIN}),
    # They act on what is the sender's own, or what was offered to it.
    AcceptShare: frozenset({Relation.ANYONE}),
    LeaveShare: frozenset({Relation.ANYONE}),
    # The invitation decides which share its user gets.
    Accept: frozenset({Relation.ANYONE}),
    # An offer as controller takes the right to drive: `find_driving_share` asks for it.
    Offer: VIEWERS | {Relation.ROBOT},
    Answer: VIEWERS | {Relation.ROBOT},
    IceCandidate: VIEWERS | {Relation.ROBOT},
    # To end a session one needs that session, and nothing else.
    Bye: frozenset({Relation.ANYONE}),
    Resume: VIEWERS,
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

VIEW_ONLY = "you may view this robot, not drive it: offer with role viewer, or ask its owner"

NO_RELATIONS: frozenset[Relation] = frozenset()


def find_relations(sender: Connection, robot: Robot | None, now: int) -> frozenset[Relation]:
    """Return every relation of the sender to this robot; None is a robot that does not exist.

    `now` is in epoch ms: a share that has ended is none.
    """
    found = {Relation.ANYONE}
    if sender.is_admin:
        found.add(Relation.ADMIN)
    if robot is None:
        return frozenset(found)
    if robot.connection_id == sender.connection_id:
        found.add(Relation.ROBOT)
    if robot.owner_user_id == sender.user_id:
        found.add(Relation.OWNER)
    shares = find_shares(sender, robot, now)
    if any(each.role == "viewer" for each in shares):
        found.add(Relation.VIEWER)
    if any(each.role == "operator" for each in shares):
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


def is_allowed(kind: type[Message], sender: Connection, robot: Robot | None, now: int) -> bool:
    """Say whether the sender may send this kind of message to this robot. `now`: epoch ms."""
    return bool(PERMISSIONS.get(kind, NO_RELATIONS) & find_relations(sender, robot, now))


def find_shares(sender: Connection, robot: Robot, now: int) -> list[RobotShare]:
    """Return the shares that give the sender a right now: its own, and those of its groups."""
    keys = (sender.user_id, *map(group_key, sender.groups))
    found = (robot.share_with(key, now) for key in keys)
    return [each for each in found if each is not None and not each.offered]


def find_share(
    sender: Connection, robot: Robot, now: int, *, drive: bool = False
) -> RobotShare | None:
    """Return the share that gives the sender the most right to this robot, if one does.

    None if the sender is the owner or an admin, who need none, or has no share. With `drive`, only
    a share with the right to drive. Otherwise that comes first, then the share that ends last.
    """
    shares = find_shares_needed(sender, robot, now)
    driving = [each for each in shares if each.role == "operator"]
    found = driving if drive else driving or shares
    return max(found, key=lambda each: (each.until is None, each.until or 0), default=None)


def find_shares_needed(sender: Connection, robot: Robot, now: int) -> list[RobotShare]:
    """Return the shares that give the sender a right; none for the owner and admins."""
    if sender.is_admin or robot.owner_user_id == sender.user_id:
        return []
    return find_shares(sender, robot, now)


def find_driving_share(request: Request, robot: Robot) -> RobotShare | None:
    """Return the share by which the sender may drive; None for the owner and admins.

    Raise Forbidden if the sender may only view.
    """
    if not find_relations(request.sender, robot, request.now) & DRIVERS:
        raise Forbidden(robot.robot_id, VIEW_ONLY)
    return find_share(request.sender, robot, request.now, drive=True)


def find_right(request: Request, robot: Robot, session: Session) -> Right:
    """Return what the sender may do with the robot over its session, for the robot's own use."""
    relations = find_relations(request.sender, robot, request.now)
    return Right(
        drive=bool(relations & DRIVERS),
        owner=Relation.OWNER in relations,
        right_seconds=session.right_seconds(request.now),
    )


def condition_for(
    kind: type[Message], sender: Connection, share: RobotShare | None = None
) -> Condition:
    """Return the condition on the robot's item under which the sender may send this message.

    `share`: the share that gives the right, as the item that was read has it. Without one, only
    the sender's own share without an end counts, which is all that can be told without a read.
    For an admin who may send it, an empty AllOf, which is true; for a sender that never may, an
    empty AnyOf, which is false.
    """
    may = PERMISSIONS.get(kind, NO_RELATIONS)
    if Relation.ADMIN in may and sender.is_admin:
        return AllOf(())
    shared = share or RobotShare(sender.user_id, "operator")
    has_share = is_shared(shared)
    holds = Compare(("controller", "userId"), "=", sender.user_id)
    ways: dict[Relation, Condition] = {
        Relation.OWNER: Compare(("ownerUserId",), "=", sender.user_id),
        SHARED_AS[shared.role]: has_share,
        Relation.HOLDERS_USER: AllOf((has_share, holds)),
    }
    return AnyOf(tuple(way for standing, way in ways.items() if standing in may))


SHARED_AS: dict[ShareRole, Relation] = {
    "operator": Relation.OPERATOR,
    "viewer": Relation.VIEWER,
}


def is_shared(share: RobotShare) -> Condition:
    """Require that the item has this share, with this role and this end."""
    end = ("ends", share.grantee)
    ends = Missing(end) if share.until is None else Compare(end, "=", share.until)
    role = ("operators",) if share.role == "operator" else ("viewOnly",)
    return AllOf((Contains(role, share.grantee), ends))


def authorize(request: Request, message: Message, robot_id: RobotId, robot: Robot | None) -> Robot:
    """Return the robot if the sender may send this message to it.

    Raise NotRegistered for a connection on which the robot was registered before. Raise Forbidden
    without the permission, also if the robot does not exist, so that strangers cannot find out;
    for an admin, raise RobotOffline then.
    """
    refuse_former_robot(request, robot_id, robot)
    if not is_allowed(type(message), request.sender, robot, request.now):
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
