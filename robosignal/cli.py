"""The command line: `robosignal serve`, `token`, `robot`, `probe` and `cost`.

Owns exit codes and the arguments of the commands that have no module of their own. What is
heavy is imported when its command runs: `robosignal token` loads no video library.
"""

import argparse
import asyncio
import io
import logging
import os
import re
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from robosignal.logs import Lines
from signaling.wire import limits
from signaling.wire.ids import InstanceId, RobotId

if TYPE_CHECKING:
    from robosignal.gateway.local import RemoteIssuer

Command = Callable[[argparse.Namespace], int]

IN_MEMORY = ":memory:"
STATE = ".robosignal"
TOKEN_VARIABLE = "ROBOSIGNAL_TOKEN"  # noqa: S105 - the name of one, not one


class Refused(Exception):
    """The command cannot run. The text says why, and what to do."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code."""
    asked = _parser().parse_args(arguments)
    if isinstance(sys.stdout, io.TextIOWrapper):
        # Lines appear as they are printed, also when they go to a file or a pipe.
        sys.stdout.reconfigure(line_buffering=True)
    lines = logging.StreamHandler(sys.stdout)
    lines.setFormatter(Lines("%(message)s"))
    logging.basicConfig(level=logging.INFO, handlers=[lines])
    try:
        code: int = asked.command(asked)
    except Refused as refused:
        sys.stderr.write(f"robosignal: {refused}\n")
        return 1
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="robosignal", description="Signaling for people who drive robots over WebRTC."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_serve(commands.add_parser("serve", help="run the backend on this machine"))
    _add_token(commands.add_parser("token", help="print a token that signs a user in locally"))
    _add_robot(commands.add_parser("robot", help="be a robot with a moving test picture"))
    _add_probe(commands.add_parser("probe", help="try a deployment, as robot and as client"))
    _add_cost(commands.add_parser("cost", help="estimate what a fleet costs on AWS"))
    return parser


def _add_serve(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=_serve)
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="address to listen on (%(default)s)")
    add("--port", type=int, default=8080, help="port to listen on, 0 for any (%(default)s)")
    add("--state", default=STATE, metavar="DIR", help="state and signing key (%(default)s)")
    add("--demo", action="store_true", help="run a demo robot and print links to drive it")
    add("--issuer", metavar="URL", help="trust the tokens of this issuer instead of our own")
    add("--jwks", metavar="URL", help="where the issuer's keys are")
    add("--audience", metavar="ID", action="append", help="client id to accept; repeat for more")
    add("--idle-timeout", type=_seconds, default=600, metavar="S", help="(%(default)s s)")
    add("--max-lifetime", type=_seconds, default=7200, metavar="S", help="(%(default)s s)")
    add("--chaos", type=int, metavar="SEED", help="overlap and delay the steps of messages")
    add("--unlimited", action="store_true", help="no rate limits, for benchmarks")


def _add_token(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=_token)
    add = parser.add_argument
    add("user", metavar="USER")
    add("--group", action="append", default=[], help="a group, such as ADMINS; repeat for more")
    add("--ttl", type=int, default=12 * 60 * 60, metavar="S", help="lifetime (%(default)s s)")
    add("--state", default=STATE, metavar="DIR", help="where the signing key is (%(default)s)")


