"""The frames that a client may receive in the v1 dialect: one frozen struct for each type."""

from typing import Any, Literal

import msgspec
from msgspec import Struct

from robosignal.protocol.ids import ConnectionId, InstanceId, RobotId, SessionId, UserId
from robosignal.protocol.messages import Dialect, Role, ShareRole

Times = int
"""Epoch milliseconds."""

RelationName = Literal["owner", "operator", "viewer", "admin"]
TakeoverReason = Literal["owner", "admin", "self"]
LeaveReason = Literal["bye", "evicted", "restarted", "revoked", "unregistered"]
IntervalEnd = Literal[
    "lapsed",
    "takeover",
    "granted",
    "released",
    "promoted",
    "reconnected",
    "left",
    "dismissed",
    "unreachable",
    "unanswered",
    "restarted",
    "unregistered",
    "forgotten",
    "unshared",
    "transferred",
    "revoked",
    "unrecorded",
]
"""Why an interval of a robot's history ended."""


class Person(Struct, frozen=True, rename="camel", omit_defaults=True):
    """A user as others see them. The name comes from the token and is for display only."""

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
    """What a connection may send, and how many viewers a robot may have."""

    frame_bytes: int
    message_bytes: int
    sdp_bytes: int
    viewers: int


class Welcome(Reply, frozen=True, kw_only=True, tag="welcome"):
    """Answers `ready`: who the sender is, and the server's limits.

    `turn`: there are TURN servers too, for users who may view the robot that they ask for.
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
    groups_left_out: int = 0
    """How many of the token's groups give no share: only the first `GROUPS` count."""


