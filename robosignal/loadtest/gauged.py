"""A process that serves, and tells how much CPU it has used: the end of whoever started it.

Owns its start and its end; must never know what is served or measured.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

import msgspec

START_SECONDS = 30
STOP_SECONDS = 5


class Gauged:
    """A running process whose `robosignal.loadtest.gauge` answers."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.ready: Mapping[str, str] = {}
        """What it said as it began to serve."""
        self._process = process

    async def begin(self) -> None:
        """Wait until it serves. Raise OSError if it does not come to that."""
        try:
            async with asyncio.timeout(START_SECONDS):
                self.ready = await self._line()
        except TimeoutError:
            raise OSError(f"it does not start within {START_SECONDS} s") from None

    async def cpu_s(self) -> float:
        """Return the CPU seconds that it has used so far, of user and system together."""
        return float(await self._line(b"\n"))

    async def _line(self, told: bytes = b"") -> Any:
        """Return what it says next. Raise OSError if it has ended."""
        into, out = self._process.stdin, self._process.stdout
        if into is None or out is None:
            raise OSError("it was started without pipes")
        into.write(told)
        line = await out.readline()
        if not line:
            raise OSError("it has ended")
        return msgspec.json.decode(line)

    async def end(self) -> None:
        """Let it end by itself, or kill it."""
        process = self._process
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(STOP_SECONDS):
                await process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


@asynccontextmanager
async def gauged(
    module: str, *arguments: str, environment: Mapping[str, str] | None = None
) -> AsyncIterator[Gauged]:
    """Run a module as a process that answers, and end it afterwards.

    Raise OSError if it does not start.
    """
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=environment,
        # A terminal's Ctrl-C reaches the whole group; this one ends after its last answer.
        start_new_session=True,
    )
    found = Gauged(process)
    try:
        await found.begin()
        yield found
    finally:
        await found.end()
