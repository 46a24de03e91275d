"""`robosignal serve`: runs the backend on one machine until it is told to stop.

Owns what is printed and the demo robot's process; must never know how frames travel.
"""

import asyncio
import os
import resource
import signal
import sys
from collections.abc import Callable
from contextlib import suppress

from robosignal.cli.arguments import TOKEN_VARIABLE
from robosignal.gateway.local import Local, Service
from robosignal.gateway.sign_in import LINK_SECONDS
from robosignal.gateway.state import StateUnreadable
from robosignal.server.settings import Options

DEMO = "demo"
"""The demo robot's id, and the user who owns it."""

ADMIN = "admin"
ADMIN_GROUP = "ADMINS"
STOPPING_SECONDS = 5
MINUTES = LINK_SECONDS // 60

FILES = 4096
"""Open files that a full gateway may need: 1,000 connections, strangers, and those that end."""

Say = Callable[[str], None]


async def serve(service: Service, options: Options, say: Say) -> int:
    """Serve until SIGINT or SIGTERM, and return the exit code.

    Raise PortTaken, StateInUse, StateUnreadable or KeyRefused, whose text says what to do.
    """
    _ask_for_files()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop.set)
    async with _opened(service, options) as local:
        say(welcome(local, service, say))
        if service.demo:
            await _with_demo_robot(local, stop, say)
        await stop.wait()
        say("stopping")
    return 0


def _ask_for_files() -> None:
    # A shell allows 256 or 1,024 files, though the system would allow more.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < FILES:
        most = FILES if hard == resource.RLIM_INFINITY else min(FILES, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))


def _opened(service: Service, options: Options) -> Local:
    """Return the backend, which does not listen yet: only its state can have been refused."""
    try:
        return Local(service, options)
    except OSError as error:
        if service.state is None:
            raise
        raise StateUnreadable.to_us(service.state, error) from error


def welcome(local: Local, service: Service, say: Say) -> str:
    """Return what a person needs to go on: where it is, and how to sign in.

    `say` prints later links, each of which replaces one that has been used.
    """
    gateway = local.gateway
    lines = [
        f"robosignal is up at {gateway.url}",
        f"robots and browsers connect to {gateway.websocket_url}",
    ]
    if service.demo:
        lines += ["", *_links(local, service, say), ""]
    elif service.remote is None:
        state = f" --state {service.state}" if service.state else ""
        lines.append(f"sign in with a token: robosignal token USER{state}")
    if service.host not in ("127.0.0.1", "::1", "localhost"):
        lines.append(f"listening on {service.host}: whoever reaches this machine can connect")
    return "\n".join(lines)


def _links(local: Local, service: Service, say: Say) -> list[str]:
    """Return the lines with links to sign in as users who may drive the demo robot."""
    owner = _link(local, "  demo, who owns the demo robot:  ", lambda: local.key.sign(DEMO), say)
    if service.remote is not None:
        # No admin link: a local admin must not control the robots of the issuer's users.
        return [f"Open this link within {MINUTES} minutes. It signs in one window, once:", owner]
    admin = _link(
        local,
        "  admin, who may take it over:    ",
        lambda: local.key.sign(ADMIN, [ADMIN_GROUP]),
        say,
    )
    return [
        f"Open one of these links within {MINUTES} minutes. Each signs in one window, once.",
        "For a takeover, open both, each in its own window:",
        owner,
        admin,
    ]


def _link(local: Local, title: str, sign: Callable[[], str], say: Say) -> str:
    """Return the line with a sign-in link; `say` prints the links that replace it."""

    def line(code: str) -> str:
        return f"{title}{local.gateway.url}#code={code}"

    return line(local.sign_ins.begin(sign, lambda code: say(f"the next link:\n{line(code)}")))


async def _with_demo_robot(local: Local, stop: asyncio.Event, say: Say) -> None:
    """Run the demo robot in a process of its own, beside the gateway, until `stop`."""
    robot = await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "robosignal", "robot", "--until-eof", "--robot-id", DEMO),
        *("--url", local.gateway.websocket_url),
        # In the environment, not among the arguments: others can read those.
        env=os.environ | {TOKEN_VARIABLE: local.key.sign(DEMO)},
        # A terminal's Ctrl-C reaches the whole group; this one is stopped after the gateway hears.
        start_new_session=True,
        # The pipe ends with this process, however that ends: no robot is left behind.
        stdin=asyncio.subprocess.PIPE,
    )
    stopping, ended = asyncio.ensure_future(stop.wait()), asyncio.ensure_future(robot.wait())
    await asyncio.wait({stopping, ended}, return_when=asyncio.FIRST_COMPLETED)
    if ended.done() and not stop.is_set():
        say(f"the demo robot ended with exit code {robot.returncode}; the gateway stays up")
    await _stopped(robot)
    stopping.cancel()


async def _stopped(process: asyncio.subprocess.Process) -> None:
    if process.returncode is not None:
        return
    process.terminate()
    try:
        await asyncio.wait_for(process.wait(), STOPPING_SECONDS)
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
