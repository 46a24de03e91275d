"""What a client may be sent, in the v1 dialect: one frozen struct for each frame.

Knows names and shapes; never who gets which, nor how a seed connection reads it.
"""

from typing import Any, Literal

import msgspec
from msgspec import Struct

from robosignal.protocol.ids import ConnectionId, InstanceId, RobotId, SessionId, UserId
from robosignal.protocol.messages import Dialect, Role

Times = int
"""Epoch milliseconds."""

RelationName = Literal["owner", "operator", "admin"]
TakeoverReason = Literal["owner", "admin", "self"]
LeaveReason = Literal["bye", "evicted", "restarted", "unregistered"]


class Person(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A user as others see them; the name, from the token, is for display only."""

    user_id: UserId
    name: str | None = None


class Frame(
    Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True, tag_field="type"
):
    """Any frame. Fields that hold their default are left out."""


class Reply(Frame, frozen=True, kw_only=True, omit_defaults=True):
    """A frame to the sender of a message; `reply_to` is that message's id."""

    reply_to: str | None = None


class Limits(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a connection may send, and how many may watch a robot."""

    frame_bytes: int
    message_bytes: int
    sdp_bytes: int
    viewers: int


class Welcome(Reply, frozen=True, kw_only=True, tag="welcome"):
    """Answers `ready`: who the sender is, and what it can count on.

    `turn`: there are TURN servers too, for users who may watch the robot that they ask for.
    """

    connection_id: ConnectionId
    user_id: UserId
    name: str | None = None
    protocol: int
    ice_servers: list[dict[str, Any]]
    turn: bool = False
    heartbeat_seconds: int
    expires_at: Times
    limits: Limits


class ControlState(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Where control stands: the epoch, and the session that it names, if any."""

    epoch: int
    session_id: SessionId | None = None


class Pong(Reply, frozen=True, kw_only=True, tag="pong"):
    """Answers `ping`, and tells how things stand, so that a frame that was lost is made good.

    A robot is told who holds; a client its session's role, and the robot's epoch.
    """

    control: ControlState | None = None
    session_id: SessionId | None = None
    role: Role | None = None
    epoch: int | None = None


class IceServersReply(Reply, frozen=True, kw_only=True, tag="ice-servers"):
    """Answers `ice-servers`: RTCIceServer dictionaries and how long they serve.

    `turn`: there are TURN servers besides, which were not given out.
    """

    ice_servers: list[dict[str, Any]]
    ttl_seconds: int
    turn: bool = False


class Engaged(Struct, frozen=True, kw_only=True, rename="camel"):
    """A session that stands."""

    session_id: SessionId
    person: Person
    role: Role


class Registered(Reply, frozen=True, kw_only=True, tag="registered"):
    """Answers `register`: sets the epoch that the robot goes by, and its sessions."""

    robot_id: RobotId
    control: ControlState
    sessions: list[Engaged]
    heartbeat_seconds: int
    ice_servers: list[dict[str, Any]]
    turn: bool = False
    presence_seconds: int | None = None
    """How long presence lasts without renewal. Older servers send `lease_seconds` alone."""
    lease_seconds: int | None = None
    """The same, under its old name, which is sent for one version more."""


class Ack(Reply, frozen=True, kw_only=True, tag="ack"):
    """Says that a message was carried out.

    `robot_told` is false when it ended somebody's control and the robot has not been told: it is
    offline, out of reach, or a seed. Until it hears of it, it may obey whom it obeyed.
    """

    session_id: SessionId | None = None
    role: Role | None = None
    epoch: int | None = None
    operators: list[UserId] | None = None
    robot_told: bool = True


class RobotEntry(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One robot of a list. What is said of presence and control holds `valid_for_seconds`."""

    robot_id: RobotId
    online: bool
    valid_for_seconds: int
    rev: int
    owner: Person
    relation: RelationName
    controlled_by: Person | None = None
    viewers: int
    metadata: dict[str, str]
    dialect: Dialect
    ice_restart: bool = True


class RobotsReply(Reply, frozen=True, kw_only=True, tag="robots"):
    """Answers `robots`, in pages: send the cursor to get the next."""

    robots: list[RobotEntry]
    cursor: str | None = None


class Error(Reply, frozen=True, kw_only=True, tag="error"):
    """Says why a message was refused, and what to do next."""

    code: str
    message: str
    robot_id: RobotId | None = None
    controlled_by: Person | None = None
    you: bool = False
    request_id: str | None = None


class Relay(Frame, frozen=True, kw_only=True):
    """A relayed message. `person` goes to the robot, `epoch` with the holder's session."""

    robot_id: RobotId
    session_id: SessionId
    role: Role
    payload: dict[str, Any]
    person: Person | None = None
    epoch: int | None = None
    pc_id: str | None = None
    seq: int | None = None


class OfferRelay(Relay, frozen=True, kw_only=True, tag="offer"):
    """A relayed offer."""


class AnswerRelay(Relay, frozen=True, kw_only=True, tag="answer"):
    """A relayed answer."""


class CandidateRelay(Relay, frozen=True, kw_only=True, tag="ice-candidate"):
    """A relayed candidate."""


class TakeoverNotice(Frame, frozen=True, kw_only=True, tag="takeover"):
    """Tells a robot that the lease has moved to this session."""

    robot_id: RobotId
    by: Person
    reason: TakeoverReason
    session_id: SessionId
    epoch: int


class ControlLost(Frame, frozen=True, kw_only=True, tag="control-lost"):
    """Tells a displaced holder who drives now."""

    robot_id: RobotId
    session_id: SessionId
    by: Person
    epoch: int


class Control(Frame, frozen=True, kw_only=True, tag="control"):
    """Tells of a change of the lease; without `session_id` it is free."""

    robot_id: RobotId
    epoch: int
    session_id: SessionId | None = None
    person: Person | None = None


class ControlRequested(Frame, frozen=True, kw_only=True, tag="control-requested"):
    """Tells the holder which viewer asks for control."""

    robot_id: RobotId
    session_id: SessionId
    by: Person


class ControlDenied(Frame, frozen=True, kw_only=True, tag="control-denied"):
    """Tells a viewer that the holder keeps control."""

    robot_id: RobotId
    by: Person


class Presence(Frame, frozen=True, kw_only=True, tag="presence"):
    """Tells a watcher how a robot stands. One with a lower `rev` than another is older news."""

    robot_id: RobotId
    rev: int
    online: bool
    valid_for_seconds: int
    controlled_by: Person | None = None


class PeerLeft(Frame, frozen=True, kw_only=True, tag="peer-left"):
    """Tells that the other end has ended the session; never sent for a lost socket."""

    robot_id: RobotId
    session_id: SessionId
    reason: LeaveReason
    epoch: int | None = None


class Replaced(Frame, frozen=True, kw_only=True, tag="replaced"):
    """Tells a robot's older socket that a newer one has registered."""

    robot_id: RobotId
    instance_id: InstanceId | None = None


def encode(frame: Struct) -> bytes:
    """Return the frame as the UTF-8 JSON that goes over the wire."""
    return msgspec.json.encode(frame)
