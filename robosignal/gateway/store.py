"""The store on one machine: memory in front, SQLite behind what must survive a restart.

Ownership, epochs and sessions are on disk before a write is answered. Connections' rows and
renewals live in memory, since a restart ends them all. One process at a time.
"""

import sqlite3
from bisect import bisect_right
from collections.abc import Callable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import msgspec

from robosignal.gateway.disk import Disk, WrongDatabase
from robosignal.gateway.state import StateDirectory, StateUnreadable
from robosignal.protocol.ids import ConnectionId, RobotId, UserId
from robosignal.protocol.limits import GRACE_SECONDS, WATCHERS
from robosignal.server.clock import epoch_ms
from robosignal.server.core.conditional_writes import Condition, Write, apply, evaluate
from robosignal.server.core.records import Connection, Robot
from robosignal.server.core.steps import ConditionFailed, Page, Watcher, Written
from robosignal.server.core.writes.connections import connection_item

Item = dict[str, Any]

DATABASE = "robots.sqlite3"
SETS = ("operators",)


class LocalStore:
    """Implements `robosignal.server.ports.Store` in one process."""

    def __init__(self, directory: Path | None, now: int | None = None) -> None:
        """Open the state in a directory, or in memory alone for None, at `now` (epoch ms).

        Whoever drove has its grace from now on. Raise StateInUse or StateUnreadable.
        """
        self._opened_at = epoch_ms() if now is None else now
        self._directory = None if directory is None else StateDirectory(directory)
        self._disk: Disk | None = None
        self._connections: dict[ConnectionId, Connection] = {}
        self._rows: dict[ConnectionId, Item] = {}
        self._watchers: dict[str, dict[ConnectionId, None]] = {}
        self._items: dict[RobotId, Item] = {}
        self._robots: dict[RobotId, Robot] = {}
        self._order: list[RobotId] = []
        if directory is not None:
            self._open(directory / DATABASE)

    def _open(self, path: Path) -> None:
        try:
            self._disk = Disk(path)
            for robot_id, text in self._disk.robots():
                item = _without_sockets(_read(text), self._opened_at)
                self._keep(robot_id, item, msgspec.convert(item, Robot))
        except WrongDatabase as error:
            self.close()
            raise StateUnreadable(path, str(error), error.remedy) from error
        except (sqlite3.Error, msgspec.MsgspecError, TypeError) as error:
            # A TypeError is of an item that is JSON, and not what was written.
            self.close()
            raise StateUnreadable(path, str(error), _remedy(error)) from error

    def close(self) -> None:
        """Let go of the file and of the directory."""
        if self._disk is not None:
            self._disk.close()
        if self._directory is not None:
            self._directory.close()

    # Connections

    def sender(self, connection: ConnectionId) -> Connection | None:
        """Return a row."""
        return self._connections.get(connection)

    def connection(self, connection: ConnectionId) -> Connection | None:
        """Return a row."""
        return self._connections.get(connection)

    def count_connections(self, user: UserId) -> int:
        """Return how many rows a user has."""
        return sum(row.user_id == user for row in list(self._connections.values()))

    def count_robots(self, user: UserId) -> int:
        """Return how many robots a user owns."""
        return sum(robot.owner_user_id == user for robot in list(self._robots.values()))

    def expired(self, now: int) -> list[Connection]:
        """Return the rows whose tokens have expired by `now` (epoch ms)."""
        return [row for row in list(self._connections.values()) if row.expires_at <= now]

    def add_connection(self, row: Connection) -> None:
        """Keep the row of a connection that opens; one that is there stays as it is."""
        if row.connection_id in self._connections:
            return
        self._connections[row.connection_id] = row
        self._rows[row.connection_id] = connection_item(row)

    def remove_connection(self, connection: ConnectionId) -> Connection | None:
        """Delete a row and return it as it was."""
        self._rows.pop(connection, None)
        row = self._connections.pop(connection, None)
        self._watch(row, None)
        return row

    def write_connection(
        self, connection: ConnectionId, write: Write
    ) -> Written[Connection] | ConditionFailed[Connection]:
        """Carry out a write to a row."""
        before = self._connections.get(connection)
        after = apply(write, self._rows.get(connection, {}))
        if after is None:
            return ConditionFailed(before)
        after = {"connectionId": connection, **after}
        row = msgspec.convert(after, Connection)
        self._rows[connection] = after
        self._connections[connection] = row
        self._watch(before, row)
        return Written(before, row)

    def _watch(self, before: Connection | None, after: Connection | None) -> None:
        """Keep the list of watchers in step with the rows."""
        if before is not None and before.watcher_user_id is not None:
            told = self._watchers.get(before.watcher_user_id, {})
            told.pop(before.connection_id, None)
            if not told:
                # Users come and go without end, so nothing is kept of those who no longer watch.
                self._watchers.pop(before.watcher_user_id, None)
        if after is not None and after.watcher_user_id is not None:
            told = self._watchers.setdefault(after.watcher_user_id, {})
            told[after.connection_id] = None

    # Robots

    def robot(self, robot: RobotId) -> Robot | None:
        """Return a robot's item."""
        return self._robots.get(robot)

    def robots(self, robots: Sequence[RobotId]) -> list[Robot]:
        """Return the items of those that exist, in the order asked."""
        return [self._robots[robot] for robot in robots if robot in self._robots]

    def write_robot(self, robot: RobotId, write: Write) -> Written[Robot] | ConditionFailed[Robot]:
        """Carry out a write to a robot's item; it is on disk when this returns.

        Raise `TryAgain`, and have changed nothing, when the disk does not take it.
        """
        before = self._robots.get(robot)
        after = apply(write, self._items.get(robot, {}))
        if after is None:
            return ConditionFailed(before)
        after = {"robotId": robot, **after}
        # Whatever can go wrong goes wrong before the disk has it, and memory only after.
        kept = msgspec.convert(after, Robot)
        if self._disk is not None and not write.renewal:
            self._disk.put(robot, msgspec.json.encode(after).decode())
        self._keep(robot, after, kept)
        return Written(before, kept)

    def check_robot(self, robot: RobotId, write: Write) -> Written[Robot] | ConditionFailed[Robot]:
        """Evaluate a write to a robot's item now, without writing."""
        before = self._robots.get(robot)
        after = apply(write, self._items.get(robot, {}))
        if after is None:
            return ConditionFailed(before)
        return Written(before, msgspec.convert({"robotId": robot, **after}, Robot))

    def remove_robot(self, robot: RobotId, when: Condition) -> bool:
        """Delete a robot's item if the condition holds of it; raise as `write_robot` does."""
        if not evaluate(when, self._items.get(robot, {})):
            return False
        if self._disk is not None:
            self._disk.remove(robot)
        if self._items.pop(robot, None) is not None:
            self._order.remove(robot)
            del self._robots[robot]
        return True

    def _keep(self, robot_id: RobotId, item: Item, robot: Robot) -> None:
        if robot_id not in self._items:
            self._order.insert(bisect_right(self._order, robot_id), robot_id)
        self._items[robot_id] = item
        self._robots[robot_id] = robot

    # Lists

    def note_share(self, robot: RobotId, user: UserId) -> None:
        """Keep nothing: `shared` looks at the items themselves."""

    def drop_share(self, robot: RobotId, user: UserId) -> None:
        """Keep nothing."""

    def watchers(self, watcher: str) -> tuple[Watcher, ...]:
        """Return the connections that are told of changes, as many as are told at most."""
        watching = islice(self._watchers.get(watcher, ()), WATCHERS)
        return tuple(Watcher(each, self._connections[each].expires_at) for each in watching)

    def owned(self, user: UserId, after: str | None, limit: int) -> Page:
        """Return the robots that a user owns."""
        return self._page(lambda robot: robot.owner_user_id == user, after, limit)

    def shared(self, user: UserId, after: str | None, limit: int) -> Page:
        """Return the robots that are shared with a user."""
        return self._page(lambda robot: user in robot.operators, after, limit)

    def fleet(self, shard: str, after: str | None, limit: int) -> Page:
        """Return every robot of one shard of the fleet."""
        return self._page(lambda robot: robot.fleet_shard == shard, after, limit)

    def _page(self, wanted: Callable[[Robot], bool], after: str | None, limit: int) -> Page:
        start = 0 if after is None else bisect_right(self._order, after)
        found: list[RobotId] = []
        for robot_id in self._order[start:]:
            if not wanted(self._robots[robot_id]):
                continue
            if len(found) == limit:
                return Page(tuple(found), found[-1])
            found.append(robot_id)
        return Page(tuple(found), None)


