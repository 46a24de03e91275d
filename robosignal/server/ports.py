"""What the rules need of the outside, in the domain's terms.

There are two sets of adapters: DynamoDB and the management API on AWS; memory over SQLite and
sockets in the process for the local gateway.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from msgspec import Struct

from robosignal.protocol.errors import SignalingError
from robosignal.protocol.frames import Reply
from robosignal.protocol.ids import ConnectionId, RobotId, UserId
from robosignal.protocol.messages import AnyMessage
from robosignal.server.core.conditional_writes import Condition, Write
from robosignal.server.core.intervals import Line
from robosignal.server.core.records import Code, Connection, Invitation, Robot
from robosignal.server.core.steps import (
    ConditionFailed,
    HistoryPage,
    IceServers,
    Page,
    ReadHistory,
    Watcher,
    Written,
)

Jwk = Mapping[str, Any]
"""One RSA public key as a JSON Web Key (RFC 7517)."""


class KeySource(Protocol):
    """The public keys of one token issuer."""

    def key(self, kid: str) -> Jwk | None:
        """Return the key whose `kid` (RFC 7517, section 4.5) is this; None if there is none.

        Raise `KeysUnavailable` if that is not known now.
        """


class KeysUnavailable(Exception):
    """The issuer's keys could not be fetched, so a token cannot be verified now."""


class Poster(Protocol):
    """Delivers frames to connections."""

    def post(self, connection: ConnectionId, frame: bytes) -> bool:
        """Post a frame of JSON; return whether the connection exists.

        True does not prove that the frame was received. Raise `TryAgain` if it could not be posted
        for another reason, such as a throttle.
        """

    def close(self, connection: ConnectionId) -> None:
        """Close a connection, if it exists. Raise `TryAgain` if that failed."""


class IceSource(Protocol):
    """The STUN and TURN servers that a peer connection may use."""

    def servers(self, user: UserId | None, now: int, until: int) -> IceServers:
        """Return servers for this user from `now` to `until` (epoch ms); for None, those of all.

        Credentials in them end by `until` (draft-uberti-behave-turn-rest-00).
        """


class History(Protocol):
    """Keeps who drove and who viewed each robot, from when until when."""

    def note(self, line: Line) -> None:
        """Follow one line of the audit log. Raise nothing: what it tells of has happened."""

    def read(self, query: ReadHistory) -> HistoryPage:
        """Return a page of a robot's intervals. Raise `NoHistory` if none are kept."""


