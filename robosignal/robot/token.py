"""Where the robot's token comes from: a string, a function, or a command's output.

Knows how to ask for it; never what is in it, nor when a connection is dialled.
"""

import asyncio
import contextlib
import os
import re
import signal
from asyncio.subprocess import Process
from collections.abc import Awaitable, Callable

TokenSource = Callable[[], Awaitable[str]]
"""Asked for a token at each dial, so that a new one may be given each time."""

# RFC 7230, section 3.2.6: it travels as a subprotocol, and those are header tokens.
TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


class NoToken(Exception):
    """There is no token now. The text says why, in words that bear no secret."""


def fixed(token: str) -> TokenSource:
    """Return a source that always gives this token."""

    async def source() -> str:
        return token

    return source


def of_command(command: str) -> TokenSource:
    """Return a source that runs this shell command anew each time; its output is the token."""

    async def source() -> str:
        return await _output(command)

    return source


async def ask(source: TokenSource) -> str:
    """Return a token fit for a handshake. Raise NoToken where there is none, whatever failed."""
    try:
        token = await source()
    except NoToken:
        raise
    except Exception as failure:
        # Never the exception's own text: it may quote what it failed on.
        raise NoToken(f"its source failed with {type(failure).__name__}") from failure
    if not isinstance(token, str) or TOKEN.fullmatch(token) is None:
        raise NoToken("its source gave something that is no token")
    return token


async def _output(command: str) -> str:
    starting = asyncio.create_task(_start(command))
    try:
        # Shielded: a start that is broken off would leave behind what the shell has started.
        process = await asyncio.shield(starting)
        output, _ = await process.communicate()
    finally:
        await _end(await starting)
    if process.returncode != 0:
        raise NoToken(f"--token-command ended with {process.returncode}")
    return output.decode(errors="replace").strip()


async def _start(command: str) -> Process:
    # In a group of its own, so that giving up ends all of it.
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
