"""The steps that a flow can ask for, and how it asks.

A flow is a generator: it yields a step, receives the outcome, and finally returns its decision.
Two invocations can only affect each other through steps, so a test that controls when steps
run controls every interleaving. `robosignal.server.executor.run` is the only code that drives
flows.
"""

from collections.abc import Generator, Iterable
from enum import Enum
from typing import Any, Generic, Literal, TypeVar

from msgspec import Struct

from robosignal.protocol.errors import SignalingError
from robosignal.protocol.ids import ConnectionId, RobotId, UserId
from robosignal.protocol.messages import Role
from robosignal.server.core.conditional_writes import Condition, Write
from robosignal.server.core.intervals import Interval
from robosignal.server.core.records import Code, Connection, Invitation, Robot

Purpose = Literal["decide", "undo", "notify"]
"""What a step is for, and so which part of the event's time it may use: to decide the reply, to
undo an earlier step (time is reserved for that), or to notify others, which is tried once."""


class Delivery(Enum):
    """What became of a frame that was posted."""

    SENT = "sent"
    """Accepted for delivery, which does not prove that it was received."""
    GONE = "gone"
    """The connection no longer exists."""
    EXPIRED = "expired"
    """The receiver's token has expired: its connection was closed, and nothing was sent."""
    FAILED = "failed"
    """It could not be posted now, for example because AWS throttled the call."""

    @property
    def is_connection_lost(self) -> bool:
        """Whether the receiver's connection has ended."""
        return self in (Delivery.GONE, Delivery.EXPIRED)


class ReadConnection(Struct, frozen=True):
    """Read a connection's item with a consistent read. Outcome: Connection | None."""

    connection_id: ConnectionId


class AddConnection(Struct, frozen=True):
    """Write the item of a connection that opens. Outcome: None."""

    row: Connection


class RemoveConnection(Struct, frozen=True):
    """Delete a connection's item. Outcome: the item as it was, or None."""

    connection_id: ConnectionId


class WriteConnection(Struct, frozen=True):
    """Write to a connection's item. Outcome: Written[Connection] | ConditionFailed[Connection]."""

    connection_id: ConnectionId
    write: Write


class ReadRobot(Struct, frozen=True):
    """Read a robot's item with a consistent read. Outcome: Robot | None."""

    robot_id: RobotId


class WriteRobot(Struct, frozen=True):
    """Write to a robot's item. Outcome: Written[Robot] | ConditionFailed[Robot]."""

    robot_id: RobotId
    write: Write


class CheckRobot(Struct, frozen=True):
    """Read a robot's item and evaluate a write's condition; write nothing.

    Outcome: Written[Robot] | ConditionFailed[Robot], as if it had been written.
    """

    robot_id: RobotId
    write: Write


class RemoveRobot(Struct, frozen=True):
    """Delete a robot's item if the condition holds. Outcome: bool, whether it did."""

    robot_id: RobotId
    when: Condition


class NoteShare(Struct, frozen=True):
    """List a robot under the key of a share or an offer. Outcome: None.

    `owner`: whose offers it is counted among, for an offer.
    """

    robot_id: RobotId
    user_id: UserId
    owner: UserId | None = None


class CountOffers(Struct, frozen=True):
    """Count the offers of an owner's robots, up to `limit`. Outcome: int."""

    owner: UserId
    limit: int


class NoteGroupWatch(Struct, frozen=True):
    """List a connection among the watchers of a group's robots. Outcome: None."""

    connection_id: ConnectionId
    group: str
    expires_at: int


class DropGroupWatch(Struct, frozen=True):
    """Remove a connection from a group's watchers, if it is there. Outcome: None."""

    connection_id: ConnectionId
    group: str


class DropShare(Struct, frozen=True):
    """Remove a robot from those shared with a user, if it is there. Outcome: None."""

    robot_id: RobotId
    user_id: UserId


class DrawCode(Struct, frozen=True):
    """Draw a random code. Outcome: str, as people type it."""


class ReadCode(Struct, frozen=True):
    """Read a code's item with a consistent read. Outcome: Code | None."""

    code_hash: str


class WriteCode(Struct, frozen=True):
    """Write to a code's item. Outcome: Written[Code] | ConditionFailed[Code]."""

    code_hash: str
    write: Write


class ReadInvitation(Struct, frozen=True):
    """Read an invitation's item with a consistent read. Outcome: Invitation | None."""

    code_hash: str


class WriteInvitation(Struct, frozen=True):
    """Write to an invitation's item. Outcome: Written[Invitation] | ConditionFailed[Invitation]."""

    code_hash: str
    write: Write


class ReadRobots(Struct, frozen=True):
    """Read several robots' items. Outcome: list[Robot], those that exist, in the order asked."""

    robot_ids: tuple[RobotId, ...]


