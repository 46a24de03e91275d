"""Who drove and who viewed each robot, kept in one SQLite file of the state directory.

It is bounded: what ended long ago is deleted, and so is the oldest when the file is full. A line is
in the file when `note` returns, so a process that is killed loses none; a machine that loses power
may lose the last seconds, because no write waits for the disk.
"""

import logging
import sqlite3
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from msgspec import convert, structs

from robosignal.gateway.state import START_SECONDS, StateUnreadable, read_version
from robosignal.protocol.limits import GRACE_SECONDS
from robosignal.server.audit import describe_sessions
from robosignal.server.core.intervals import Changed, Interval, Key, Line, Timeline
from robosignal.server.core.records import Robot
from robosignal.server.core.steps import HistoryKey, HistoryPage, ReadHistory

log = logging.getLogger("robosignal.gateway")

DATABASE = "history.sqlite3"
SCHEMA = 1

DAYS = 90
MOST_DAYS = 3650
MEGABYTES = 200
MOST_MEGABYTES = 100_000

SEEN_MS = 10_000
"""How often the file notes that the server runs, and so how exactly the time of a kill is known."""

AT_ONCE = 500
"""How many intervals one deletion removes at most, because messages wait for it."""

PENDING = 10_000
"""How many changes wait in memory at most while the file cannot be written."""

GAPS = 20
"""How many gaps a page tells of at most, the latest ones."""

DAY_MS = 24 * 60 * 60 * 1000

FIELDS = Interval.__struct_fields__
RESTORE = "restore it from a copy, move it away to start with an empty history"

SCRIPT = f"""
BEGIN;
CREATE TABLE intervals (number INTEGER PRIMARY KEY, {", ".join(FIELDS)});
CREATE INDEX of_robot ON intervals (robot_id, since, number);
CREATE INDEX by_time ON intervals (since, number);
CREATE INDEX ended ON intervals (until);
CREATE TABLE runs (number INTEGER PRIMARY KEY, since, seen);
CREATE TABLE kept (since);
PRAGMA user_version = {SCHEMA};
COMMIT;
"""

INSERT = f"INSERT INTO intervals ({', '.join(FIELDS)}) VALUES ({', '.join('?' * len(FIELDS))})"  # noqa: S608 - constants
UPDATE = f"UPDATE intervals SET {', '.join(f'{name} = ?' for name in FIELDS)} WHERE number = ?"  # noqa: S608 - constants

