"""The robots' items in SQLite: each change is on disk before it is answered, or refused.

Owns the file and what becomes of writes that it does not take; must never know what an item says.
"""

import logging
import os
import sqlite3
import uuid
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path

from robosignal.protocol.errors import TryAgain
from robosignal.protocol.ids import RobotId

log = logging.getLogger("robosignal.gateway")

SCHEMA = 1
"""The number of the schema below, kept as the file's `user_version`; 0 is what had none yet."""

COLUMNS = ("robot_id", "item")
TABLE = "CREATE TABLE robots (robot_id TEXT PRIMARY KEY, item TEXT NOT NULL)"

START_SECONDS = 5
"""How long a start waits for another program's lock on the file."""


class WrongDatabase(Exception):
    """The file is not one that this version may write. The text says why."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.remedy = remedy


class Disk:
    """One database file. `put` and `remove` raise `TryAgain`, and change nothing, when they fail.

    That is for what lies around the file: a full disk, one that has become read-only, another
    program that has the file locked. They never wait: the event loop would wait with them.
    """

    def __init__(self, path: Path) -> None:
        """Connect to the file, made if there is none. Raise `sqlite3.Error` or WrongDatabase."""
        _require(path)
        # Autocommit: each write is one transaction, on disk (FULL) before it is answered.
        self._file = sqlite3.connect(
            path, timeout=START_SECONDS, isolation_level=None, check_same_thread=False
        )
        self._failing = False

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def robots(self) -> Iterable[tuple[RobotId, str]]:
        """Return all items, in a file made ready for writing.

        Raise `sqlite3.Error`, or WrongDatabase for a file that another version has made.
        """
        self._file.execute("PRAGMA journal_mode = WAL")
        self._file.execute("PRAGMA synchronous = FULL")
        self._check_schema()
        items = self._file.execute("SELECT robot_id, item FROM robots").fetchall()
        self._file.execute("PRAGMA busy_timeout = 0")
        return items

    def _check_schema(self) -> None:
        (version,) = self._file.execute("PRAGMA user_version").fetchone()
        if version > SCHEMA:
            raise WrongDatabase(
                f"a newer robosignal has made it, with schema {version}, and this one knows "
                f"schema {SCHEMA}",
                "start the newer one",
            )
        columns = tuple(row[1] for row in self._file.execute("PRAGMA table_info(robots)"))
        if columns != COLUMNS:
            raise WrongDatabase(
                f"its table robots has the columns ({', '.join(columns)}) instead of "
                f"({', '.join(COLUMNS)})",
                "put back a copy of it, move it away to start without robots",
            )
        if version < SCHEMA:
            self._file.execute(f"PRAGMA user_version = {SCHEMA}")

    def put(self, robot: RobotId, item: str) -> None:
        """Have an item on disk, in place of the one before."""
        self._write("INSERT OR REPLACE INTO robots (robot_id, item) VALUES (?, ?)", (robot, item))

    def remove(self, robot: RobotId) -> None:
        """Have no such item on disk."""
        self._write("DELETE FROM robots WHERE robot_id = ?", (robot,))

    def _write(self, statement: str, values: tuple[str, ...]) -> None:
        try:
            self._file.execute(statement, values)
        except sqlite3.OperationalError as error:
            self._failed(error)
            raise TryAgain from error
        if self._failing:
            self._failing = False
            log.warning("the state can be written again")

    def _failed(self, error: sqlite3.OperationalError) -> None:
        # Once: clients try again and again, and the log is likely on the same disk.
        if not self._failing:
            self._failing = True
            log.error("the state cannot be written (%s): changes are refused", error)


def _require(path: Path) -> None:
    """Have a database at this path, a new one only where there was none.

    A new one is put there whole, so one that is empty has lost what was in it. Raise
    WrongDatabase for that one, and for one of which only SQLite's log is left.
    """
    log_of_writes = path.with_name(f"{path.name}-wal")
    if not path.exists() and log_of_writes.exists():
        raise WrongDatabase(
            f"it is gone, and {log_of_writes.name} is left of it",
            "put both back, or move that away to start without robots",
        )
    if not path.exists():
        _create(path)
    elif path.is_file() and path.stat().st_size == 0:
        raise WrongDatabase(
            "it is empty", "put back a copy of it, move it away to start without robots"
        )


def _create(path: Path) -> None:
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    try:
        with closing(sqlite3.connect(draft, isolation_level=None)) as file:
            file.execute(TABLE)
            file.execute(f"PRAGMA user_version = {SCHEMA}")
        draft.rename(path)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise sqlite3.OperationalError(str(error)) from error
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
