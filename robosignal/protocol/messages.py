"""The messages that a client may send: one frozen struct for each type."""

from typing import Annotated, Any, Literal, get_args

from msgspec import Meta, Struct, field

from robosignal.protocol import limits
from robosignal.protocol.device_keys import KID_PATTERN, PublicKey
from robosignal.protocol.ids import ConnectionId, InstanceId, RobotId, SessionId, UserId

Role = Literal["controller", "viewer"]
Dialect = Literal["seed", "v1"]
ShareRole = Literal["operator", "viewer"]

RobotIdField = Annotated[RobotId, Meta(pattern=limits.ID_PATTERN)]
SessionIdField = Annotated[SessionId, Meta(pattern=limits.SESSION_PATTERN)]
InstanceIdField = Annotated[InstanceId, Meta(pattern=limits.ID_PATTERN)]
MessageIdField = Annotated[str, Meta(pattern=limits.ID_PATTERN)]
UserIdField = Annotated[UserId, Meta(pattern=limits.USER_PATTERN)]
GroupField = Annotated[str, Meta(pattern=limits.GROUP_PATTERN)]
ConnectionIdField = Annotated[
    ConnectionId, Meta(min_length=1, max_length=limits.CONNECTION_ID_CHARACTERS)
]
AddressField = Annotated[str, Meta(min_length=1, max_length=limits.CONNECTION_ID_CHARACTERS)]
KidField = Annotated[str, Meta(pattern=KID_PATTERN)]
CodeField = Annotated[str, Meta(min_length=1, max_length=64)]
PatternField = Annotated[str, Meta(pattern=limits.PATTERN_PATTERN)]
Counter = Annotated[int, Meta(ge=1, le=2**53 - 1)]
TimeField = Annotated[int, Meta(ge=0, le=2**53 - 1)]
"""Epoch milliseconds."""


class Message(Struct, frozen=True, kw_only=True, rename="camel", tag_field="type", tag=""):
    """Any message. `id` is chosen by the sender; the reply has it as `replyTo`."""

    id: MessageIdField | None = None


class Ready(Message, frozen=True, kw_only=True, tag="ready"):
    """Asks for `welcome`; `protocol: 1` asks for the v1 dialect."""

    protocol: Literal[1] | None = None


class Ping(Message, frozen=True, kw_only=True, tag="ping"):
    """Keeps the connection from idling, and renews the presence or session that it names."""

    robot_id: RobotIdField | None = None
    session_id: SessionIdField | None = None


class IceServers(Message, frozen=True, kw_only=True, tag="ice-servers"):
    """Asks for ICE servers, including TURN servers if the sender may view this robot."""

    robot_id: RobotIdField | None = None


class Register(Message, frozen=True, kw_only=True, tag="register"):
    """Registers a robot on the sender's connection."""

    robot_id: RobotIdField
    instance_id: InstanceIdField | None = None
    metadata: dict[str, str] | None = None
    ice_restart: bool = True
    force: bool = False


class Unregister(Message, frozen=True, kw_only=True, tag="unregister"):
    """Ends the robot's presence; its owner stays."""

    robot_id: RobotIdField


class Forget(Message, frozen=True, kw_only=True, tag="forget"):
    """Deletes a robot, including its owner and epoch."""

    robot_id: RobotIdField


class SharedWith(Message, frozen=True, kw_only=True):
    """A message about a robot's share with a user or with a group: it names one of them."""

    robot_id: RobotIdField
    user_id: UserIdField | None = None
    group: GroupField | None = None


class Share(SharedWith, frozen=True, kw_only=True, tag="share"):
    """Offers a robot to a user, or shares it with a group; changes a share that there is.

    An `operator` may drive the robot while it is free; a `viewer` may only view it. `until` is the
    share's end, in epoch milliseconds.
    """

    role: ShareRole = "operator"
    until: Counter | None = None


