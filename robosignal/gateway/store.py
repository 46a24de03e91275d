"""The store on one machine: all in memory, and on disk what must survive a restart.

Ownership, epochs and sessions are on disk before a write is answered. Connections' items and
renewals are in memory alone, because a restart ends every connection.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from robosignal.gateway.state import RESTORE, Database, StateDirectory, StateUnreadable
from robosignal.protocol.ids import ConnectionId, RobotId, UserId
from robosignal.protocol.limits import GRACE_SECONDS, WATCHERS
from robosignal.server.clock import epoch_ms
from robosignal.server.core.conditional_writes import Condition, Write, apply, evaluate
from robosignal.server.core.records import (
    KEY_PREFIXES,
    OLD_PRESENCE_UNTIL,
    Code,
    Connection,
    Invitation,
    Robot,
    UsedByHash,
    code_key,
    group_of,
    robot_from_item,
)
from robosignal.server.core.steps import ConditionFailed, Page, Watcher, Written
from robosignal.server.core.writes.attributes import PRESENCE_UNTIL
from robosignal.server.core.writes.connections import connection_item

Item = dict[str, Any]

DATABASE = "robots.sqlite3"
SETS = ("operators", "viewOnly", "offeredOperators", "offeredViewOnly")

SWEEP_MS = 60_000
"""How often the codes that have expired are removed. One that is not removed yet is refused."""

Used = TypeVar("Used", Code, Invitation)


class LocalStore:
    """Implements `robosignal.server.ports.Store` in one process."""

    _swept_at = 0
    """When the codes that had expired were last removed (epoch ms)."""

    def __init__(self, directory: Path | None, now: int | None = None) -> None:
        """Open the state in a directory, or in memory alone for None, at `now` (epoch ms).

        Robots' drivers of before have their grace from `now` on. Raise StateInUse or
        StateUnreadable.
        """
        self.opened_at = epoch_ms() if now is None else now
        self._directory = None if directory is None else StateDirectory(directory)
        self._database: Database | None = None
        self._connections: dict[ConnectionId, Connection] = {}
        self._rows: dict[ConnectionId, Item] = {}
        self._watchers: dict[str, dict[ConnectionId, None]] = {}
        self._items: dict[RobotId, Item] = {}
        self._robots: dict[RobotId, Robot] = {}
        self._order: list[RobotId] = []
        self._codes: dict[RobotId, Item] = {}
        if directory is not None:
            self._open(directory / DATABASE)

    def _open(self, path: Path) -> None:
        try:
            self._database = Database(path)
            for robot_id, text in self._database.robots():
                kind = _kind_of(robot_id)
                if kind is not None:
                    self._restore_code(robot_id, msgspec.json.decode(text, type=Item), kind)
                    continue
                item = _after_restart(_read(text), self.opened_at)
                self._keep(robot_id, item, robot_from_item(item))
        except StateUnreadable:
            self.close()
            raise
        except (msgspec.MsgspecError, TypeError) as error:
            # A TypeError means that an item is JSON, but not of our shape.
            self.close()
            raise StateUnreadable(path, str(error), RESTORE) from error

    def close(self) -> None:
        """Close the database and unlock the directory."""
        if self._database is not None:
            self._database.close()
        if self._directory is not None:
            self._directory.close()

    # Connections

    def sender(self, connection: ConnectionId) -> Connection | None:
        """Return a connection's item."""
        return self._connections.get(connection)

    def connection(self, connection: ConnectionId) -> Connection | None:
        """Return a connection's item."""
        return self._connections.get(connection)

    def count_connections(self, user: UserId) -> int:
        """Return how many connections a user has."""
        return sum(row.counted_user == user for row in list(self._connections.values()))

    def count_robots(self, user: UserId) -> int:
        """Return how many robots a user owns."""
        return sum(robot.owner_user_id == user for robot in list(self._robots.values()))

    def expired_connections(self, now: int) -> list[Connection]:
        """Return the connections whose tokens have expired by `now` (epoch ms)."""
        return [row for row in list(self._connections.values()) if row.expires_at <= now]

    def add_connection(self, row: Connection) -> None:
        """Add the item of a connection that opens; an item that is there already stays as it is."""
        if row.connection_id in self._connections:
            return
        self._connections[row.connection_id] = row
        self._rows[row.connection_id] = connection_item(row)

    def remove_connection(self, connection: ConnectionId) -> Connection | None:
        """Delete a connection's item and return it as it was."""
        self._rows.pop(connection, None)
        row = self._connections.pop(connection, None)
        self._update_watchers(row, None)
        return row

    def write_connection(
        self, connection: ConnectionId, write: Write
    ) -> Written[Connection] | ConditionFailed[Connection]:
        """Carry out a write to a connection's item."""
        before = self._connections.get(connection)
        after = apply(write, self._rows.get(connection, {}))
        if after is None:
            return ConditionFailed(before)
        after = {"connectionId": connection, **after}
        row = msgspec.convert(after, Connection)
        self._rows[connection] = after
        self._connections[connection] = row
        self._update_watchers(before, row)
        return Written(before, row)

    def _update_watchers(self, before: Connection | None, after: Connection | None) -> None:
        """Update the index of watchers after a connection's item has changed."""
        if before is not None and before.watcher_user_id is not None:
            watching = self._watchers.get(before.watcher_user_id, {})
            watching.pop(before.connection_id, None)
            if not watching:
                # Users come and go, so nothing is kept of those who no longer watch.
                self._watchers.pop(before.watcher_user_id, None)
        if after is not None and after.watcher_user_id is not None:
            watching = self._watchers.setdefault(after.watcher_user_id, {})
            watching[after.connection_id] = None

    # Robots

    def robot(self, robot: RobotId) -> Robot | None:
        """Return a robot's item."""
        return self._robots.get(robot)

    def robots(self, robots: Sequence[RobotId]) -> list[Robot]:
        """Return the items of those that exist, in the order asked."""
        return [self._robots[robot] for robot in robots if robot in self._robots]

    def write_robot(self, robot: RobotId, write: Write) -> Written[Robot] | ConditionFailed[Robot]:
        """Carry out a write to a robot's item; it is on disk when this returns.

        Raise TryAgain, with nothing changed, if it cannot be written to disk.
        """
        before = self._robots.get(robot)
        after = apply(write, self._items.get(robot, {}))
        if after is None:
            return ConditionFailed(before)
        after = {"robotId": robot, **after}
        # What can fail fails before the write to disk; memory changes only after that.
        kept = robot_from_item(after)
        if self._database is not None and not write.renewal:
            self._database.put(robot, msgspec.json.encode(after).decode())
        self._keep(robot, after, kept)
        return Written(before, kept)

    def check_robot(self, robot: RobotId, write: Write) -> Written[Robot] | ConditionFailed[Robot]:
        """Evaluate a write to a robot's item now, without writing."""
        before = self._robots.get(robot)
        after = apply(write, self._items.get(robot, {}))
        if after is None:
            return ConditionFailed(before)
        return Written(before, robot_from_item({"robotId": robot, **after}))

    def all_robots(self) -> list[Robot]:
        """Return every robot's item."""
        return list(self._robots.values())

    def remove_robot(self, robot: RobotId, when: Condition) -> bool:
        """Delete a robot's item if the condition holds. Raise TryAgain as `write_robot` does."""
        if not evaluate(when, self._items.get(robot, {})):
            return False
        if self._database is not None:
            self._database.remove(robot)
        if self._items.pop(robot, None) is not None:
            self._order.remove(robot)
            del self._robots[robot]
        return True

    def _keep(self, robot_id: RobotId, item: Item, robot: Robot) -> None:
        if robot_id not in self._items:
            self._order.insert(bisect_right(self._order, robot_id), robot_id)
        self._items[robot_id] = item
        self._robots[robot_id] = robot

    # Codes

    def code(self, code_hash: str) -> Code | None:
        """Return a code's item."""
        item = self._codes.get(code_key(code_hash, Code))
        return None if item is None else msgspec.convert(item, Code)

    def write_code(self, code_hash: str, write: Write) -> Written[Code] | ConditionFailed[Code]:
        """Carry out a write to a code's item. Raise TryAgain as `write_robot` does."""
        return self._write_used(code_hash, write, Code)

    def invitation(self, code_hash: str) -> Invitation | None:
        """Return an invitation's item."""
        item = self._codes.get(code_key(code_hash, Invitation))
        return None if item is None else msgspec.convert(item, Invitation)

    def write_invitation(
        self, code_hash: str, write: Write
    ) -> Written[Invitation] | ConditionFailed[Invitation]:
        """Carry out a write to an invitation's item. Raise TryAgain as `write_robot` does."""
        return self._write_used(code_hash, write, Invitation)

    def _write_used(
        self, code_hash: str, write: Write, kind: type[Used]
    ) -> Written[Used] | ConditionFailed[Used]:
        self._remove_old_codes(epoch_ms())
        key = code_key(code_hash, kind)
        item = self._codes.get(key)
        before = None if item is None else msgspec.convert(item, kind)
        after = apply(write, item or {})
        if after is None:
            return ConditionFailed(before)
        kept = msgspec.convert(after, kind)
        if self._database is not None:
            self._database.put(key, msgspec.json.encode(after).decode())
        self._codes[key] = after
        return Written(before, kept)

    def _restore_code(self, key: RobotId, item: Item, kind: type[UsedByHash]) -> None:
        code = msgspec.convert(item, kind)
        self._codes[key] = item
        if key != code_key(code.code_hash, kind):
            raise TypeError(f"{key} is another code's key")

    def _remove_old_codes(self, now: int) -> None:
        """Remove the codes that have expired, as DynamoDB does by their `ttl`.

        Not with each write: that looks at every code, and any user may make many.
        """
        if 0 <= now - self._swept_at < SWEEP_MS:
            return
        self._swept_at = now
        for key in [each for each, item in self._codes.items() if _is_old(item, now)]:
            if self._database is not None:
                self._database.remove(key)
            del self._codes[key]

    # Lists

    def note_share(self, robot: RobotId, user: UserId, owner: UserId | None = None) -> None:
        """Do nothing: `shared` looks at the items themselves."""

    def count_offers(self, owner: UserId, limit: int) -> int:
        """Return how many offers an owner's robots have, up to the limit."""
        owned = (robot for robot in list(self._robots.values()) if robot.owner_user_id == owner)
        count = sum(each.offered for robot in owned for each in robot.shares())
        return min(count, limit)

    def note_group_watch(self, connection: ConnectionId, group: str, expires_at: int) -> None:
        """Do nothing: `watchers` looks at the rows themselves."""

    def drop_group_watch(self, connection: ConnectionId, group: str) -> None:
        """Do nothing: `watchers` looks at the rows themselves."""

    def drop_share(self, robot: RobotId, user: UserId) -> None:
        """Do nothing: `shared` looks at the items themselves."""

    def watchers(self, watcher: str) -> tuple[Watcher, ...]:
        """Return the connections that watch, up to the limit of those that are told of changes."""
        group = group_of(UserId(watcher))
        keys = self._watchers.get(watcher, ()) if group is None else self._in_group(group)
        watching = islice(keys, WATCHERS)
        return tuple(Watcher(each, self._connections[each].expires_at) for each in watching)

    def _in_group(self, group: str) -> Iterator[ConnectionId]:
        """Yield the watching connections of a group's members, but for admins who watch all."""
        for key, watching in self._watchers.items():
            for each in watching:
                row = self._connections[each]
                if group in row.groups and row.user_id == key:
                    yield each

    def list_owned(self, user: UserId, after: str | None, limit: int) -> Page:
        """Return the robots that a user owns."""
        return self._page(lambda robot: robot.owner_user_id == user, after, limit)

    def list_shared(self, user: UserId, after: str | None, limit: int) -> Page:
        """Return the robots that are shared with a user."""
        return self._page(lambda robot: robot.is_listed_under(user), after, limit)

    def list_fleet(self, shard: str, after: str | None, limit: int) -> Page:
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


