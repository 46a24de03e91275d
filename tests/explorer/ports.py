"""The store and the poster behind the gate: each call is held, carried out, and recorded.

They implement the ports over any store, and say what each call reads and changes, which decides
whether the order of two calls matters.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from robosignal.protocol.errors import TryAgain
from robosignal.protocol.ids import ConnectionId, RobotId, UserId
from robosignal.server.core.conditional_writes import Condition, Write
from robosignal.server.core.intervals import Line
from robosignal.server.core.records import Code, Connection, Invitation, Robot
from robosignal.server.core.steps import (
    ConditionFailed,
    HistoryPage,
    Page,
    ReadHistory,
    Watcher,
    Written,
)
from robosignal.server.core.writes.attributes import add_stamp
from robosignal.server.ports import Store
from tests.explorer.calls import WATCHING, Call
from tests.explorer.history import Posted, Wrote, WroteCode
from tests.explorer.running import Running

T = TypeVar("T")


class GatedStore:
    """Implements `robosignal.server.ports.Store`."""

    def __init__(
        self,
        store: Store,
        running: Running,
        warm: dict[ConnectionId, Connection],
        *,
        stamps: bool = False,
    ) -> None:
        """`warm`: the rows that a Lambda remembers as it first saw them; it reads them no more.

        `stamps`: whether the store itself stamps what it writes, as the one on DynamoDB does.
        """
        self._store = store
        self._running = running
        self._warm = warm
        self._stamps = stamps

    def sender(self, connection: ConnectionId) -> Connection | None:
        """Return a row, from memory if it is remembered."""
        remembered = self._warm.get(connection)
        if remembered is not None:
            return remembered
        return self.connection(connection)

    def connection(self, connection: ConnectionId) -> Connection | None:
        """Return a row."""
        call = Call("read row", connection, reads=(f"row {connection}",))
        return self._held(call, lambda: self._store.connection(connection))

    def add_connection(self, row: Connection) -> None:
        """Keep a row."""
        call = Call("add row", row.connection_id, changes=(f"row {row.connection_id}",))
        self._held(call, lambda: self._store.add_connection(row))

    def remove_connection(self, connection: ConnectionId) -> Connection | None:
        """Delete a row."""
        call = Call("remove row", connection, changes=(f"row {connection}", "watchers"))
        return self._held(call, lambda: self._store.remove_connection(connection))

    def write_connection(
        self, connection: ConnectionId, write: Write
    ) -> Written[Connection] | ConditionFailed[Connection]:
        """Carry out a write to a row."""
        more = ("watchers",) if write.name in WATCHING else ()
        call = Call("write row", f"{connection} {write.name}", changes=(f"row {connection}", *more))
        return self._held(call, lambda: self._store.write_connection(connection, write))

    def robot(self, robot: RobotId) -> Robot | None:
        """Return the robot's item."""
        return self._held(
            Call("read robot", "", reads=("robot",)), lambda: self._store.robot(robot)
        )

    def robots(self, robots: Sequence[RobotId]) -> list[Robot]:
        """Return robots' items."""
        call = Call("read robots", "", reads=("robot",))
        return self._held(call, lambda: self._store.robots(robots))

    def write_robot(self, robot: RobotId, write: Write) -> Written[Robot] | ConditionFailed[Robot]:
        """Carry out a write to the robot's item.

        One that is made again knows its own doing, as on AWS by its stamp, unless another
        write that is no renewal has come between the two.
        """
        first: list[Robot] = []
        stamp = None if write.renewal or self._stamps else self._running.next_stamp()
        written = write if stamp is None else add_stamp(write, stamp)

        def carry_out() -> Written[Robot] | ConditionFailed[Robot]:
            outcome = self._store.write_robot(robot, written)
            if (
                isinstance(outcome, ConditionFailed)
                and first
                and self._running.history.written == first[0]
            ):
                return Written(None, outcome.item or first[0])
            if isinstance(outcome, Written):
                first.append(outcome.after)
                if not write.renewal:
                    self._running.history.written = outcome.after
                by = self._running.by()
                wrote = Wrote(by, write, outcome.before, outcome.after)
                self._running.history.happened.append(wrote)
            return outcome

        try:
            return self._held(Call("write robot", write.name, changes=("robot",)), carry_out)
        except TryAgain as unanswered:
            raise TryAgain(stamp=stamp) from unanswered

    def check_robot(self, robot: RobotId, write: Write) -> Written[Robot] | ConditionFailed[Robot]:
        """Return what a write would come to."""
        call = Call("check robot", write.name, reads=("robot",))
        return self._held(call, lambda: self._store.check_robot(robot, write))

    def remove_robot(self, robot: RobotId, when: Condition) -> bool:
        """Delete the robot's item if the condition holds of it."""

        def carry_out() -> bool:
            removed = self._store.remove_robot(robot, when)
            self._running.history.forgotten |= removed
            return removed

        return self._held(Call("remove robot", "", changes=("robot",)), carry_out)

    def code(self, code_hash: str) -> Code | None:
        """Return a code's item."""
        call = Call("read code", "", reads=("code",))
        return self._held(call, lambda: self._store.code(code_hash))

    def write_code(self, code_hash: str, write: Write) -> Written[Code] | ConditionFailed[Code]:
        """Carry out a write to a code's item. One that is made again may refuse itself."""

        def carry_out() -> Written[Code] | ConditionFailed[Code]:
            outcome = self._store.write_code(code_hash, write)
            if isinstance(outcome, Written):
                wrote = WroteCode(self._running.by(), write.name, outcome.before, outcome.after)
                self._running.history.happened.append(wrote)
            return outcome

        return self._held(Call("write code", write.name, changes=("code",)), carry_out)

    def invitation(self, code_hash: str) -> Invitation | None:
        """Return an invitation's item."""
        call = Call("read invitation", "", reads=(f"invitation {code_hash}",))
        return self._held(call, lambda: self._store.invitation(code_hash))

    def write_invitation(
        self, code_hash: str, write: Write
    ) -> Written[Invitation] | ConditionFailed[Invitation]:
        """Carry out a write to an invitation's item. One that is made again may refuse itself."""

        def carry_out() -> Written[Invitation] | ConditionFailed[Invitation]:
            outcome = self._store.write_invitation(code_hash, write)
            if isinstance(outcome, Written):
                wrote = WroteCode(self._running.by(), write.name, outcome.before, outcome.after)
                self._running.history.happened.append(wrote)
            return outcome

        call = Call("write invitation", write.name, changes=(f"invitation {code_hash}",))
        return self._held(call, carry_out)

    def note_share(self, robot: RobotId, user: UserId, owner: UserId | None = None) -> None:
        """Note a share."""
        call = Call("note share", user)
        self._held(call, lambda: self._store.note_share(robot, user, owner))

    def count_offers(self, owner: UserId, limit: int) -> int:
        """Count offers."""
        call = Call("count offers", owner, reads=("robot",))
        return self._held(call, lambda: self._store.count_offers(owner, limit))

    def note_group_watch(self, connection: ConnectionId, group: str, expires_at: int) -> None:
        """List a connection among a group's watchers."""
        call = Call("note group watch", f"{connection} {group}", changes=("watchers",))
        self._held(call, lambda: self._store.note_group_watch(connection, group, expires_at))

    def drop_group_watch(self, connection: ConnectionId, group: str) -> None:
        """Remove a connection from a group's watchers."""
        call = Call("drop group watch", f"{connection} {group}", changes=("watchers",))
        self._held(call, lambda: self._store.drop_group_watch(connection, group))

    def drop_share(self, robot: RobotId, user: UserId) -> None:
        """Take the note of a share back."""
        call = Call("drop share", user)
        self._held(call, lambda: self._store.drop_share(robot, user))

    def watchers(self, watcher: str) -> tuple[Watcher, ...]:
        """Return who is told of changes."""
        call = Call("find watchers", watcher, reads=("watchers",))
        return self._held(call, lambda: self._store.watchers(watcher))

    def list_owned(self, user: UserId, after: str | None, limit: int) -> Page:
        """Return the robots that a user owns."""
        call = Call("list owned", user, reads=("robot",))
        return self._held(call, lambda: self._store.list_owned(user, after, limit))

    def list_shared(self, user: UserId, after: str | None, limit: int) -> Page:
        """Return the robots that are shared with a user."""
        call = Call("list shared", user, reads=("robot",))
        return self._held(call, lambda: self._store.list_shared(user, after, limit))

    def list_fleet(self, shard: str, after: str | None, limit: int) -> Page:
        """Return every robot of one shard of the fleet."""
        call = Call("list fleet", shard, reads=("robot",))
        return self._held(call, lambda: self._store.list_fleet(shard, after, limit))

    def _held(self, call: Call, carry_out: Callable[[], T]) -> T:
        return self._running.make(call, carry_out)


