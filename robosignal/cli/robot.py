"""`robosignal robot`: a robot with a moving test picture, until a signal or its input's end."""

import argparse
import asyncio
import logging
import os
import signal
import sys
import threading
from contextlib import suppress

from robosignal.cli import arguments
from robosignal.cli.arguments import TOKEN_VARIABLE, Refused
from robosignal.robot import Limits, Robot, RobotError, TokenRejected, TokenSource
from robosignal.robot.client import LONGEST_MS, SHORTEST_MS
from robosignal.robot.drive import FRESH_MS, WATCHDOG_MS
from robosignal.robot.media.test_pattern import FRAMES_PER_SECOND
from robosignal.robot.token import from_command

MOST_PATTERN_FPS = 60
"""The most frames a second of the test picture, each of which is drawn."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `run`."""
    add = parser.add_argument
    url = "the server's WebSocket address, such as ws://127.0.0.1:8080/prod"
    add("--url", type=arguments.websocket_url, required=True, help=url)
    add(
        "--robot-id",
        type=arguments.identifier,
        required=True,
        metavar="ID",
        help="the robot's id, 1 to 64 of A-Z a-z 0-9 _ . -",
    )
    token = parser.add_mutually_exclusive_group().add_argument
    token(
        "--token",
        help=f"the token; better in the environment's {TOKEN_VARIABLE}, which other users of this"
        " machine cannot read",
    )
    token(
        "--token-command",
        metavar="CMD",
        help="a shell command that prints a token, run for each connection",
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
    """Run the robot until a signal, and return 0. Raise Refused, whose text says why it ended."""
    # At the level INFO these libraries log about single packets.
    for chatty in ("aiortc", "aioice"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    try:
        asyncio.run(_run_until_stopped(asked))
    except RobotError as error:
        raise Refused(f"{error.robot_id}: {error} ({_name_option(error)})") from error
    return 0


def _name_option(error: RobotError) -> str:
    if isinstance(error, TokenRejected):
        return "pass it as --token, or see --token-command"
    return "the options are --robot-id and --token"


async def _run_until_stopped(asked: argparse.Namespace) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    if asked.until_eof:
        args = (asyncio.get_running_loop(), stop)
        threading.Thread(target=_stop_at_eof, args=args, daemon=True).start()
    robot = Robot(
        asked.url,
        asked.robot_id,
        token=_read_token(asked),
        instance_id=asked.instance,
        watchdog_ms=asked.watchdog_ms,
        fresh_ms=asked.fresh_ms,
        limits=Limits(asked.limit_x, asked.limit_y, asked.slew),
        old_pages=not asked.no_old_pages,
        fps=asked.fps,
    )
    await robot.run(stop=stop)


def _read_token(asked: argparse.Namespace) -> str | TokenSource:
    if asked.token_command:
        return from_command(asked.token_command)
    return arguments.require_token(asked.token, os.environ)


def _stop_at_eof(loop: asyncio.AbstractEventLoop, stop: asyncio.Event) -> None:
    # Not by sys.stdin: a thread that waits in there would hold its lock when Python ends.
    while os.read(sys.stdin.fileno(), 4096):
        pass
    with suppress(RuntimeError):  # the loop has ended by itself
        loop.call_soon_threadsafe(stop.set)