def _add_robot(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(command=_robot)
    add = parser.add_argument
    add("--url", required=True, help="such as ws://127.0.0.1:8080/prod")
    add("--robot-id", required=True, metavar="ID")
    token = parser.add_mutually_exclusive_group().add_argument
    token("--token", help=f"else the environment's {TOKEN_VARIABLE}, which others cannot read")
    token("--token-command", metavar="CMD", help="a shell command that prints one, for each dial")
    add("--instance", type=_instance, metavar="ID", help="id of this run (random)")
    add("--until-eof", action="store_true", help="stop when standard input ends")


def _add_probe(parser: argparse.ArgumentParser) -> None:
    from robosignal.probe.command import ProbeRefused, add_arguments, run  # noqa: PLC0415

    add_arguments(parser)
    parser.set_defaults(command=_refusing(run, ProbeRefused))


def _add_cost(parser: argparse.ArgumentParser) -> None:
    from robosignal.cost.command import add_arguments, run  # noqa: PLC0415
    from robosignal.cost.prices import PricesRefused  # noqa: PLC0415

    add_arguments(parser)
    parser.set_defaults(command=_refusing(run, PricesRefused))


def _refusing(run: Command, kind: type[Exception]) -> Command:
    """Return a command whose own refusal ends it as every other's does."""

    def command(asked: argparse.Namespace) -> int:
        try:
            return run(asked)
        except kind as refused:
            raise Refused(str(refused)) from refused

    return command


def _instance(text: str) -> str:
    if not re.search(limits.ID_PATTERN, text):
        raise argparse.ArgumentTypeError("must be 1 to 64 of the characters A-Z a-z 0-9 _ . -")
    return text


def _seconds(text: str) -> float:
    seconds = float(text)
    if not seconds > 0:
        raise argparse.ArgumentTypeError("must be more than 0 seconds")
    return seconds


def _serve(asked: argparse.Namespace) -> int:
    # Imported here: the other commands need neither the gateway nor its libraries.
    from robosignal.gateway.gateway import Limits, PortTaken  # noqa: PLC0415
    from robosignal.gateway.keys import KeyRefused  # noqa: PLC0415
    from robosignal.gateway.local import Service  # noqa: PLC0415
    from robosignal.gateway.store import StateInUse  # noqa: PLC0415
    from robosignal.serve import serve  # noqa: PLC0415
    from signaling.settings import BadEnvironment, read_options  # noqa: PLC0415

    service = Service(
        host=asked.host,
        port=asked.port,
        state=None if asked.state == IN_MEMORY else Path(asked.state),
        demo=asked.demo,
        remote=_remote(asked),
        limits=Limits(idle_seconds=asked.idle_timeout, lifetime_seconds=asked.max_lifetime),
        chaos_seed=asked.chaos,
        unlimited=asked.unlimited,
    )
    try:
        return asyncio.run(serve(service, read_options(os.environ), print))
    except PortTaken as taken:
        other = taken.port + 1
        raise Refused(f'{taken}: stop it, or try make run ARGS="--port {other}"') from taken
    except (BadEnvironment, KeyRefused, StateInUse) as error:
        raise Refused(str(error)) from error
    except OSError as error:
        raise Refused(f"cannot serve on {asked.host}:{asked.port}: {error}") from error


def _remote(asked: argparse.Namespace) -> "RemoteIssuer | None":
    from robosignal.gateway.local import RemoteIssuer  # noqa: PLC0415

    given = (asked.issuer, asked.jwks, asked.audience)
    if not any(given):
        return None
    if not all(given):
        raise Refused("--issuer, --jwks and --audience go together: give all three, or none")
    return RemoteIssuer(asked.issuer, asked.jwks, frozenset(asked.audience))


def _token(asked: argparse.Namespace) -> int:
    from robosignal.gateway.keys import KeyRefused, LocalKey  # noqa: PLC0415

    try:
        key = LocalKey.load(Path(asked.state))
        print(key.sign(asked.user, asked.group, asked.ttl))  # noqa: T201 - it is what was asked for
    except (KeyRefused, OSError, ValueError) as error:
        raise Refused(str(error)) from error
    return 0


def _robot(asked: argparse.Namespace) -> int:
    if not (asked.token_command or asked.token or os.environ.get(TOKEN_VARIABLE)):
        raise Refused(
            f"no token: give --token, or set {TOKEN_VARIABLE} (robosignal token USER prints one)"
        )
    return asyncio.run(_robot_until_stopped(asked))


async def _robot_until_stopped(asked: argparse.Namespace) -> int:
    from robosignal.robot.client import run  # noqa: PLC0415
    from robosignal.robot.token import of_command  # noqa: PLC0415

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    if asked.until_eof:
        args = (asyncio.get_running_loop(), stop)
        threading.Thread(target=_stop_at_eof, args=args, daemon=True).start()
    return await run(
        asked.url,
        RobotId(asked.robot_id),
        of_command(asked.token_command)
        if asked.token_command
        else asked.token or os.environ[TOKEN_VARIABLE],
        log=logging.getLogger("robot"),
        stop=stop,
        instance_id=InstanceId(asked.instance) if asked.instance else None,
    )


def _stop_at_eof(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    # Not by sys.stdin: a thread that waits in there would hold its lock when Python ends.
    while os.read(sys.stdin.fileno(), 4096):
        pass
    with suppress(RuntimeError):  # the loop has ended by itself
        loop.call_soon_threadsafe(stop.set)
