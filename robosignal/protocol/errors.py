"""Why a request is refused: one class for each error code of the protocol.

    SignalingError
    ├── BadMessage        bad_message       400
    ├── UnknownType       unknown_type      400
    ├── Unauthorized      unauthorized      401
    ├── TokenExpired      token_expired     401
    ├── Forbidden         forbidden         403
    ├── RobotOffline      robot_offline     404
    ├── NotRegistered     not_registered    404
    ├── NoSession         no_session        404
    ├── OwnedByAnother    owned_by_another  409
    ├── RobotBusy         robot_busy        409
    ├── TooManyViewers    too_many_viewers  409
    ├── PeerGone          peer_gone         410
    ├── TooLarge          too_large         413
    ├── RateLimited       rate_limited      429
    ├── NoHistory         no_history        501
    ├── TryAgain          try_again         503
    └── Internal          internal          500

An error's fields say what happened. `str()` returns the sentence that its reader gets, with what
to do next.
"""

from typing import ClassVar

from robosignal.protocol.ids import RobotId, UserId


class SignalingError(Exception):
    """A request was refused. `code` and `status` are fixed by the protocol.

    A subclass's docstring says what happened, and `remedy` what its reader does: both are in
    `docs/reference/errors.md`.

    `reply_to` is the refused message's id, if it has a valid one; `kind` is its type, if the rest
    could not be parsed.
    """

    code: ClassVar[str]
    status: ClassVar[int]
    remedy: ClassVar[str]

    def __init__(self, robot_id: RobotId | None = None) -> None:
        super().__init__(robot_id)
        self.robot_id = robot_id
        self.reply_to: str | None = None
        self.kind: str | None = None


class BadMessage(SignalingError):
    """The message is not JSON, not an object, or a field is missing, wrong or too long."""

    code, status = "bad_message", 400
    remedy = "correct the sender; `message` names the field"

    def __init__(self, field: str, problem: str) -> None:
        super().__init__()
        self.field = field
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.field}: {self.problem}"


class UnknownType(SignalingError):
    """There is no message of this type."""

    code, status = "unknown_type", 400
    remedy = "correct the sender; `message` lists the types"

    def __init__(self, given: str, known: tuple[str, ...]) -> None:
        super().__init__()
        self.given = given
        self.known = known

    def __str__(self) -> str:
        return f"type: no message is called {self.given!r}; there are {', '.join(self.known)}"


class Unauthorized(SignalingError):
    """The token was refused, or the server does not know this connection."""

    code, status = "unauthorized", 401
    remedy = "connect again, with a new token"

    def __init__(self, reason: str) -> None:
        """`reason` is for the log only, so that the sentence tells an attacker nothing."""
        super().__init__()
        self.reason = reason

    def __str__(self) -> str:
        return "not signed in: connect again with a valid token"


class TokenExpired(SignalingError):
    """The connection's token has expired, and the server closes the connection."""

    code, status = "token_expired", 401
    remedy = "connect again, with a new token"

    def __str__(self) -> str:
        return "the token has expired: connect again with a new one"


class Forbidden(SignalingError):
    """The sender may not do this; a robot that does not exist gives the same answer."""

    code, status = "forbidden", 403
    remedy = (
        "read `message`: only the owner, admins and users of an accepted share may view a robot, "
        "or drive it if the share says so, and only the owner or an admin may forget it or take "
        "over from another user"
    )

    def __init__(self, robot_id: RobotId | None = None, why: str | None = None) -> None:
        super().__init__(robot_id)
        self.why = why

    def __str__(self) -> str:
        return self.why or "not allowed: ask the robot's owner, or an admin"


class RobotOffline(SignalingError):
    """The robot has no connection."""

    code, status = "robot_offline", 404
    remedy = "try again when the robot is back"

    def __str__(self) -> str:
        return "the robot is offline: try again when it is back"


class NotRegistered(SignalingError):
    """This connection is not the robot's current one."""

    code, status = "not_registered", 404
    remedy = (
        "if it replies to `register`, stop, since another device uses this id; if it replies "
        "to anything else, register again"
    )

    def __str__(self) -> str:
        return "this connection is not the robot's current one: register first"


