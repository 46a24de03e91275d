"""The robots' items in SQLite: each change is on disk before it is answered, or refused.

Owns the file and what becomes of writes that it does not take; must never know what an item says.
"""

import logging
import sqlite3
from collections.abc import Iterable
from pathlib import Path

from signaling.wire.errors import TryAgain
from signaling.wire.ids import RobotId

log = logging.getLogger("robosignal.gateway")


class Disk:
    """One database file. `put` and `remove` raise `TryAgain`, and change nothing, when they fail.

    That is for what lies around the file: a full disk, one that has become read-only.
    """

    def __init__(self, path: Path) -> None:
        """Connect, and read nothing yet; raise `sqlite3.Error`."""
        # Autocommit: each write is one transaction, on disk (FULL) before it is answered.
        self._file = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._failing = False

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()

    def robots(self) -> Iterable[tuple[RobotId, str]]:
        """Return all items, in a file made ready for writing; raise `sqlite3.Error`."""
        self._file.execute("PRAGMA journal_mode = WAL")
        self._file.execute("PRAGMA synchronous = FULL")
        self._file.execute(
            "CREATE TABLE IF NOT EXISTS robots (robot_id TEXT PRIMARY KEY, item TEXT NOT NULL)"
        )
        return self._file.execute("SELECT robot_id, item FROM robots")

    def put(self, robot: RobotId, item: str) -> None:
        """Have an item on disk, in place of the one before."""
        self._write("INSERT OR REPLACE INTO robots VALUES (?, ?)", (robot, item))

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