SELECT = f"""
SELECT number, {", ".join(FIELDS)} FROM intervals WHERE
    (:robot_id IS NULL OR robot_id = :robot_id)
    AND (:owner IS NULL OR owner = :owner)
    AND (:user_id IS NULL OR user_id = :user_id)
    AND (:role IS NULL OR role = :role)
    AND (:until IS NULL OR since <= :until OR NOT since_known)
    AND (:since IS NULL OR {{ends}} IS NULL OR {{ends}} > :since
         OR (since = :since AND {{ends}} = :since))
    AND (:after IS NULL OR since < :after OR (since = :after AND number < :after_number))
ORDER BY since DESC, number DESC LIMIT :limit
""".format(ends="COALESCE(until, CASE WHEN lapses_at < :now THEN lapses_at END)")  # noqa: S608 - constants


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long and how much is kept; 0 days keep no history."""

    days: int = DAYS
    megabytes: int = MEGABYTES


class HistoryFile:
    """The file, open for reading alone."""

    def __init__(self, path: Path, *, for_writing: bool = False) -> None:
        """Open the file. Raise StateUnreadable."""
        self._path = path
        name = f"{path.absolute().as_uri()}?mode={'rwc' if for_writing else 'ro'}"
        try:
            self._file = sqlite3.connect(
                ":memory:" if path.name == ":memory:" else name,
                uri=True,
                timeout=START_SECONDS,
                isolation_level=None,
                check_same_thread=False,
            )
        except sqlite3.Error as error:
            raise _unreadable(path, error) from error

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def read(self, query: ReadHistory) -> HistoryPage:
        """Return a page of intervals. Raise StateUnreadable."""
        try:
            return self._read(query)
        except sqlite3.Error as error:
            raise _unreadable(self._path, error) from error

    def _read(self, query: ReadHistory) -> HistoryPage:
        after = query.after
        values = structs.asdict(query) | {
            "after": None if after is None else after.since,
            "after_number": None if after is None else after.number,
            "limit": query.limit + 1,
        }
        rows = self._file.execute(SELECT, values).fetchall()
        found = tuple(
            (HistoryKey(interval.since, row[0]), interval.judge(query.now))
            for row in rows[: query.limit]
            for interval in [_interval(row[1:])]
        )
        (kept_since,) = self._file.execute("SELECT since FROM kept").fetchone()
        return HistoryPage(
            intervals=found,
            is_last=len(rows) <= query.limit,
            gaps=self._find_gaps(query),
            kept_since=kept_since,
        )

    def _find_gaps(self, query: ReadHistory) -> tuple[tuple[int, int], ...]:
        """Return when the server did not run, within the time asked for, the latest first."""
        runs = self._file.execute(
            "SELECT since, seen FROM runs ORDER BY number DESC LIMIT ?", (20 * GAPS,)
        ).fetchall()
        # A server that runs has been seen just now; only a killed one's successor knows better.
        nexts = [query.now, *(since for since, _ in runs)]
        seen = [each for _, each in runs]
        pairs = zip(seen, nexts, strict=False)
        gaps = [
            (end, start)
            for place, (end, start) in enumerate(pairs)
            if start - end > (3 * SEEN_MS if place == 0 else 0)
            and (query.until is None or end <= query.until)
            and (query.since is None or start > query.since)
        ]
        return tuple(gaps[:GAPS])


class KeptHistory(HistoryFile):
    """Implements `robosignal.server.ports.History` over a file, or in memory."""

    def __init__(self, directory: Path | None, bounds: Bounds, now: int) -> None:
        """Open the file in a directory, made if there is none, at `now` (epoch ms); None: memory.

        Raise StateUnreadable.
        """
        super().__init__(
            (directory or Path()) / (DATABASE if directory else ":memory:"), for_writing=True
        )
        self._bounds = bounds
        self._lock = threading.Lock()
        self._numbers: dict[Key, int] = {}
        self._pending: list[Changed] = []
        self._failing = False
        self._seen = now
        try:
            self._prepare(now)
        except sqlite3.Error as error:
            self.close()
            raise _unreadable(self._path, error) from error
        except StateUnreadable:
            self.close()
            raise

    def _prepare(self, now: int) -> None:
        self._file.execute("PRAGMA journal_mode = WAL")
        # Committed writes survive the process, which is what may be killed; none waits for a disk.
        self._file.execute("PRAGMA synchronous = NORMAL")
        self._check_schema(now)
        self._file.execute("PRAGMA busy_timeout = 0")
        rows = self._file.execute(
            f"SELECT number, {', '.join(FIELDS)} FROM intervals WHERE until IS NULL"  # noqa: S608 - constants
        ).fetchall()
        found = [(number, _interval(values)) for number, *values in rows]
        self._timeline = Timeline(interval for _, interval in found)
        self._numbers = {
            (each.robot_id, each.session_id, each.role): number for number, each in found
        }
        self._run = self._file.execute(
            "INSERT INTO runs (since, seen) VALUES (?, ?)", (now, now)
        ).lastrowid

    def _check_schema(self, now: int) -> None:
        if read_version(self._file, self._path, SCHEMA) == 0:
            self._file.executescript(SCRIPT)
            self._file.execute("INSERT INTO kept VALUES (?)", (now,))
        columns = tuple(row[1] for row in self._file.execute("PRAGMA table_info(intervals)"))
        if columns != ("number", *FIELDS):
            raise StateUnreadable(
                self._path, f"its table intervals has the columns ({', '.join(columns)})", RESTORE
            )

    def start(self, robots: Iterable[Robot], now: int) -> Self:
        """Follow what the store found when it was opened at `now` (epoch ms), and return this.

        What the lines of the last run did not tell, because it was killed before it wrote them, is
        told by the items.
        """
        known = {robot.robot_id: robot for robot in robots}
        for robot in known.values():
            if robot.all_sessions() or any(key[0] == robot.robot_id for key in self._numbers):
                self.note(describe_sessions(_give_grace(robot, now), now))
        for robot_id in {key[0] for key in self._numbers} - known.keys():
            self.note(_describe_forgotten(robot_id, now))
        return self

    def note(self, line: Line) -> None:
        """Follow one line. Raise nothing: while the file cannot be written, changes wait."""
        with self._lock:
            self._pending += self._timeline.apply(line)
            self._write_pending()

    def read(self, query: ReadHistory) -> HistoryPage:
        """Return a page of a robot's intervals. Raise StateUnreadable."""
        with self._lock:
            return super().read(query)

    def tick(self, now: int) -> None:
        """Note that the server runs at `now` (epoch ms), and delete what is over the bounds."""
        if 0 <= now - self._seen < SEEN_MS:
            return
        with self._lock:
            self._seen = now
            self._write_pending()
            self._attempt(lambda: self._note_seen(now))

    def stop(self, now: int) -> None:
        """Note that the server ends at `now` (epoch ms), and close the file."""
        with self._lock:
            self._write_pending()
            self._attempt(lambda: self._note_seen(now))
        self.close()

    def _note_seen(self, now: int) -> None:
        self._file.execute("UPDATE runs SET seen = ? WHERE number = ?", (now, self._run))
        self._delete_old(now)

    def _delete_old(self, now: int) -> None:
        oldest = now - self._bounds.days * DAY_MS
        self._delete("until < ?", oldest, oldest)
        if self._bytes() > self._bounds.megabytes * 1_000_000:
            # The latest end among the oldest ones: nothing is kept of what ended before.
            found = self._file.execute(
                "SELECT until FROM intervals WHERE until IS NOT NULL "
                "ORDER BY until LIMIT 1 OFFSET ?",
                (AT_ONCE - 1,),
            ).fetchone()
            last = now if found is None else found[0]
            self._delete("until <= ?", last, last)

    def _delete(self, which: str, value: int, kept_since: int) -> None:
        self._file.execute(
            f"DELETE FROM intervals WHERE number IN "  # noqa: S608 - constants
            f"(SELECT number FROM intervals WHERE {which} ORDER BY until LIMIT {AT_ONCE})",
            (value,),
        )
        self._file.execute("UPDATE kept SET since = ? WHERE since < ?", (kept_since, kept_since))
        self._file.execute(
            "DELETE FROM runs WHERE seen < ? AND number < ?", (kept_since, self._run)
        )

    def _bytes(self) -> int:
        """Return how much of the file is in use. Deleted space is used again, never given back."""
        count, free, size = (
            self._file.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("page_count", "freelist_count", "page_size")
        )
        return int((count - free) * size)

    def _write_pending(self) -> None:
        if self._pending and self._attempt(self._write_all):
            self._pending.clear()
        if len(self._pending) > PENDING:
            del self._pending[: len(self._pending) - PENDING]

    def _write_all(self) -> None:
        numbers = dict(self._numbers) if len(self._pending) > 1 else self._numbers
        self._file.execute("BEGIN")
        for each in self._pending:
            self._write(each, numbers)
        self._file.execute("COMMIT")
        self._numbers = numbers

    def _write(self, changed: Changed, numbers: dict[Key, int]) -> None:
        values = structs.astuple(changed.interval)
        number = numbers.get(changed.key)
        if number is None:
            number = self._file.execute(INSERT, values).lastrowid
        else:
            self._file.execute(UPDATE, (*values, number))
        if changed.interval.until is None:
            numbers[changed.key] = number or 0
        else:
            numbers.pop(changed.key, None)

    def _attempt(self, act: Any) -> bool:
        """Write to the file; log the first failure and the next success. Return whether it did."""
        try:
            act()
        except sqlite3.Error as error:
            if self._file.in_transaction:
                self._file.execute("ROLLBACK")
            if not self._failing:
                self._failing = True
                log.error("the history cannot be written (%s): it waits in memory", error)  # noqa: TRY400 - once
            return False
        if self._failing:
            self._failing = False
            log.warning("the history can be written again")
        return True


def _interval(values: Iterable[Any]) -> Interval:
    return convert(dict(zip(FIELDS, values, strict=True)), Interval, strict=False)


def _give_grace(robot: Robot, now: int) -> Robot:
    """Return the robot with viewers who have as long to come back as drivers have."""
    until = now + GRACE_SECONDS * 1000
    viewers = {
        each: viewer
        if viewer.lost is not None
        else structs.replace(viewer, until=max(viewer.until, until))
        for each, viewer in robot.viewers.items()
    }
    return structs.replace(robot, viewers=viewers)


def _describe_forgotten(robot_id: Any, now: int) -> Line:
    """Return a line that says that a robot has no sessions any more, because it is forgotten."""
    return Line(
        at=now,
        robot=robot_id,
        epoch=0,
        rev=0,
        write="start",
        reason="found",
        owner="",  # type: ignore[arg-type]
        complete=True,
    )


def _unreadable(path: Path, error: sqlite3.Error) -> StateUnreadable:
    remedy = "fix that" if isinstance(error, sqlite3.OperationalError) else RESTORE
    return StateUnreadable(path, str(error), remedy)
