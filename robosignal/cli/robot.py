"""`robosignal robot`: a robot with a moving test picture, until a signal or its input's end.

`robosignal robot enroll` makes the key by which it connects, and lets it in by a code.
"""

import argparse
import asyncio
import logging
import os
import signal
import sys
import threading
from contextlib import suppress
from typing import Any

from robosignal.cli import arguments
from robosignal.cli.arguments import TOKEN_VARIABLE, Refused
from robosignal.protocol.ids import RobotId
from robosignal.robot import (
    EnrolmentRefused,
    KeyFile,
    KeyFileRefused,
    Limits,
    Robot,
    RobotError,
    TokenRejected,
    TokenSource,
    enroll,
)
from robosignal.robot.client import LONGEST_MS, ROTATE_KEY_DAYS, SHORTEST_MS
from robosignal.robot.drive import FRESH_MS, WATCHDOG_MS
from robosignal.robot.key.file import FILE_VARIABLE, default_path
from robosignal.robot.media.test_pattern import FRAMES_PER_SECOND
from robosignal.robot.token import from_command

MOST_PATTERN_FPS = 60
"""The most frames a second of the test picture, each of which is drawn."""

MOST_DAYS = 3650
FILE_HELP = (
    f"the robot's key file (default: the environment's {FILE_VARIABLE}, "
    "else ~/.config/robosignal/robot.json)"
)
ENROLL_HINT = "or enrol the robot by a code of its owner's: robosignal robot enroll URL CODE"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `run`."""
    add = parser.add_argument
    add(
        "--url",
        type=arguments.websocket_url,
        help="the server's WebSocket address, such as ws://127.0.0.1:8080/prod"
        " (default: the one in the key file)",
    )
    add(
        "--robot-id",
        type=arguments.identifier,
        metavar="ID",
        help="the robot's id, 1 to 64 of A-Z a-z 0-9 _ . - (default: the one in the key file)",
    )
    token = parser.add_mutually_exclusive_group().add_argument
    token(
        "--token",
        help=f"a token of the robot's owner; better in the environment's {TOKEN_VARIABLE}, which"
        " other users of this machine cannot read (default: the robot's own key)",
    )
    token(
        "--token-command",
        metavar="CMD",
        help="a shell command that prints a token, run for each connection",
    )
    token("--file", type=arguments.path, metavar="F", help=FILE_HELP)
    add(
        "--rotate-days",
        type=arguments.number(MOST_DAYS),
        default=ROTATE_KEY_DAYS,
        metavar="D",
        help="how many days the robot uses its own key before it makes a new one; 0: for ever"
        " (default: %(default)g)",
    )
    add(
        "--instance",
        type=arguments.identifier,
        metavar="ID",
        help="id of this run; a robot that comes back under the same one keeps its sessions"
        " (default: random)",
    )
    add(
        "--until-eof",
        action="store_true",
        help="stop when standard input ends, for a robot that another program starts",
    )
    _add_driving(parser.add_argument_group("driving"))
    parser.set_defaults(run_action=_run_robot)
    actions = parser.add_subparsers(metavar="enroll")
    _add_enroll_arguments(
        actions.add_parser("enroll", help="make the robot's key, and let it in by a code")
    )


def _add_enroll_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "url",
        type=arguments.websocket_url,
        metavar="URL",
        help="the server's WebSocket address, exactly as `robosignal robot` is given it",
    )
    add("code", type=arguments.code, metavar="CODE", help="a code that the robot's owner has made")
    add(
        "--robot-id",
        type=arguments.identifier,
        metavar="ID",
        help="the id that the robot takes (default: the one that the code names)",
    )
    add("--file", type=arguments.path, metavar="F", help=FILE_HELP)
    parser.set_defaults(run_action=_enroll)


def _add_driving(group: argparse._ArgumentGroup) -> None:
    """Declare what the robot obeys and shows, as `Robot` takes it."""
    add = group.add_argument
    milliseconds = arguments.whole(SHORTEST_MS, LONGEST_MS)
    bounds = f"from {SHORTEST_MS} to {LONGEST_MS}"
    add(
        "--watchdog-ms",
        type=milliseconds,
        default=WATCHDOG_MS,
        metavar="MS",
        help=f"how long a command is in force, {bounds}: then the robot stops"
        " (default: %(default)s)",
    )
    add(
        "--fresh-ms",
        type=milliseconds,
        default=FRESH_MS,
        metavar="MS",
        help="how long ago the sender of a command may have heard from the robot, the whole round"
        f" trip included, {bounds} (default: %(default)s)",
    )
    for axis, way in (("x", "to either side"), ("y", "ahead and back")):
        add(
            f"--limit-{axis}",
            type=arguments.number(1),
            default=1.0,
            metavar="PART",
            help=f"the most that it moves {way}, from 0 to 1 (default: 1)",
        )
    add(
        "--slew",
        type=arguments.positive,
        metavar="PART",
        help="the largest change of each axis in a second, above 0; a stop is never slowed down"
        " (default: no limit)",
    )
    add(
        "--no-old-pages",
        action="store_true",
        help="refuse pages that cannot prove that their commands are fresh",
    )
    add(
        "--fps",
        type=arguments.number(MOST_PATTERN_FPS),
        default=FRAMES_PER_SECOND,
        metavar="N",
        help=f"frames a second of the test picture, from 0 to {MOST_PATTERN_FPS}; 0 for a robot"
        " without a picture (default: %(default)s)",
    )


def run(asked: argparse.Namespace) -> int:
    """Run the robot until a signal, or enrol it, and return 0.

    Raise Refused, whose text says why it ended.
    """
    # At the level INFO these libraries log about single packets.
    for chatty in ("aiortc", "aioice"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    try:
        asked.run_action(asked)
    except RobotError as error:
        raise Refused(f"{error.robot_id}: {error} ({_name_option(error)})") from error
    except KeyFileRefused as error:
        raise Refused(f"{error} (the option is --file)") from error
    return 0


def _name_option(error: RobotError) -> str:
    if isinstance(error, TokenRejected):
        return "pass it as --token, or see --token-command"
    return "the options are --robot-id and --token"


def _enroll(asked: argparse.Namespace) -> None:
    path = asked.file or default_path(os.environ)
    robot_id = None if asked.robot_id is None else RobotId(asked.robot_id)
    try:
        enrolled = asyncio.run(enroll(asked.url, asked.code, path, robot_id))
    except EnrolmentRefused as error:
        raise Refused(str(error)) from error
    print(f"{enrolled.robot_id}: enrolled")  # noqa: T201 - it is what was asked for
    print(f"fingerprint {enrolled.file.key.fingerprint}")  # noqa: T201 - as above
    if enrolled.is_pending:
        print(  # noqa: T201 - as above
            "waits for approval: its owner compares this fingerprint, and approves the key"
        )


def _run_robot(asked: argparse.Namespace) -> None:
    asyncio.run(_run_until_stopped(asked))


async def _run_until_stopped(asked: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    if asked.until_eof:
        args = (asyncio.get_running_loop(), stop)
        threading.Thread(target=_stop_at_eof, args=args, daemon=True).start()
    await _make_robot(asked).run(stop=stop)


def _make_robot(asked: argparse.Namespace) -> Robot:
    token = None if asked.file else _read_token(asked)
    if token is None:
        return _make_robot_by_key(asked)
    for name, given in (("--url", asked.url), ("--robot-id", asked.robot_id)):
        if given is None:
            raise Refused(f"{name} is missing: with a token it is needed")
    return Robot(asked.url, asked.robot_id, token=token, **_driving(asked))


def _driving(asked: argparse.Namespace) -> dict[str, Any]:
    """Return what the robot obeys and shows, as `Robot` takes it."""
    return {
        "instance_id": asked.instance,
        "watchdog_ms": asked.watchdog_ms,
        "fresh_ms": asked.fresh_ms,
        "limits": Limits(asked.limit_x, asked.limit_y, asked.slew),
        "old_pages": not asked.no_old_pages,
        "fps": asked.fps,
    }


def _make_robot_by_key(asked: argparse.Namespace) -> Robot:
    path = asked.file or default_path(os.environ)
    try:
        file = KeyFile.load(path)
    except FileNotFoundError:
        raise Refused(
            f"no token: give --token, or set {TOKEN_VARIABLE} (robosignal token USER prints one), "
            f"{ENROLL_HINT} (there is no key file {path})"
        ) from None
    if file.robot_id is None:
        raise KeyFileRefused(
            path, "has a key that is not enrolled yet", "repeat robosignal robot enroll URL CODE"
        )
    if asked.robot_id not in (None, file.robot_id):
        raise KeyFileRefused(path, f"is {file.robot_id}'s", "leave out --robot-id, or name another")
    return Robot(
        asked.url or file.url,
        file.robot_id,
        key=file,
        rotate_key_days=asked.rotate_days,
        **_driving(asked),
    )


def _read_token(asked: argparse.Namespace) -> str | TokenSource | None:
    if asked.token_command:
        return from_command(asked.token_command)
    # The environment's token is for a robot that is named: one that is not has a key of its own.
    environment = os.environ if asked.robot_id else {}
    return arguments.token("--token", asked.token, TOKEN_VARIABLE, environment)


def _stop_at_eof(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    # Not by sys.stdin: a thread that waits in there would hold its lock when Python ends.
    while os.read(sys.stdin.fileno(), 4096):
        pass
    with suppress(RuntimeError):  # the loop has ended by itself
        loop.call_soon_threadsafe(stop.set)
