"""Where the robot's token comes from: a string, a function, or a shell command's output."""

import asyncio
import contextlib
import os
import re
import signal
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable
from inspect import isawaitable

from robosignal.protocol.limits import TOKEN_PATTERN

TokenSource = Callable[[], str | Awaitable[str]]
"""Called for a token at each dial, so that it may return a new one each time.

It may be a coroutine function or a plain one; a plain one must not block, since it runs on the
event loop. It has 10 s, opening the connection included.
"""


class NoToken(Exception):
    """There is no token now. The text says why, and never quotes a secret."""


def from_text(token: str) -> TokenSource:
    """Return a source that always gives this token."""
    return lambda: token


def from_command(command: str) -> TokenSource:
    """Return a source that runs this shell command each time; its output is the token."""

    async def source() -> str:
        return await _run(command)

    return source


async def request_token(source: TokenSource) -> str:
    """Return a token fit for a handshake. Raise NoToken if there is none, whatever failed."""
    try:
        given = source()
        token = await given if isawaitable(given) else given
    except NoToken:
        raise
    except Exception as failure:
        # Never the exception's own text: it may quote what it failed on.
        raise NoToken(f"its source failed with {type(failure).__name__}") from failure
    if not isinstance(token, str) or not re.search(TOKEN_PATTERN, token):
        raise NoToken("its source gave something that is no token")
    return token


async def _run(command: str) -> str:
    starting = asyncio.create_task(_start(command))
    try:
        # Shielded: a start that is broken off would leave behind what the shell has started.
        process = await asyncio.shield(starting)
        output, _ = await process.communicate()
    finally:
        await _end(await starting)
    if process.returncode != 0:
        raise NoToken(f"the token command ended with {process.returncode}")
    return output.decode(errors="replace").strip()


async def _start(command: str) -> Process:
    # In a process group of its own, so that giving up ends all of it.
    return await asyncio.create_subprocess_shell(
        command,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )


async def _end(process: Process) -> None:
    if process.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()