class NoSession(SignalingError):
    """There is no such session, or it is not the sender's."""

    code, status = "no_session", 404
    remedy = "a client offers again; a robot closes that session's peer connection"

    def __str__(self) -> str:
        return "no such session of yours: a client opens one with an offer"


class OwnedByAnother(SignalingError):
    """Another user owns this robot id."""

    code, status = "owned_by_another", 409
    remedy = "choose another id, or use a token of its owner"

    def __str__(self) -> str:
        return "another user owns this robot id: choose another one, or ask its owner"


class RobotBusy(SignalingError):
    """Another session holds the control lease.

    `controlledBy` names its user; `you` is true if that is the sender's own user.
    """

    code, status = "robot_busy", 409
    remedy = "view it, ask for control, or take over"

    def __init__(self, robot_id: RobotId, user_id: UserId, name: str | None, *, you: bool) -> None:
        super().__init__(robot_id)
        self.user_id = user_id
        self.name = name
        self.you = you

    def __str__(self) -> str:
        if self.you:
            return "you drive this robot from another connection: take over, or view it"
        return f"{self.name or self.user_id} drives this robot: view it, or ask for control"


class TooManyViewers(SignalingError):
    """The robot has as many viewers as it may have."""

    code, status = "too_many_viewers", 409
    remedy = "try again when a viewer has left"

    def __init__(self, robot_id: RobotId, limit: int) -> None:
        super().__init__(robot_id)
        self.limit = limit

    def __str__(self) -> str:
        return f"the robot has {self.limit} viewers already: try again when one leaves"


class PeerGone(SignalingError):
    """The frame was not delivered, because the other end has lost its connection."""

    code, status = "peer_gone", 410
    remedy = "wait: the other end may resume the session"

    def __str__(self) -> str:
        return "not delivered: the other end has lost its connection, and may resume this session"


class TooLarge(SignalingError):
    """The message, its `payload`, its SDP or its candidate is over its limit in bytes."""

    code, status = "too_large", 413
    remedy = "send less at once; `message` names the field and the limit"

    def __init__(self, field: str, limit_bytes: int) -> None:
        super().__init__()
        self.field = field
        self.limit_bytes = limit_bytes

    def __str__(self) -> str:
        return f"{self.field}: over the limit of {self.limit_bytes} bytes; send less at once"


class RateLimited(SignalingError):
    """This connection, or all connections of its user together, send too many messages."""

    code, status = "rate_limited", 429
    remedy = "slow down: after the third second over the limit, the server closes the connection"

    def __init__(self, *, last: bool = False) -> None:
        super().__init__()
        self.last = last

    def __str__(self) -> str:
        return "too many messages: slow down, or this connection is closed"


class NoHistory(SignalingError):
    """This deployment keeps no history that it could answer from."""

    code, status = "no_history", 501
    remedy = (
        "on AWS, read the audit log with `robosignal history ROBOT --log-group NAME`, or with "
        "CloudWatch Logs Insights; on one machine, start the server with `--history-days` above 0"
    )

    def __str__(self) -> str:
        return (
            "this server keeps no history: on AWS use robosignal history --log-group, or Logs "
            "Insights; on one machine start it with --history-days above 0"
        )


class TryAgain(SignalingError):
    """The service is busy, this user takes this lease too often, or another change came first.

    What was asked for was not done, but what it displaced may have ended.
    """

    code, status = "try_again", 503
    remedy = "send the message again in a moment"

    def __init__(self, robot_id: RobotId | None = None, *, stamp: str | None = None) -> None:
        """`stamp` names the unanswered write to a robot's item that is the cause, if one is.

        That write may have been carried out. The stamp is never sent.
        """
        super().__init__(robot_id)
        self.stamp = stamp

    def __str__(self) -> str:
        return "the service is busy: send the message again in a moment"


class Internal(SignalingError):
    """The server failed; its log has an entry under `requestId`."""

    code, status = "internal", 500
    remedy = "report the `requestId`, and try again"

    def __init__(self, request_id: str = "") -> None:
        """`request_id` is empty for a step's error; the entry sets it for the reply."""
        super().__init__()
        self.request_id = request_id

    def __str__(self) -> str:
        return f"the server failed: report request {self.request_id}, and try again"