class ControlState(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """Who drives: the epoch, and the holder's session, if there is one."""

    epoch: int
    session_id: SessionId | None = None
    right_seconds: int | None = None
    """What is left of the right of that session, as in `Right`."""


class SessionRight(Struct, frozen=True, kw_only=True, rename="camel"):
    """What is left of the right of a session's user, as in `Right`."""

    session_id: SessionId
    right_seconds: int


class Pong(Reply, frozen=True, kw_only=True, tag="pong"):
    """Answers `ping` with the present state, in case an earlier frame was lost.

    A robot gets the holder and every session's right; a client gets its session's role and the
    robot's epoch.
    """

    control: ControlState | None = None
    sessions: list[SessionRight] | None = None
    session_id: SessionId | None = None
    role: Role | None = None
    epoch: int | None = None


class IceServersReply(Reply, frozen=True, kw_only=True, tag="ice-servers"):
    """Answers `ice-servers`: RTCIceServer dictionaries, and how long they are valid.

    `turn`: there are TURN servers too, which this reply leaves out.
    """

    ice_servers: list[dict[str, Any]]
    ttl_seconds: int
    turn: bool = False


class SessionEntry(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A session of a robot."""

    session_id: SessionId
    person: Person
    role: Role
    right_seconds: int | None = None
    """What is left of the right of its user, as in `Right`."""


class Registered(Reply, frozen=True, kw_only=True, tag="registered"):
    """Answers `register` with the robot's epoch and its sessions."""

    robot_id: RobotId
    control: ControlState
    sessions: list[SessionEntry]
    heartbeat_seconds: int
    ice_servers: list[dict[str, Any]]
    turn: bool = False
    presence_seconds: int | None = None
    """How long presence lasts without renewal. Older servers send `lease_seconds` alone."""
    lease_seconds: int | None = None
    """The same, under its old name, which is sent for one version more."""


class ShareEntry(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One share of a robot, with a user or with a group."""

    user_id: UserId | None = None
    group: str | None = None
    role: ShareRole
    until: Times | None = None
    offered: bool = False
    """Whether its user has not accepted it yet, so that it gives no right."""


class Ack(Reply, frozen=True, kw_only=True, tag="ack"):
    """Says that a message was carried out.

    `robot_told` is false if it ended a user's control and the robot could not be told: because it
    is offline, cannot be reached, or is a seed robot. Until it learns of it, it may go on obeying
    that user.
    """

    session_id: SessionId | None = None
    role: Role | ShareRole | None = None
    """The session's role; to `accept`, that of the share."""
    epoch: int | None = None
    operators: list[UserId] | None = None
    """The users who may drive, by a share that they have accepted."""
    shares: list[ShareEntry] | None = None
    """Every share of the robot, and every offer."""
    robot_told: bool = True
    robot_id: RobotId | None = None
    """The robot that has enrolled, or that an invitation was for."""
    kid: str | None = None
    """The id of the key that was added."""
    pending: bool = False
    """Whether that key waits for approval."""


class KeyEntry(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One of a robot's keys."""

    kid: str
    fingerprint: str
    """What people compare: 80 bits in hexadecimal."""
    added_at: Times
    added_by: UserId | None = None
    """Who let it in; None: the robot itself, when it replaced its key."""
    last_used_at: Times | None = None
    not_after: Times | None = None
    """When it ends, if it does."""
    pending: bool = False
    """Whether it waits for approval."""


class KeysReply(Reply, frozen=True, kw_only=True, tag="keys"):
    """Answers `keys`."""

    robot_id: RobotId
    keys: list[KeyEntry]


class SharesReply(Reply, frozen=True, kw_only=True, tag="shares"):
    """Answers `shares`."""

    robot_id: RobotId
    shares: list[ShareEntry]
    """Every share of the robot, and every offer."""


class Code(Reply, frozen=True, kw_only=True, tag="code"):
    """Answers `create-code` and `invite`. The code is stored nowhere, and shown only here."""

    code: str
    expires_at: Times


class KeysSummary(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """How many keys a robot has, and what its owner should look at."""

    count: int
    pending: int = 0
    """How many of them wait for approval."""
    last_used_at: Times | None = None
    """When a connection last registered with one of them."""


class RobotEntry(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One robot of a list. Its presence and control are valid for `valid_for_seconds`."""

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
    not_renewed: Person | None = None
    """The last driver, whose lease has lapsed, while the robot may still obey them."""
    last_seen_at: Times | None = None
    """When a robot that is offline last renewed its presence; None: it has never registered."""
    keys: KeysSummary | None = None
    """For its owner and admins; None if it has no key."""
    until: Times | None = None
    """When the share ends that gives the reader the relation."""
    group: str | None = None
    """The group that the robot is shared with, if that gives the reader the relation."""


class OfferedEntry(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A robot that is offered to the reader, who has no right to it before `accept-share`."""

    robot_id: RobotId
    owner: Person
    role: ShareRole
    until: Times | None = None


class RobotsReply(Reply, frozen=True, kw_only=True, tag="robots"):
    """Answers `robots` and `watch`. `cursor` asks for the next page.

    `offered` is on the first page, if the sender has offers.
    """

    robots: list[RobotEntry]
    cursor: str | None = None
    offered: list[OfferedEntry] = []


class IntervalEntry(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One session in one role. Without `until`, it is not known to have ended."""

    person: Person
    role: Role
    session_id: SessionId
    epoch: int | None = None
    since: Times
    since_known: bool = True
    until: Times | None = None
    until_known: bool = True
    reason: IntervalEnd | None = None
    by: UserId | None = None
    began_by: str | None = None
    ended_by: str | None = None
    lapses_at: Times | None = None


class Gap(Struct, frozen=True, kw_only=True, rename="camel"):
    """A time in which the server did not run, so nothing was recorded."""

    since: Times
    until: Times


class HistoryReply(Reply, frozen=True, kw_only=True, tag="history"):
    """Answers `history`: intervals, the latest first. `cursor` asks for the next page.

    `kept_since`: nothing is kept of what ended before.
    """

    robot_id: RobotId
    intervals: list[IntervalEntry]
    gaps: list[Gap] = []
    kept_since: Times
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
    """A relayed message. Only a robot gets `person`; only the holder's session has `epoch`."""

    robot_id: RobotId
    session_id: SessionId
    role: Role
    payload: dict[str, Any]
    person: Person | None = None
    epoch: int | None = None
    pc_id: str | None = None
    seq: int | None = None


class Right(Struct, frozen=True, kw_only=True, rename="camel"):
    """What a session's user may do with the robot: what it leaves out, the user may not."""

    drive: bool = False
    """Whether the user may hold the lease."""
    owner: bool = False
    """Whether the user owns the robot."""
    right_seconds: int | None = None
    """How long the right lasts: whole seconds, rounded down, 0 if it has ended."""


class OfferRelay(Relay, frozen=True, kw_only=True, tag="offer"):
    """A relayed offer. `right` goes to the robot."""

    right: Right | None = None


class AnswerRelay(Relay, frozen=True, kw_only=True, tag="answer"):
    """A relayed answer."""


class CandidateRelay(Relay, frozen=True, kw_only=True, tag="ice-candidate"):
    """A relayed candidate."""


class TakeoverNotice(Frame, frozen=True, kw_only=True, tag="takeover"):
    """Tells a robot that this session has taken over."""

    robot_id: RobotId
    by: Person
    reason: TakeoverReason
    session_id: SessionId
    epoch: int
    right_seconds: int | None = None


class ControlLost(Frame, frozen=True, kw_only=True, tag="control-lost"):
    """Tells a displaced holder who drives now."""

    robot_id: RobotId
    session_id: SessionId
    by: Person
    epoch: int


class Control(Frame, frozen=True, kw_only=True, tag="control"):
    """Tells who drives now; without `session_id`, the lease is free.

    `right_seconds` goes to the robot.
    """

    robot_id: RobotId
    epoch: int
    session_id: SessionId | None = None
    person: Person | None = None
    right_seconds: int | None = None


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
    """Tells a watcher a robot's state. The higher `rev` is the newer state."""

    robot_id: RobotId
    rev: int
    online: bool
    valid_for_seconds: int
    controlled_by: Person | None = None
    not_renewed: Person | None = None
    """As in `RobotEntry`."""


class PeerLeft(Frame, frozen=True, kw_only=True, tag="peer-left"):
    """Tells that the other end has ended the session; not sent for a lost connection."""

    robot_id: RobotId
    session_id: SessionId
    reason: LeaveReason
    epoch: int | None = None


class Replaced(Frame, frozen=True, kw_only=True, tag="replaced"):
    """Tells a robot's older connection that a newer one has registered."""

    robot_id: RobotId
    instance_id: InstanceId | None = None


def encode(frame: Struct) -> bytes:
    """Return the frame as JSON in UTF-8."""
    return msgspec.json.encode(frame)
