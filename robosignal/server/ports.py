"""What the rules need of the world, in the domain's words.

Adapters keep these promises: DynamoDB and the management API on AWS, memory over SQLite and
in-process delivery in the local gateway. Nothing here says how.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct

from robosignal.protocol.errors import SignalingError
from robosignal.protocol.frames import Reply
from robosignal.protocol.ids import ConnectionId, RobotId, UserId
from robosignal.protocol.messages import AnyMessage
from robosignal.server.core.conditional_writes import Condition, Write
from robosignal.server.core.records import Connection, Robot
from robosignal.server.core.steps import ConditionFailed, IceServers, Page, Watcher, Written

Jwk = Mapping[str, Any]
"""One RSA public key as a JSON Web Key (RFC 7517)."""


class KeySource(Protocol):
    """The public keys of one token issuer."""

    def key(self, kid: str) -> Jwk | None:
        """Return the key with exactly this id, or None when the issuer has no such key.

        Raise `KeysUnavailable` when that cannot be told now.
        """


class KeysUnavailable(Exception):
    """The issuer's keys could not be fetched, or not just now, so a token cannot be judged."""


class Poster(Protocol):
    """Delivers frames to connections."""

    def post(self, connection: ConnectionId, frame: bytes) -> bool:
        """Hand a frame over for delivery; False when that connection is gone.

        True means handed over, not received. Raise `TryAgain` when it could not be handed over
        for another reason (throttled, out of reach).
        """

    def close(self, connection: ConnectionId) -> None:
        """Close a connection; one that is gone already is no error. May raise `TryAgain`."""


class IceSource(Protocol):
    """The STUN and TURN servers that a peer connection may use."""

    def servers(self, user: UserId | None, now: int, until: int) -> IceServers:
        """Return what this user may use from `now` to `until` (epoch ms); None: what anyone may."""


class Store(Protocol):
    """Keeps connections' rows and robots' items; every write is atomic and conditional.

    Reads are consistent. Any method may raise `TryAgain` when the store is throttled.
    """

    def sender(self, connection: ConnectionId) -> Connection | None:
        """Return a row whose identity and dialect can be relied on, from memory if it may.

        That the connection is a robot's, or has sessions, may be news to it.
        """

    def connection(self, connection: ConnectionId) -> Connection | None:
        """Return a row as it is now."""

    def add_connection(self, row: Connection) -> None:
        """Keep the row of a connection that opens; one that is there stays as it is."""

    def remove_connection(self, connection: ConnectionId) -> Connection | None:
        """Delete a row and return it as it was."""

    def write_connection(
        self, connection: ConnectionId, write: Write
    ) -> Written[Connection] | ConditionFailed[Connection]:
        """Carry out a write to a row."""

    def robot(self, robot: RobotId) -> Robot | None:
        """Return a robot's item as it is now."""

    def robots(self, robots: Sequence[RobotId]) -> list[Robot]:
        """Return the items of those that exist, in the order asked."""

    def write_robot(self, robot: RobotId, write: Write) -> Written[Robot] | ConditionFailed[Robot]:
        """Carry out a write to a robot's item, which begins if the condition allows it.

        A write that had to be repeated, since its answer was lost, is Written, without `before`:
        unless another that is no renewal came between the two. One that was never answered
        raises `TryAgain` with its stamp.
        """

    def check_robot(self, robot: RobotId, write: Write) -> Written[Robot] | ConditionFailed[Robot]:
        """Evaluate a write to a robot's item now, without writing."""

    def remove_robot(self, robot: RobotId, when: Condition) -> bool:
        """Delete a robot's item if the condition holds of it; False when it does not."""

    def note_share(self, robot: RobotId, user: UserId) -> None:
        """Note for the user's list that this robot is shared; the item's operators decide."""

    def drop_share(self, robot: RobotId, user: UserId) -> None:
        """Take that note back, if there is one."""

    def watchers(self, watcher: str) -> tuple[Watcher, ...]:
        """Return the connections that are told of changes: a user's, or `#admins`. Bounded."""

    def owned(self, user: UserId, after: str | None, limit: int) -> Page:
        """Return the robots that a user owns."""

    def shared(self, user: UserId, after: str | None, limit: int) -> Page:
        """Return the robots that are shared with a user."""

    def fleet(self, shard: str, after: str | None, limit: int) -> Page:
        """Return every robot of one shard of the fleet."""


class Limiter(Protocol):
    """Counts what a connection, and the user behind it, sends."""

    def judge(self, by: Connection, message: AnyMessage | SignalingError, now: int) -> int:
        """Count one message at `now` (epoch ms): 0 within the limits, else which strike."""

    def note(self, by: Connection, message: AnyMessage, reply: Reply, now: int) -> None:
        """Note that a message was carried out."""

    def refuse(self, by: Connection, message: AnyMessage) -> None:
        """Note that a message was refused."""

    def forget(self, connection: ConnectionId) -> None:
        """Drop what is kept of a connection that has ended."""

    def may_take(self, user: UserId, robot: RobotId, now: int) -> bool:
        """Whether a user may take a robot's lease once more at `now` (epoch ms)."""

    def note_taken(self, user: UserId, robot: RobotId, now: int) -> None:
        """Note that a user has taken a robot's lease."""

    def may_push(self, robot: RobotId, now: int) -> bool:
        """Count a round of pushes to a robot's watchers; False when it is to wait."""


class Pacer(Protocol):
    """Counts what a connection sends, whatever it is."""

    def strike(self, connection: ConnectionId, now: int) -> int:
        """Count one thing at `now` (epoch ms): 0 within the limits, else which strike."""

    def forget(self, connection: ConnectionId) -> None:
        """Drop what is kept of a connection that has ended."""


class EventMetrics(Struct, frozen=True, kw_only=True):
    """What one event came to, for whoever watches the service; never whom it concerned."""

    kind: str
    """A message's type, `invalid` if it had none that could be read; else the event's route."""
    outcome: str
    """`ok`, or the code of the error that it was refused with."""
    reason: str | None
    """Why a token was refused; `keys`: it could not be judged, for want of its issuer's keys."""
    took_ms: int
    """From API Gateway's receipt of the event to its end here."""
    gone: int
    """How many connections turned out to be gone."""
    undelivered: int
    """How many posts AWS was too busy to take: their receivers learn by their next ping."""
    took_over: bool
    """Whether the lease was taken from somebody, or from nobody, by a takeover."""
    at: int
    """When it ended, in epoch ms."""


class Meter(Protocol):
    """Keeps count of what happens."""

    def record(self, metrics: EventMetrics) -> None:
        """Take one event's tally. Raises nothing."""