class GatedPoster:
    """Implements `robosignal.server.ports.Poster` over the set of open connections."""

    def __init__(self, open_connections: set[ConnectionId], running: Running) -> None:
        self._open = open_connections
        self._running = running

    def post(self, connection: ConnectionId, frame: bytes) -> bool:
        """Hand a frame over; False when that connection is gone."""
        told: dict[str, Any] = json.loads(frame)

        def carry_out() -> bool:
            delivered = connection in self._open
            posted = Posted(self._running.by(), connection, told, delivered)
            self._running.history.happened.append(posted)
            return delivered

        # Two posts to one connection are apart: API Gateway may reorder them anyway, and
        # nothing here relies on their order.
        call = Call("post", f"{told['type']} to {connection}", reads=(f"socket {connection}",))
        return self._running.make(call, carry_out)

    def close(self, connection: ConnectionId) -> None:
        """Close a connection."""
        call = Call("close", connection, changes=(f"socket {connection}",))
        self._running.make(call, lambda: self._open.discard(connection))


class Unwritten:
    """Implements `robosignal.server.ports.History`, of which no rule reads anything.

    Each schedule would need a file of its own; `interval_rules` follows the lines instead.
    """

    def note(self, line: Line) -> None:
        """Keep nothing."""

    def read(self, query: ReadHistory) -> HistoryPage:
        """Return an empty page."""
        return HistoryPage(intervals=(), is_last=True, gaps=(), kept_since=query.now)
