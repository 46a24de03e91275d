"""The steps that a flow can ask for, and how it asks.

A flow is a generator: it yields a step, is sent the outcome, and returns what it decided. A
step is the only place where one invocation meets another, so whoever drives a flow can hold
it between any two. `perform_all` asks for steps that may run side by side.
"""

from collections.abc import Callable, Generator, Iterable
from typing import Any, Generic, Literal, TypeVar

from msgspec import Struct

from robosignal.protocol.errors import SignalingError
from robosignal.protocol.ids import ConnectionId, RobotId, UserId
from robosignal.server.core.conditional_writes import Condition, Write
from robosignal.server.core.records import Connection, Robot

Use = Literal["needed", "reserved", "spare"]
"""Which part of an event's time a step may use: what decides it; what takes that back, for which
time is kept; and what only tells of it, which is tried once."""


class ReadConnection(Struct, frozen=True):
    """Read a connection's row as it is now → Connection | None."""

    connection_id: ConnectionId


class AddConnection(Struct, frozen=True):
    """Write the row of a connection that opens → None."""

    row: Connection


class RemoveConnection(Struct, frozen=True):
    """Delete a row → the row as it was, or None."""

    connection_id: ConnectionId


class WriteConnection(Struct, frozen=True):
    """Write to a row → Written[Connection] | ConditionFailed[Connection]."""

    connection_id: ConnectionId
    write: Write


class ReadRobot(Struct, frozen=True):
    """Read a robot's item as it is now → Robot | None."""

    robot_id: RobotId


class WriteRobot(Struct, frozen=True):
    """Write to a robot's item → Written[Robot] | ConditionFailed[Robot]."""

    robot_id: RobotId
    write: Write


class CheckRobot(Struct, frozen=True):
    """Read a robot's item and evaluate a write's condition: outcomes as of `WriteRobot`.

    Nothing is written.
    """

    robot_id: RobotId
    write: Write


class RemoveRobot(Struct, frozen=True):
    """Delete a robot's item if the condition holds → bool: False when it was refused."""

    robot_id: RobotId
    when: Condition


class NoteShare(Struct, frozen=True):
    """Note that a robot is shared with a user, so that the user's list finds it → None."""

    robot_id: RobotId
    user_id: UserId


class DropShare(Struct, frozen=True):
    """Take that note back, if there is one → None."""

    robot_id: RobotId
    user_id: UserId


class ReadRobots(Struct, frozen=True):
    """Read several robots' items → list[Robot], those that exist, in the order asked."""

    robot_ids: tuple[RobotId, ...]


class ListOwned(Struct, frozen=True):
    """Find the robots that a user owns, after a place in the list → Page, of at most `limit`."""

    user_id: UserId
    after: str | None
    limit: int


class ListShared(Struct, frozen=True):
    """Find the robots that are shared with a user → Page, of at most `limit`."""

    user_id: UserId
    after: str | None
    limit: int


class ListFleet(Struct, frozen=True):
    """Find every robot of one shard → Page, of at most `limit`."""

    shard: str
    after: str | None
    limit: int


class FindWatchers(Struct, frozen=True):
    """Find who is told of changes: a user's own connections, or admins' → tuple[Watcher, ...]."""

    watcher: str


class FindIceServers(Struct, frozen=True):
    """Find ICE servers for a user until their token's end (epoch ms) → IceServers.

    Without a user: the servers that every signed-in user may use.
    """

    user_id: UserId | None
    until: int


class Post(Struct, frozen=True):
    """Hand a frame over for delivery → bool: False when the connection is gone."""

    connection_id: ConnectionId
    frame: bytes


class Close(Struct, frozen=True):
    """Close a connection → None."""

    connection_id: ConnectionId


class Parallel(Struct, frozen=True):
    """Carry out these steps side by side → tuple of their outcomes, in the same order.

    Each is carried out, whatever becomes of the others: what one raises is its outcome.
    """

    steps: "tuple[Step, ...]"
    use: Use = "needed"


Step = (
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
    | ReadRobots
    | ListOwned
    | ListShared
    | ListFleet
    | FindWatchers
    | FindIceServers
    | Post
    | Close
    | Parallel
)

Record = TypeVar("Record", Connection, Robot)
Decided = TypeVar("Decided")

Flow = Generator[Step, Any, Decided]


class Written(Struct, Generic[Record], frozen=True):
    """The write was carried out. `before` is None when it made the item, or is not known.

    It is not known of a write that had to be repeated, because its answer was lost.
    """

    before: Record | None
    after: Record


class ConditionFailed(Struct, Generic[Record], frozen=True):
    """The condition refused the write. `item` is what stood there, None for nothing."""

    item: Record | None


