"""Runs a real TURN server on loopback. It knows the shared secrets, and nothing of what is tested.

Found on PATH, or where Debian puts it.
"""

import asyncio
import os
import shutil
import signal
import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

MISSING = "no coturn found. Install it: sudo apt-get install coturn"
STARTING_SECONDS = 10

RELAY_PORTS = (61000, 61099)
"""Above those that Linux hands out by itself, so that nobody has one by chance."""


def require_coturn() -> str:
    """Return coturn's program; without one skip the test, or fail it when CI=true."""
    found = shutil.which("turnserver") or shutil.which("/usr/bin/turnserver")
    if found is None:
        if os.environ.get("CI") == "true":
            pytest.fail(MISSING)
        pytest.skip(MISSING)
    return found


@asynccontextmanager
async def coturn(
    secrets: Sequence[str], directory: Path, *, address: str = "127.0.0.1", more: Sequence[str] = ()
) -> AsyncIterator[int]:
    """Run coturn with these shared secrets, files in this directory; yield its UDP port.

    It listens and relays on `address`, and takes `more` options.
    """
    port = _free_port()
    process = await asyncio.create_subprocess_exec(
        require_coturn(),
        *_options(port, address, directory),
        *(f"--static-auth-secret={secret}" for secret in secrets),
        *more,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        await _until_listening(process)
        yield port
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGKILL)  # it takes seconds to end in an orderly way
        await process.communicate()


def _options(port: int, address: str, directory: Path) -> list[str]:
    lowest, highest = RELAY_PORTS
    return [
        "-n",  # no configuration file: the machine's own is another server's
        "--verbose",  # it says when it listens
        "--log-file=stdout",
        f"--pidfile={directory / 'pid'}",
        f"--userdb={directory / 'users'}",
        f"--listening-ip={address}",
        f"--relay-ip={address}",
        f"--listening-port={port}",
        f"--min-port={lowest}",
        f"--max-port={highest}",
        # With more, a client whose first words come early may be sent on to one that never met it.
        "--relay-threads=1",
        "--realm=robosignal.test",
        "--use-auth-secret",
        "--allow-loopback-peers",
        "--no-tcp",
        "--no-tls",
        "--no-dtls",
        "--no-cli",
    ]


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
    return port


async def _until_listening(process: asyncio.subprocess.Process) -> None:
    """Read its log until it listens. Raise RuntimeError with the log if it ends before."""
    assert process.stdout is not None
    log = b""
    async with asyncio.timeout(STARTING_SECONDS):
        async for line in process.stdout:
            log += line
            if b"UDP listener opened" in line:
                return
    raise RuntimeError(log.decode(errors="replace"))