class ListOwned(Struct, frozen=True):
    """List the robots that a user owns, after a key. Outcome: Page, of at most `limit`."""

    user_id: UserId
    after: str | None
    limit: int


class ListShared(Struct, frozen=True):
    """List the robots that are shared with a user. Outcome: Page, of at most `limit`."""

    user_id: UserId
    after: str | None
    limit: int


class ListFleet(Struct, frozen=True):
    """List every robot of one shard of the fleet. Outcome: Page, of at most `limit`."""

    shard: str
    after: str | None
    limit: int


class FindWatchers(Struct, frozen=True):
    """Find the connections that watch: a user's, or all admins'. Outcome: tuple[Watcher, ...]."""

    watcher: str


class FindIceServers(Struct, frozen=True):
    """Find ICE servers for a user, valid until `until` (epoch ms) at most. Outcome: IceServers.

    Without a user: the servers that every signed-in user may use.
    """

    user_id: UserId | None
    until: int


class ReadHistory(Struct, frozen=True, kw_only=True):
    """Read intervals of a robot, the latest first. Outcome: HistoryPage, of at most `limit`.

    Those that were there, or may have been, from `since` to `until` (epoch ms; None: no bound), in
    the time of one owner, of one user and in one role, as far as these are given.
    """

    robot_id: RobotId | None
    """None: of every robot, which no message may ask for."""
    owner: UserId | None
    since: int | None
    until: int | None
    user_id: UserId | None
    role: Role | None
    after: "HistoryKey | None"
    limit: int
    now: int


class Post(Struct, frozen=True):
    """Post a frame to a connection. Outcome: Delivery.SENT or Delivery.GONE."""

    connection_id: ConnectionId
    frame: bytes


class Close(Struct, frozen=True):
    """Close a connection. Outcome: None."""

    connection_id: ConnectionId


Action = (
    ReadConnection
    | AddConnection
    | RemoveConnection
    | WriteConnection
    | ReadRobot
    | WriteRobot
    | CheckRobot
    | RemoveRobot
    | NoteShare
    | DropShare
    | DrawCode
    | ReadCode
    | WriteCode
    | ReadInvitation
    | WriteInvitation
    | CountOffers
    | NoteGroupWatch
    | DropGroupWatch
    | ReadRobots
    | ListOwned
    | ListShared
    | ListFleet
    | FindWatchers
    | FindIceServers
    | ReadHistory
    | Post
    | Close
)
"""A step that is one call to a port."""


class Parallel(Struct, frozen=True):
    """Run independent actions in parallel. Outcome: the tuple of their outcomes, in order.

    Every action runs, even if another fails; the outcome of one that fails is its SignalingError.
    """

    actions: tuple[Action, ...]
    purpose: Purpose = "decide"


Step = Action | Parallel

Record = TypeVar("Record", Connection, Robot, Code, Invitation)
Decision = TypeVar("Decision")

Flow = Generator[Step, Any, Decision]


class Written(Struct, Generic[Record], frozen=True):
    """The write was carried out.

    `before` is None if the write created the item, or if the write was repeated because its first
    answer was lost: then the earlier state is unknown.
    """

    before: Record | None
    after: Record


class ConditionFailed(Struct, Generic[Record], frozen=True):
    """The write's condition was false. `item` is what the table holds, None for nothing."""

    item: Record | None


class Page(Struct, frozen=True):
    """Part of a list of robot ids. `after` is the key to continue from; None: the list is over."""

    robot_ids: tuple[RobotId, ...]
    after: str | None


class HistoryKey(Struct, frozen=True, array_like=True):
    """Where a page of history ended: the last interval's beginning (epoch ms), and its number."""

    since: int
    number: int


class HistoryPage(Struct, frozen=True):
    """Intervals with their keys, the latest first. `is_last`: there are no more."""

    intervals: tuple[tuple[HistoryKey, Interval], ...]
    is_last: bool
    gaps: tuple[tuple[int, int], ...]
    """When the server did not run, within the time asked for: from and to, in epoch ms."""
    kept_since: int
    """Nothing is kept of what ended before (epoch ms)."""


class Watcher(Struct, frozen=True):
    """A connection that receives changes of robots, and when its token expires (epoch ms)."""

    connection_id: ConnectionId
    expires_at: int


class IceServers(Struct, frozen=True):
    """RTCIceServer dictionaries, and for how many seconds they are valid."""

    servers: list[dict[str, Any]]
    ttl_seconds: int
    turn: bool = False
    """Whether the deployment has TURN servers that this list leaves out."""