class Store(Protocol):
    """Stores connections' items and robots' items. Every write is atomic and conditional.

    Reads are consistent, except for lists and watchers. Any method may raise `TryAgain`.
    """

    def sender(self, connection: ConnectionId) -> Connection | None:
        """Return a connection's item whose identity and dialect are certain, possibly from memory.

        The cached item may not yet show a registered robot or open sessions.
        """

    def connection(self, connection: ConnectionId) -> Connection | None:
        """Return a connection's item, by a consistent read; None if there is none."""

    def add_connection(self, row: Connection) -> None:
        """Store the item of a connection that opens; an existing item stays as it is."""

    def remove_connection(self, connection: ConnectionId) -> Connection | None:
        """Delete a connection's item; return it as it was, None if there was none."""

    def write_connection(
        self, connection: ConnectionId, write: Write
    ) -> Written[Connection] | ConditionFailed[Connection]:
        """Carry out a write to a connection's item.

        If its condition fails, nothing is written, and the outcome has the item as it is.
        """

    def robot(self, robot: RobotId) -> Robot | None:
        """Return a robot's item, by a consistent read; None if there is none."""

    def robots(self, robots: Sequence[RobotId]) -> list[Robot]:
        """Return the items of those robots that exist, in the order asked."""

    def write_robot(self, robot: RobotId, write: Write) -> Written[Robot] | ConditionFailed[Robot]:
        """Carry out a write to a robot's item; create the item if the condition allows it.

        A write that was repeated because its answer was lost is Written without `before`, unless
        another write, other than a renewal, came between the two.
        If no try is answered, raise `TryAgain` with its stamp: it may have been carried out.
        """

    def check_robot(self, robot: RobotId, write: Write) -> Written[Robot] | ConditionFailed[Robot]:
        """Return what a write to a robot's item would come to, without writing."""

    def remove_robot(self, robot: RobotId, when: Condition) -> bool:
        """Delete a robot's item if the condition holds; return whether it did."""

    def code(self, code_hash: str) -> Code | None:
        """Return a code's item; None if there is none."""

    def write_code(self, code_hash: str, write: Write) -> Written[Code] | ConditionFailed[Code]:
        """Carry out a write to a code's item; create the item if the condition allows it.

        A write that was repeated because its answer was lost may be refused by its own effect:
        codes' writes must be such that the refused item tells that.
        """

    def invitation(self, code_hash: str) -> Invitation | None:
        """Return an invitation's item; None if there is none."""

    def write_invitation(
        self, code_hash: str, write: Write
    ) -> Written[Invitation] | ConditionFailed[Invitation]:
        """Carry out a write to an invitation's item, as `write_code` does to a code's."""

    def note_share(self, robot: RobotId, user: UserId, owner: UserId | None = None) -> None:
        """List a robot under the key of a share or an offer. The item decides whether it is one.

        `owner`: whose offers it is counted among, for an offer.
        """

    def count_offers(self, owner: UserId, limit: int) -> int:
        """Return how many offers an owner's robots have, up to the limit; it may lag."""

    def note_group_watch(self, connection: ConnectionId, group: str, expires_at: int) -> None:
        """List a connection among the watchers of a group's robots, until then (epoch ms)."""

    def drop_group_watch(self, connection: ConnectionId, group: str) -> None:
        """Remove a connection from a group's watchers, if it is listed."""

    def drop_share(self, robot: RobotId, user: UserId) -> None:
        """Remove a robot from those shared with a user, if it is listed."""

    def watchers(self, watcher: str) -> tuple[Watcher, ...]:
        """Return connections that watch: a user's, a group's by its key, or those of `#admins`.

        At most `WATCHERS`.
        """

    def list_owned(self, user: UserId, after: str | None, limit: int) -> Page:
        """Return at most `limit` robots (1 to 50) that a user owns, in the order of their ids.

        The list goes on after the robot id `after`, or begins if that is None.
        """

    def list_shared(self, user: UserId, after: str | None, limit: int) -> Page:
        """Return at most `limit` robots shared with a user, as `list_owned` does."""

    def list_fleet(self, shard: str, after: str | None, limit: int) -> Page:
        """Return at most `limit` robots of one shard of the fleet, as `list_owned` does."""


class Limiter(Protocol):
    """Limits how much a connection sends, and its user on all connections together."""

    def judge(self, by: Connection, message: AnyMessage | SignalingError, now: int) -> int:
        """Count one message at `now` (epoch ms). Return 0 within the limits, else the strike."""

    def note(self, by: Connection, message: AnyMessage, reply: Reply, now: int) -> None:
        """Note that a message was carried out."""

    def refuse(self, by: Connection, message: AnyMessage) -> None:
        """Note that a message was refused."""

    def forget(self, connection: ConnectionId) -> None:
        """Forget a connection that has ended."""

    def may_take(self, user: UserId, robot: RobotId, now: int) -> bool:
        """Say whether a user may take a robot's lease once more at `now` (epoch ms)."""

    def note_taken(self, user: UserId, robot: RobotId, now: int) -> None:
        """Note that a user has taken a robot's lease."""

    def may_push(self, robot: RobotId, now: int) -> bool:
        """Count a push to a robot's watchers at `now` (epoch ms); False if it must wait."""


class Pacer(Protocol):
    """Limits how much a connection sends, whatever it is."""

    def strike(self, connection: ConnectionId, now: int) -> int:
        """Count one thing at `now` (epoch ms). Return 0 within the limits, else the strike."""

    def forget(self, connection: ConnectionId) -> None:
        """Forget a connection that has ended."""


class EventMetrics(Struct, frozen=True, kw_only=True):
    """What one event came to. It names no user, robot or connection."""

    kind: str
    """A message's type, or `invalid` without a known one; for another event, its route."""
    outcome: str
    """`ok`, or the code of the error."""
    reason: str | None
    """Why a token was refused; `keys`: its issuer's keys could not be fetched."""
    took_ms: int
    """From API Gateway's receipt of the event to its result."""
    gone: int
    """How many connections turned out to be gone."""
    undelivered: int
    """How many posts AWS was too busy for; their receivers learn the same from their next ping."""
    took_over: bool
    """Whether it was a takeover that succeeded."""
    at: int
    """When it ended, in epoch ms."""


class Meter(Protocol):
    """Records metrics."""

    def record(self, metrics: EventMetrics) -> None:
        """Record one event's metrics. Raise nothing."""