class Unshare(SharedWith, frozen=True, kw_only=True, tag="unshare"):
    """Ends a share or withdraws an offer, and ends the sessions that came from it."""


class Shares(Message, frozen=True, kw_only=True, tag="shares"):
    """Asks for a robot's shares and offers."""

    robot_id: RobotIdField


class AcceptShare(Message, frozen=True, kw_only=True, tag="accept-share"):
    """Accepts the offer of a robot, which gives the sender no right until then."""

    robot_id: RobotIdField


class LeaveShare(Message, frozen=True, kw_only=True, tag="leave-share"):
    """Ends the sender's own share of a robot, or declines its offer."""

    robot_id: RobotIdField


class Invite(Message, frozen=True, kw_only=True, tag="invite"):
    """Makes an invitation: a code by which users get a share that they have accepted.

    `role` and `until` are the share's, as in `Share`.
    """

    robot_id: RobotIdField
    role: ShareRole = "operator"
    until: Counter | None = None
    uses: Annotated[int, Meta(ge=1, le=limits.SHARES)] = 1
    """How many users it invites."""
    ttl_seconds: Annotated[int, Meta(ge=60, le=limits.LONGEST_CODE_SECONDS)] = (
        limits.INVITATION_SECONDS
    )


class Accept(Message, frozen=True, kw_only=True, tag="accept"):
    """Accepts an invitation: the sender gets the share."""

    code: CodeField


class Transfer(Message, frozen=True, kw_only=True, tag="transfer"):
    """Gives a robot to another owner; its presence and its sessions end."""

    robot_id: RobotIdField
    user_id: UserIdField


class Enroll(Message, frozen=True, kw_only=True, tag="enroll"):
    """Lets a robot in by a key: its owner sends the key, or the robot itself sends a code."""

    robot_id: RobotIdField | None = None
    public_key: PublicKey | None = None
    owner_user_id: UserIdField | None = None
    """Who owns a new robot; for admins alone. None: the sender."""
    code: CodeField | None = None


class Keys(Message, frozen=True, kw_only=True, tag="keys"):
    """Asks for a robot's keys."""

    robot_id: RobotIdField


class RevokeKey(Message, frozen=True, kw_only=True, tag="revoke-key"):
    """Ends a key for good, and the robot's presence if this key has registered it.

    With `all` in place of `kid`, it ends every key of the robot.
    """

    robot_id: RobotIdField
    kid: KidField | None = None
    all: bool = False


class ApproveKey(Message, frozen=True, kw_only=True, tag="approve-key"):
    """Lets in a key that waits for approval."""

    robot_id: RobotIdField
    kid: KidField


class RotateKey(Message, frozen=True, kw_only=True, tag="rotate-key"):
    """A robot replaces its key; the old one is accepted for seven days more."""

    public_key: PublicKey
    proof: Annotated[str, Meta(min_length=1, max_length=limits.PROOF_CHARACTERS)]
    """A JWS (RFC 7515) by the new key, over `robotId`, `connectionId` and `kid`."""


class CreateCode(Message, frozen=True, kw_only=True, tag="create-code"):
    """Makes a code with which robots enrol themselves."""

    robot_id: RobotIdField | None = None
    pattern: PatternField | None = None
    """Ids with this beginning, such as `rover-*`."""
    uses: Annotated[int, Meta(ge=1, le=limits.CODE_USES)] = 1
    ttl_seconds: Annotated[int, Meta(ge=60, le=limits.LONGEST_CODE_SECONDS)] = limits.CODE_SECONDS
    approve: bool = False
    """Whether keys that come by it wait for approval."""
    owner_user_id: UserIdField | None = None
    """Who owns the robots; for admins alone. None: the sender."""


class Addressed(Message, frozen=True, kw_only=True):
    """A message to one end of a session, in any spelling that `addressing` reads."""

    robot_id: RobotIdField | None = None
    session_id: SessionIdField | None = None
    to: AddressField | None = None
    client_connection_id: ConnectionIdField | None = None
    target: Literal["robot", "client"] | None = None