def find_ice_servers(
    sender: Connection, *, turn: bool, until: int | None = None
) -> Flow[IceServers]:
    """Find ICE servers for the sender; with `turn`, TURN servers too.

    `until`: when the sender's right ends (epoch ms), if that is before the token does.
    """
    end = sender.expires_at if until is None else until
    found: IceServers = yield FindIceServers(sender.user_id if turn else None, end)
    return found


def read_robot(robot_id: RobotId) -> Flow[Robot | None]:
    """Read a robot's item."""
    robot: Robot | None = yield ReadRobot(robot_id)
    return robot


def write_robot(
    robot_id: RobotId, write: Write, purpose: Purpose = "decide"
) -> Flow[Written[Robot] | ConditionFailed[Robot]]:
    """Write to a robot's item."""
    outcome: Written[Robot] | ConditionFailed[Robot]
    if purpose == "decide":
        outcome = yield WriteRobot(robot_id, write)
    else:
        (outcome,) = yield from perform_all((WriteRobot(robot_id, write),), purpose)
    return outcome


def remove_robot(robot_id: RobotId, when: Condition) -> Flow[bool]:
    """Delete a robot's item if the condition holds; return whether it did."""
    removed: bool = yield RemoveRobot(robot_id, when)
    return removed


def draw_code() -> Flow[str]:
    """Draw a random code, in the form in which people type it."""
    code: str = yield DrawCode()
    return code


def read_code(code_hash: str) -> Flow[Code | None]:
    """Read a code's item."""
    code: Code | None = yield ReadCode(code_hash)
    return code


def write_code(code_hash: str, write: Write) -> Flow[Written[Code] | ConditionFailed[Code]]:
    """Write to a code's item."""
    outcome: Written[Code] | ConditionFailed[Code] = yield WriteCode(code_hash, write)
    return outcome


def read_invitation(code_hash: str) -> Flow[Invitation | None]:
    """Read an invitation's item."""
    invitation: Invitation | None = yield ReadInvitation(code_hash)
    return invitation


def write_invitation(
    code_hash: str, write: Write
) -> Flow[Written[Invitation] | ConditionFailed[Invitation]]:
    """Write to an invitation's item."""
    outcome: Written[Invitation] | ConditionFailed[Invitation] = yield WriteInvitation(
        code_hash, write
    )
    return outcome


def check_robot(robot_id: RobotId, write: Write) -> Flow[Written[Robot] | ConditionFailed[Robot]]:
    """Read a robot's item and evaluate a write's condition."""
    outcome: Written[Robot] | ConditionFailed[Robot] = yield CheckRobot(robot_id, write)
    return outcome


def read_robots(robot_ids: tuple[RobotId, ...]) -> Flow[list[Robot]]:
    """Read several robots' items."""
    robots: list[Robot] = yield ReadRobots(robot_ids)
    return robots


def read_history(step: ReadHistory) -> Flow[HistoryPage]:
    """Read one page of a robot's history. Raise NoHistory if none is kept."""
    page: HistoryPage = yield step
    return page


def list_page(step: ListOwned | ListShared | ListFleet) -> Flow[Page]:
    """Read one page of a list."""
    page: Page = yield step
    return page


def read_connection(connection_id: ConnectionId) -> Flow[Connection | None]:
    """Read a connection's item."""
    row: Connection | None = yield ReadConnection(connection_id)
    return row


def write_connection(
    connection_id: ConnectionId, write: Write
) -> Flow[Written[Connection] | ConditionFailed[Connection]]:
    """Write to a connection's item."""
    outcome: Written[Connection] | ConditionFailed[Connection] = yield WriteConnection(
        connection_id, write
    )
    return outcome


def remove_connection(connection_id: ConnectionId) -> Flow[Connection | None]:
    """Delete a connection's item and return it."""
    row: Connection | None = yield RemoveConnection(connection_id)
    return row


def count_offers(owner: UserId, limit: int) -> Flow[int]:
    """Count the offers of an owner's robots, up to the limit."""
    count: int = yield CountOffers(owner, limit)
    return count


def perform_all(actions: Iterable[Action], purpose: Purpose = "decide") -> Flow[tuple[Any, ...]]:
    """Run independent actions in parallel; return their outcomes, in order.

    When all are over, raise the first SignalingError among the outcomes.
    """
    outcomes = yield from attempt_all(actions, purpose)
    for outcome in outcomes:
        if isinstance(outcome, SignalingError):
            raise outcome
    return outcomes


def attempt_all(actions: Iterable[Action], purpose: Purpose = "notify") -> Flow[tuple[Any, ...]]:
    """Run independent actions in parallel; the outcome of one that fails is its SignalingError."""
    asked = tuple(actions)
    if not asked:
        return ()
    outcomes: tuple[Any, ...] = yield Parallel(asked, purpose)
    return outcomes