def _remedy(error: Exception) -> str:
    # Operational is what lies around the file, such as its permissions or a full disk.
    if isinstance(error, sqlite3.OperationalError):
        return "mend that"
    return "put back a copy of it, move it away to start without robots"


def _read(text: str) -> Item:
    item = msgspec.json.decode(text, type=Item)
    return item | {name: set(item[name]) for name in SETS if name in item}


def _without_sockets(item: Item, now: int) -> Item:
    """Return the item after a restart: no socket of before it is left.

    Renewals are not on disk, so until when a lease lasted is not known: it has its grace. If the
    clock has been set back, a user who comes back must not count as older than their lost socket.
    """
    after = {name: value for name, value in item.items() if name != "connectionId"}
    after["leaseUntil"] = 0
    after["viewers"] = {
        each: _no_newer(viewer, now) for each, viewer in item.get("viewers", {}).items()
    }
    held = _no_newer(item["controller"], now) if "controller" in item else None
    # Whose loss is on disk renewed nothing since. Viewers need no grace: their places last.
    if held is not None and "lost" not in held:
        grace = {"until": now + GRACE_SECONDS * 1000, "lost": now}
        held |= grace
    return after if held is None else after | {"controller": held}


def _no_newer(session: Item, now: int) -> Item:
    """Return a session as of a connection that was there by now."""
    return session | {"connectedAt": min(session["connectedAt"], now)}