class Relayed(Addressed, frozen=True, kw_only=True):
    """A message whose payload is relayed to the other end."""

    payload: dict[str, Any]
    pc_id: MessageIdField | None = None
    seq: Counter | None = None


class Offer(Relayed, frozen=True, kw_only=True, tag="offer"):
    """An SDP offer (RFC 8829): opens a session, or renegotiates an existing one."""

    role: Role | None = None


class Answer(Relayed, frozen=True, kw_only=True, tag="answer"):
    """An SDP answer."""


class IceCandidate(Relayed, frozen=True, kw_only=True, tag="ice-candidate"):
    """A trickled ICE candidate (RFC 8838), or the end of candidates."""

    word: str = field(default="ice-candidate", name="word")
    """The type as the sender wrote it, in lower case. `parse` sets it, never the sender."""


class Resume(Message, frozen=True, kw_only=True, tag="resume"):
    """Moves a session of the same user to this connection, after a redial."""

    session_id: SessionIdField


class Bye(Addressed, frozen=True, kw_only=True, tag="bye"):
    """Ends a session."""


class Takeover(Addressed, frozen=True, kw_only=True, tag="takeover"):
    """Moves the control lease to the sender at once."""


class ReleaseControl(Addressed, frozen=True, kw_only=True, tag="release-control"):
    """Frees the control lease; the holder becomes a viewer."""


class RequestControl(Addressed, frozen=True, kw_only=True, tag="request-control"):
    """A viewer asks the holder for the control lease."""


class GrantControl(Message, frozen=True, kw_only=True, tag="grant-control"):
    """The holder hands the lease to a viewer."""

    robot_id: RobotIdField
    session_id: SessionIdField


class DenyControl(Message, frozen=True, kw_only=True, tag="deny-control"):
    """The holder keeps the lease, and the viewer who asked is told."""

    robot_id: RobotIdField
    session_id: SessionIdField


class Watch(Message, frozen=True, kw_only=True, tag="watch"):
    """Asks for changes of the user's robots from now on; with `all`, of every robot, for admins."""

    all: bool = False


class Unwatch(Message, frozen=True, kw_only=True, tag="unwatch"):
    """Ends `watch`."""


class Robots(Message, frozen=True, kw_only=True, tag="robots"):
    """Asks for a list of robots."""

    robot_ids: Annotated[list[RobotIdField], Meta(max_length=limits.ROBOTS_PER_PAGE)] | None = None
    all: bool = False
    cursor: Annotated[str, Meta(min_length=1, max_length=1024)] | None = None


class History(Message, frozen=True, kw_only=True, tag="history"):
    """Asks who drove and who viewed a robot: for its owner and admins."""

    robot_id: RobotIdField
    since: TimeField | None = None
    until: TimeField | None = None
    user_id: UserIdField | None = None
    role: Role | None = None
    cursor: Annotated[str, Meta(min_length=1, max_length=1024)] | None = None


AnyMessage = (
    Ready
    | Ping
    | IceServers
    | Register
    | Unregister
    | Forget
    | Share
    | Unshare
    | Shares
    | AcceptShare
    | LeaveShare
    | Invite
    | Accept
    | Transfer
    | Enroll
    | Keys
    | RevokeKey
    | ApproveKey
    | RotateKey
    | CreateCode
    | Offer
    | Answer
    | IceCandidate
    | Resume
    | Bye
    | Takeover
    | ReleaseControl
    | RequestControl
    | GrantControl
    | DenyControl
    | Robots
    | Watch
    | Unwatch
    | History
)

MESSAGES: dict[str, type[AnyMessage]] = {
    str(kind.__struct_config__.tag): kind for kind in get_args(AnyMessage)
}
"""Every message, by the name of its type on the wire."""

ALIASES = {"candidate": "ice-candidate"}
