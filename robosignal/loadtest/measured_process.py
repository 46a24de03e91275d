"""A process that tells how much CPU it has used: what it runs itself, and what its parent holds.

The two talk in lines of JSON on the child's standard input and output. The child measures itself
with its own clock, which is finer than what the system tells one process about another.
"""

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager, suppress
from typing import Any

import msgspec

START_SECONDS = 30
STOP_SECONDS = 5


# In the child.


async def report_cpu(ready: Mapping[str, str]) -> None:
    """Print `ready`, then the CPU seconds used so far for each line read, until input ends.

    Standard input ends with the parent, so no child is left behind.
    """
    reader = asyncio.StreamReader()
    with ExitStack() as stack:
        pipe, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
        )
        stack.callback(pipe.close)
        _print_json(ready)
        async for _ in reader:
            _print_json(time.process_time())


def _print_json(value: object) -> None:
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()


# In the parent.


class MeasuredProcess:
    """A running child that calls `report_cpu`. `ready` is what it printed first."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self.ready: Mapping[str, str] = {}
        self._process = process

    async def wait_until_ready(self) -> None:
        """Wait until it serves. Raise OSError if it ends first, or takes too long."""
        try:
            async with asyncio.timeout(START_SECONDS):
                self.ready = await self._exchange()
        except TimeoutError:
            raise OSError(f"it does not start within {START_SECONDS} s") from None

    async def cpu_s(self) -> float:
        """Return the CPU seconds that it has used so far, user and system together."""
        return float(await self._exchange(b"\n"))

    async def _exchange(self, line: bytes = b"") -> Any:
        """Write a line and return the next value that it prints. Raise OSError if it has ended."""
        to_child, from_child = self._process.stdin, self._process.stdout
        if to_child is None or from_child is None:
            raise OSError("it was started without pipes")
        to_child.write(line)
        printed = await from_child.readline()
        if not printed:
            raise OSError("it has ended")
        return msgspec.json.decode(printed)

    async def stop(self) -> None:
        """End its input and wait until it exits; kill it if that takes too long."""
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
async def run_measured(
    module: str, *arguments: str, environment: Mapping[str, str] | None = None
) -> AsyncIterator[MeasuredProcess]:
    """Run a module that calls `report_cpu` as a process, until the block ends.

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
    measured = MeasuredProcess(process)
    try:
        await measured.wait_until_ready()
        yield measured
    finally:
        await measured.stop()