class Page(Struct, frozen=True):
    """A part of a list of robot ids. `after` asks for the next part; None: it was the last."""

    robot_ids: tuple[RobotId, ...]
    after: str | None


class Watcher(Struct, frozen=True):
    """A connection that is told of changes, and when its token expires (epoch ms)."""

    connection_id: ConnectionId
    expires_at: int


class IceServers(Struct, frozen=True):
    """RTCIceServer dictionaries, and for how many seconds they serve."""

    servers: list[dict[str, Any]]
    ttl_seconds: int
    turn: bool = False
    """Whether there are TURN servers that these leave out."""


def find_ice_servers(sender: Connection, *, turn: bool) -> Flow[IceServers]:
    """Ask for ICE servers: with `turn`, the sender has a right to TURN servers too."""
    found: IceServers = yield FindIceServers(sender.user_id if turn else None, sender.expires_at)
    return found


def read_robot(robot_id: RobotId) -> Flow[Robot | None]:
    """Ask for a robot's item."""
    robot: Robot | None = yield ReadRobot(robot_id)
    return robot


def write_robot(robot_id: RobotId, write: Write) -> Flow[Written[Robot] | ConditionFailed[Robot]]:
    """Ask for a write to a robot's item."""
    outcome: Written[Robot] | ConditionFailed[Robot] = yield WriteRobot(robot_id, write)
    return outcome


def remove_robot(robot_id: RobotId, when: Condition) -> Flow[bool]:
    """Ask for a robot's item to be deleted."""
    removed: bool = yield RemoveRobot(robot_id, when)
    return removed


def read_robots(robot_ids: tuple[RobotId, ...]) -> Flow[list[Robot]]:
    """Ask for several robots' items."""
    robots: list[Robot] = yield ReadRobots(robot_ids)
    return robots


def list_page(step: ListOwned | ListShared | ListFleet) -> Flow[Page]:
    """Ask for one page of a list."""
    page: Page = yield step
    return page


def read_connection(connection_id: ConnectionId) -> Flow[Connection | None]:
    """Ask for a connection's row."""
    row: Connection | None = yield ReadConnection(connection_id)
    return row


def write_connection(
    connection_id: ConnectionId, write: Write
) -> Flow[Written[Connection] | ConditionFailed[Connection]]:
    """Ask for a write to a connection's row."""
    outcome: Written[Connection] | ConditionFailed[Connection] = yield WriteConnection(
        connection_id, write
    )
    return outcome


def remove_connection(connection_id: ConnectionId) -> Flow[Connection | None]:
    """Ask for a row to be deleted."""
    row: Connection | None = yield RemoveConnection(connection_id)
    return row


def perform_all(steps: Iterable[Step]) -> Flow[tuple[Any, ...]]:
    """Ask for independent steps at once. Raise what the first of them raised, after them all."""
    outcomes = yield from attempt_all(steps, "needed")
    for outcome in outcomes:
        if isinstance(outcome, SignalingError):
            raise outcome
    return outcomes


def attempt_all(steps: Iterable[Step], use: Use = "spare") -> Flow[tuple[Any, ...]]:
    """Ask for independent steps at once; an exception that one raises is its outcome."""
    asked = tuple(steps)
    if not asked:
        return ()
    outcomes: tuple[Any, ...] = yield Parallel(asked, use)
    return outcomes


def in_reserve(flow: Flow[Decided]) -> Flow[Decided]:
    """Run a flow that undoes earlier steps, in the time that is reserved for that.

    Its notices use the spare time, as everywhere.
    """
    try:
        step = next(flow)
        while True:
            if isinstance(step, Parallel):
                use = step.use if step.use == "spare" else "reserved"
                step = flow.send((yield Parallel(step.steps, use)))
                continue
            (outcome,) = yield Parallel((step,), "reserved")
            if isinstance(outcome, SignalingError):
                step = flow.throw(outcome)
            else:
                step = flow.send(outcome)
    except StopIteration as done:
        result: Decided = done.value
        return result


StepFlow = Flow[Any]
"""A flow that comes to a step's outcome. Named here, since an annotation within a function is
evaluated whenever that runs, and a subscript takes as long as a step."""


def stepping(flow: Flow[Decided], carry_out: Callable[[Step], StepFlow]) -> Flow[Decided]:
    """Run a flow, and let `carry_out` replace each of its steps by other steps, or by none."""
    try:
        step = next(flow)
        while True:
            try:
                outcome = yield from carry_out(step)
            except SignalingError as error:
                step = flow.throw(error)
            else:
                step = flow.send(outcome)
    except StopIteration as done:
        result: Decided = done.value
        return result
