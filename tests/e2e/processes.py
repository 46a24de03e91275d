"""Starts the project's own commands as processes, reads what they print, and stops them.

Nothing is waited for but a printed line or an exit: a silent process fails with its output.
"""

import atexit
import os
import queue
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping

PATIENCE_SECONDS = 30


class Process:
    """One `robosignal` command, running."""

    def __init__(
        self,
        *arguments: str,
        environment: Mapping[str, str] | None = None,
        program: tuple[str, ...] = (sys.executable, "-m", "robosignal"),
        within: tuple[str, ...] = (),
    ) -> None:
        """Start it; `within` is what its command line begins with, as in `Network.within`."""
        self.arguments = arguments
        self.lines: list[str] = []
        self._unread: queue.Queue[str | None] = queue.Queue()
        self._popen = subprocess.Popen(
            [*within, *program, *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env=os.environ | dict(environment or {}),
        )
        # A test that fails half-way stops nothing; to kill one that has ended does nothing.
        atexit.register(self._popen.kill)
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    @classmethod
    def of_code(cls, code: str, *arguments: str, within: tuple[str, ...] = ()) -> "Process":
        """Run some Python with these arguments."""
        path = {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
        return cls(
            *arguments, environment=path, program=(sys.executable, "-c", code), within=within
        )

    @property
    def pid(self) -> int:
        """Its number."""
        return self._popen.pid

    def drain(self) -> list[str]:
        """Return the lines that it has printed and that nothing has waited for."""
        found: list[str] = []
        while not self._unread.empty():
            line = self._unread.get()
            if line is None:
                # Its end is for `wait_for` to tell.
                self._unread.put(None)
                break
            found.append(line)
        self.lines += found
        return found

    def _read(self) -> None:
        stream = self._popen.stdout
        assert stream is not None
        with stream:
            for line in stream:
                self._unread.put(line.rstrip("\n"))
        self._unread.put(None)

    @property
    def output(self) -> str:
        """Everything that was read of what it printed."""
        return "\n".join(self.lines)

    def wait_for(self, pattern: str) -> re.Match[str]:
        """Return the next printed line that matches; fail when it ends or never says so."""
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                line = self._unread.get(timeout=max(0, until - time.monotonic()))
            except queue.Empty:
                raise AssertionError(
                    f"{self.arguments} never said {pattern!r}:\n{self.output}"
                ) from None
            if line is None:
                raise AssertionError(f"{self.arguments} ended before {pattern!r}:\n{self.output}")
            self.lines.append(line)
            if found := re.search(pattern, line):
                return found

    def kill(self) -> None:
        """End it at once, as a crash does."""
        self._popen.kill()
        self._popen.wait()

    def has_closed_its_output(self) -> bool:
        """Say whether it, and whatever it started, let go of the output before long."""
        self._reader.join(PATIENCE_SECONDS)
        return not self._reader.is_alive()

    def stop(self) -> int:
        """Ask it to end, and return its exit code."""
        if self._popen.poll() is None:
            self._popen.send_signal(signal.SIGTERM)
        return self.ended()

    def ended(self) -> int:
        """Return its exit code once it has ended by itself."""
        code = self._popen.wait(timeout=PATIENCE_SECONDS)
        self._reader.join()
        return code


def run(*arguments: str) -> str:
    """Run a command to its end and return what it printed."""
    done = subprocess.run(
        [sys.executable, "-m", "robosignal", *arguments],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=True,
    )
    return done.stdout.strip()
