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
    ├── TryAgain          try_again         503
    └── Internal          internal          500

An error holds what happened; `str()` composes the sentence that its reader gets, with what
to do next. Only the entry turns errors into replies.
"""

from typing import ClassVar

from signaling.wire.ids import RobotId, UserId


class SignalingError(Exception):
    """A request was refused. `code` and `status` are fixed by the protocol.

    `reply_to` is the refused message's id, where it bore a usable one; `kind` is its type, where
    it could not be read further.
    """

    code: ClassVar[str]
    status: ClassVar[int]

    def __init__(self, robot_id: RobotId | None = None) -> None:
        super().__init__(robot_id)
        self.robot_id = robot_id
        self.reply_to: str | None = None
        self.kind: str | None = None


class BadMessage(SignalingError):
    """The frame is not JSON, not an object, or one of its fields is missing or wrong."""

    code, status = "bad_message", 400

    def __init__(self, field: str, problem: str) -> None:
        super().__init__()
        self.field = field
        self.problem = problem

    def __str__(self) -> str:
        return f"{self.field}: {self.problem}"


class UnknownType(SignalingError):
    """The message's type is none that the protocol has."""

    code, status = "unknown_type", 400

    def __init__(self, given: str, known: tuple[str, ...]) -> None:
        super().__init__()
        self.given = given
        self.known = known

    def __str__(self) -> str:
        return f"type: no message is called {self.given!r}; there are {', '.join(self.known)}"


class Unauthorized(SignalingError):
    """No identity: the token was refused, or the connection is unknown.

    `reason` is for the log alone. The public text is the same for every cause, so that a
    refusal teaches an attacker nothing.
    """

    code, status = "unauthorized", 401

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason

    def __str__(self) -> str:
        return "not signed in: connect again with a valid token"


class TokenExpired(SignalingError):
    """The token with which the connection was opened has expired."""

    code, status = "token_expired", 401

    def __str__(self) -> str:
        return "the token has expired: connect again with a new one"


class Forbidden(SignalingError):
    """The sender may not do this. A robot that does not exist reads the same."""

    code, status = "forbidden", 403

    def __init__(self, robot_id: RobotId | None = None, why: str | None = None) -> None:
        super().__init__(robot_id)
        self.why = why

    def __str__(self) -> str:
        return self.why or "not allowed: ask the robot's owner, or an admin"


class RobotOffline(SignalingError):
    """The robot has no connection, or its connection turned out to be gone."""

    code, status = "robot_offline", 404

    def __str__(self) -> str:
        return "the robot is offline: try again when it is back"


class NotRegistered(SignalingError):
    """This connection is not the robot's current one."""

    code, status = "not_registered", 404

    def __str__(self) -> str:
        return "this connection is not the robot's current one: register first"


class NoSession(SignalingError):
    """The session does not exist, or it is not the sender's."""

    code, status = "no_session", 404

    def __str__(self) -> str:
        return "no such session of yours: a client opens one with an offer"


class OwnedByAnother(SignalingError):
    """Another user has claimed this robot id."""

    code, status = "owned_by_another", 409

    def __str__(self) -> str:
        return "another user owns this robot id: choose another one, or ask its owner"


class RobotBusy(SignalingError):
    """Somebody holds the robot's control lease."""

    code, status = "robot_busy", 409

    def __init__(self, robot_id: RobotId, user_id: UserId, name: str | None, *, you: bool) -> None:
        super().__init__(robot_id)
        self.user_id = user_id
        self.name = name
        self.you = you

    def __str__(self) -> str:
        if self.you:
            return "you drive this robot from another connection: take over, or watch"
        return f"{self.name or self.user_id} drives this robot: watch, or ask for control"


class TooManyViewers(SignalingError):
    """All places for viewers are taken."""

    code, status = "too_many_viewers", 409

    def __init__(self, robot_id: RobotId, limit: int) -> None:
        super().__init__(robot_id)
        self.limit = limit

    def __str__(self) -> str:
        return f"all {self.limit} places for viewers are taken: try again when one leaves"


class PeerGone(SignalingError):
    """Not delivered: the other end's connection is gone."""

    code, status = "peer_gone", 410

    def __str__(self) -> str:
        return "not delivered: the other end has lost its connection, and may resume this session"


class TooLarge(SignalingError):
    """A part of the message is over its limit in bytes."""

    code, status = "too_large", 413

    def __init__(self, field: str, limit_bytes: int) -> None:
        super().__init__()
        self.field = field
        self.limit_bytes = limit_bytes

    def __str__(self) -> str:
        return f"{self.field}: over the limit of {self.limit_bytes} bytes; send less at once"


class RateLimited(SignalingError):
    """This connection sends more messages than it may."""

    code, status = "rate_limited", 429

    def __init__(self, *, last: bool = False) -> None:
        super().__init__()
        self.last = last

    def __str__(self) -> str:
        return "too many messages: slow down, or this connection is closed"


class TryAgain(SignalingError):
    """AWS throttled us, keys are out of reach, or somebody else's write came in between.

    What was asked for is not given; whom it displaced on the way has been told.
    `stamp` names the write to a robot's item that was not answered, where that is the cause: it
    may have been carried out. It is never sent.
    """

    code, status = "try_again", 503

    def __init__(self, robot_id: RobotId | None = None, *, stamp: str | None = None) -> None:
        super().__init__(robot_id)
        self.stamp = stamp

    def __str__(self) -> str:
        return "the service is busy: send the message again in a moment"


class Internal(SignalingError):
    """Our own fault. Only the request id is told; the log has the rest."""

    code, status = "internal", 500

    def __init__(self, request_id: str = "") -> None:
        """`request_id` is empty where a step failed: the entry knows it."""
        super().__init__()
        self.request_id = request_id

    def __str__(self) -> str:
        return f"something failed on our side: report request {self.request_id}"
