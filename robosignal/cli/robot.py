"""`robosignal robot`: a robot with a moving test picture, until a signal or the input's end.

Owns the arguments and when to stop; must never know how a robot talks.
"""

import argparse
import asyncio
import logging
import os
import signal
import sys
import threading
from contextlib import suppress

from robosignal.cli import arguments
from robosignal.cli.arguments import TOKEN_VARIABLE
from robosignal.protocol.ids import InstanceId, RobotId
from robosignal.robot.token import TokenSource, of_command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which arguments `run` takes."""
    add = parser.add_argument
    url = "such as ws://127.0.0.1:8080/prod"
    add("--url", type=arguments.websocket_url, required=True, help=url)
    add("--robot-id", type=arguments.identifier, required=True, metavar="ID")
    token = parser.add_mutually_exclusive_group().add_argument
    token("--token", help=f"else the environment's {TOKEN_VARIABLE}, which others cannot read")
    token("--token-command", metavar="CMD", help="a shell command that prints one, for each dial")
    add("--instance", type=arguments.identifier, metavar="ID", help="id of this run (random)")
    add("--until-eof", action="store_true", help="stop when standard input ends")


def run(asked: argparse.Namespace) -> int:
    """Be the robot, and return the exit code. Raise Refused, whose text says why."""
    return asyncio.run(_until_stopped(asked, _token(asked)))


def _token(asked: argparse.Namespace) -> str | TokenSource:
    if asked.token_command:
        return of_command(asked.token_command)
    return arguments.own_token(asked.token, os.environ)


async def _until_stopped(asked: argparse.Namespace, token: str | TokenSource) -> int:
    # Imported here: the other commands need no video library.
    from robosignal.robot.client import run as be  # noqa: PLC0415

    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    if asked.until_eof:
        args = (asyncio.get_running_loop(), stop)
        threading.Thread(target=_stop_at_eof, args=args, daemon=True).start()
    return await be(
        asked.url,
        RobotId(asked.robot_id),
        token,
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
