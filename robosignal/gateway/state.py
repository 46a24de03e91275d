"""The state directory: only its owner may write to it, and one process uses it at a time."""

import fcntl
import os
import stat
from pathlib import Path
from typing import Self


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
        """Return what the system's refusal means for a state directory."""
        if isinstance(error, FileExistsError | NotADirectoryError):
            return cls(directory, "it is no directory", "move it away")
        return cls(directory, error.strerror or str(error), "mend that")


class StateDirectory:
    """A state directory that is open and locked. Another process that opens it gets StateInUse.

    The lock is on the directory itself (flock(2)), so no file can be deleted to get around it,
    and none is written for it.
    """

    def __init__(self, directory: Path) -> None:
        """Make the directory (0700) if there is none. Raise StateInUse or StateUnreadable."""
        self._descriptor = _open(directory)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self.close()
            raise StateInUse(directory) from error

    def close(self) -> None:
        """Let go of it."""
        os.close(self._descriptor)


def check_directory(directory: Path) -> None:
    """Make the directory (0700) if there is none. Raise StateUnreadable if it is not safe."""
    os.close(_open(directory))


def _open(directory: Path) -> int:
    try:
        directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise StateUnreadable.from_os_error(directory, error) from error
    try:
        _check(directory, os.fstat(descriptor))
    except StateUnreadable:
        os.close(descriptor)
        raise
    return descriptor


def _check(directory: Path, found: os.stat_result) -> None:
    """Raise StateUnreadable if other users could replace our files with theirs."""
    if found.st_uid not in (os.geteuid(), 0):
        raise StateUnreadable(directory, "another user owns it", "make one of your own")
    if found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        raise StateUnreadable(directory, "others may write to it", f"chmod go-w {directory}")
