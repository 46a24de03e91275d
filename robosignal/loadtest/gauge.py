"""A process that serves, and tells another how much CPU it has used: this is its own end.

Owns the lines on standard input and output; must never know what is served or measured.
The clock is the process's own, which is finer than what a system tells of other processes.
"""

import asyncio
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack

import msgspec


async def answer(ready: Mapping[str, str]) -> None:
    """Say `ready`, then the CPU seconds used so far for each line read, until there are no more.

    Standard input ends with whoever started this process, so none is left behind.
    """
    reader = asyncio.StreamReader()
    with ExitStack() as stack:
        pipe, _ = await asyncio.get_running_loop().connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), sys.stdin
        )
        stack.callback(pipe.close)
        _say(ready)
        async for _ in reader:
            _say(time.process_time())


def _say(value: object) -> None:
    sys.stdout.write(msgspec.json.encode(value).decode() + "\n")
    sys.stdout.flush()
