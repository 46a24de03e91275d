"""The state directory: who may use it, and the database of robots in it.

Only its owner may write to the directory, and one process uses it at a time. Each change of a
robot is on disk before it is answered, or refused.
"""

import fcntl
import logging
import os
import sqlite3
import stat
import uuid
from collections.abc import Iterable
from contextlib import closing
from pathlib import Path
from typing import Self

from robosignal.protocol.errors import TryAgain
from robosignal.protocol.ids import RobotId

log = logging.getLogger("robosignal.gateway")

SCHEMA = 1
"""The number of the schema below, kept as the file's `user_version`; 0 is older than numbers."""

COLUMNS = ("robot_id", "item")
TABLE = "CREATE TABLE robots (robot_id TEXT PRIMARY KEY, item TEXT NOT NULL)"

START_SECONDS = 5
"""How long a start waits for another program's lock on the database."""

RESTORE = "restore it from a copy, move it away to start without robots"


class StateInUse(Exception):
    """Another process uses this state directory."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.directory = directory

    def __str__(self) -> str:
        return (
            f"another robosignal uses {self.directory}: stop it, "
            "or give this one a directory of its own with --state"
        )


class StateUnreadable(Exception):
    """The state cannot be read or written. The text says why, and what to do."""

    def __init__(self, path: Path, problem: str, remedy: str) -> None:
        super().__init__(path, problem, remedy)
        self.path = path
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return (
            f"the state {self.path} cannot be used ({self.problem}): {self.remedy}, "
            "or give another directory with --state"
        )

    @classmethod
    def from_os_error(cls, directory: Path, error: OSError) -> Self:
        """Return what an error of the system means for a state directory."""
        if isinstance(error, FileExistsError | NotADirectoryError):
            return cls(directory, "it is not a directory", "move it away")
        return cls(directory, error.strerror or str(error), "fix that")


class StateDirectory:
    """A state directory that is open and locked.

    The lock is on the directory itself (flock(2)): no lock file is written, so none can be
    deleted to get around it.
    """

    def __init__(self, directory: Path) -> None:
        """Make the directory (0700) if there is none. Raise StateInUse or StateUnreadable."""
        self._descriptor = _open_directory(directory)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self.close()
            raise StateInUse(directory) from error

    def close(self) -> None:
        """Unlock and close the directory."""
        os.close(self._descriptor)


def check_directory(directory: Path) -> None:
    """Make the directory (0700) if there is none. Raise StateUnreadable if it is not safe."""
    os.close(_open_directory(directory))


def _open_directory(directory: Path) -> int:
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise StateUnreadable.from_os_error(directory, error) from error
    try:
        _check_owner(directory, os.fstat(descriptor))
    except StateUnreadable:
        os.close(descriptor)
        raise
    return descriptor


def _check_owner(directory: Path, status: os.stat_result) -> None:
    """Raise StateUnreadable if other users could replace our files with theirs."""
    if status.st_uid not in (os.geteuid(), 0):
        raise StateUnreadable(directory, "another user owns it", "use a directory of your own")
    if status.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise StateUnreadable(directory, "others may write to it", f"chmod go-w {directory}")


def read_version(file: sqlite3.Connection, path: Path, known: int) -> int:
    """Return the number of a file's schema, 0 for none. Raise StateUnreadable above `known`."""
    (version,) = file.execute("PRAGMA user_version").fetchone()
    if version > known:
        raise StateUnreadable(
            path,
            f"a newer robosignal has written it, with schema {version}, and this one knows "
            f"schema {known}",
            "start the newer one",
        )
    return int(version)


class Database:
    """The robots' items in one SQLite file.

    `put` and `remove` raise TryAgain, and change nothing, while the file cannot be written: the
    disk is full or read-only, or another program has locked the file. They never wait for that,
    because the event loop would wait with them.
    """

    def __init__(self, path: Path) -> None:
        """Open the file, made if there is none. Raise StateUnreadable."""
        self._path = path
        self._failing = False
        try:
            _check_file(path)
            # Autocommit: each write is one transaction, on disk (FULL) before it is answered.
            self._file = sqlite3.connect(
                path, timeout=START_SECONDS, isolation_level=None, check_same_thread=False
            )
        except sqlite3.Error as error:
            raise _unreadable(path, error) from error

    def close(self) -> None:
        """Close the file."""
        self._file.close()

    def robots(self) -> Iterable[tuple[RobotId, str]]:
        """Make the file ready for writing, and return all items in it. Raise StateUnreadable."""
        try:
            self._file.execute("PRAGMA journal_mode = WAL")
            self._file.execute("PRAGMA synchronous = FULL")
            self._check_schema()
            items = self._file.execute("SELECT robot_id, item FROM robots").fetchall()
            self._file.execute("PRAGMA busy_timeout = 0")
        except sqlite3.Error as error:
            raise _unreadable(self._path, error) from error
        return items

    def _check_schema(self) -> None:
        version = read_version(self._file, self._path, SCHEMA)
        columns = tuple(row[1] for row in self._file.execute("PRAGMA table_info(robots)"))
        if columns != COLUMNS:
            raise StateUnreadable(
                self._path,
                f"its table robots has the columns ({', '.join(columns)}) instead of "
                f"({', '.join(COLUMNS)})",
                RESTORE,
            )
        if version < SCHEMA:
            self._file.execute(f"PRAGMA user_version = {SCHEMA}")

    def put(self, robot: RobotId, item: str) -> None:
        """Write an item in place of the one before."""
        self._write("INSERT OR REPLACE INTO robots (robot_id, item) VALUES (?, ?)", (robot, item))

    def remove(self, robot: RobotId) -> None:
        """Delete an item."""
        self._write("DELETE FROM robots WHERE robot_id = ?", (robot,))

    def _write(self, statement: str, values: tuple[str, ...]) -> None:
        try:
            self._file.execute(statement, values)
        except sqlite3.OperationalError as error:
            self._log_failure(error)
            raise TryAgain from error
        if self._failing:
            self._failing = False
            log.warning("the state can be written again")

    def _log_failure(self, error: sqlite3.OperationalError) -> None:
        # Once: clients try again and again, and the log is likely on the same disk.
        if not self._failing:
            self._failing = True
            log.error("the state cannot be written (%s): changes are refused", error)


def _check_file(path: Path) -> None:
    """Make the database if there was none.

    A new one is put in place whole, so an empty file has lost its content. Raise StateUnreadable
    for an empty file, and if only SQLite's log is left of a file.
    """
    log_of_writes = path.with_name(f"{path.name}-wal")
    if not path.exists() and log_of_writes.exists():
        raise StateUnreadable(
            path,
            f"it is gone, and {log_of_writes.name} is left of it",
            "restore both from a copy, move that away to start without robots",
        )
    if not path.exists():
        _create(path)
    elif path.is_file() and path.stat().st_size == 0:
        raise StateUnreadable(path, "it is empty", RESTORE)


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


def _unreadable(path: Path, error: sqlite3.Error) -> StateUnreadable:
    # An OperationalError is about what surrounds the file, such as permissions or a full disk.
    remedy = "fix that" if isinstance(error, sqlite3.OperationalError) else RESTORE
    return StateUnreadable(path, str(error), remedy)