def _kind_of(key: str) -> type[UsedByHash] | None:
    """Return what is kept under this key; None for a robot."""
    return next((kind for kind, each in KEY_PREFIXES.items() if key.startswith(each)), None)


def _is_old(code: Item, now: int) -> bool:
    return bool(code["ttl"] * 1000 <= now)


def _read(text: str) -> Item:
    item = msgspec.json.decode(text, type=Item)
    return item | {name: set(item[name]) for name in SETS if name in item}


def _after_restart(item: Item, now: int) -> Item:
    """Return the item without the connections that the restart has ended.

    Renewals are not on disk, so when a lease would have ended is not known: it gets a grace from
    `now` on. If the clock was set back, a user who returns must not count as older than the
    connection that they have lost.
    """
    after = {name: value for name, value in item.items() if name != "connectionId"}
    after |= {PRESENCE_UNTIL[0]: 0, OLD_PRESENCE_UNTIL: 0}
    after["viewers"] = {
        each: _not_newer(viewer, now) for each, viewer in item.get("viewers", {}).items()
    }
    held = _not_newer(item["controller"], now) if "controller" in item else None
    # A driver whose loss is on disk has renewed nothing since. Viewers have no lease to renew.
    if held is not None and "lost" not in held:
        until = min(now + GRACE_SECONDS * 1000, held.get("rightUntil", now + GRACE_SECONDS * 1000))
        grace = {"until": until, "lost": now}
        held |= grace
    return after if held is None else after | {"controller": held}


def _not_newer(session: Item, now: int) -> Item:
    """Return a session whose connection is no newer than `now`."""
    return session | {"connectedAt": min(session["connectedAt"], now)}
