"""`robosignal probe`: whether robots and clients can meet through a deployment, and how fast.

Owns the arguments, what is printed and the exit code; must never know the protocol.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Callable
from contextlib import closing

from robosignal.cli import arguments
from robosignal.cli.arguments import TOKEN_VARIABLE
from robosignal.cli.progress import Progress
from robosignal.probe.play import Target
from robosignal.probe.probe import Tell, probe
from robosignal.probe.report import document, text

ROBOT_TOKEN_VARIABLE = "ROBOSIGNAL_TOKEN_ROBOT"  # noqa: S105 - the name of one, not one

SECONDS = 10
MOST_SECONDS = 60
MOST_ROUNDS = 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which arguments `run` takes."""
    add = parser.add_argument
    add(
        "url",
        type=arguments.websocket_url,
        metavar="URL",
        help="such as wss://ID.execute-api.REGION.amazonaws.com/prod",
    )
    add("--token", help=f"of the client; else the environment's {TOKEN_VARIABLE}")
    add(
        "--token-robot",
        metavar="TOKEN",
        help=f"of the robot; else the environment's {ROBOT_TOKEN_VARIABLE}, else the client's",
    )
    add(
        "--count",
        type=arguments.whole(1, MOST_ROUNDS),
        default=1,
        metavar="N",
        help="rounds to run (%(default)s)",
    )
    add(
        "--timeout",
        type=arguments.seconds(MOST_SECONDS),
        default=SECONDS,
        metavar="S",
        help="for any one answer (%(default)s s)",
    )
    add("--json", action="store_true", help="print JSON")


def run(asked: argparse.Namespace, say: Callable[[str], object] = print) -> int:
    """Probe, print what was found, and return 0 if every round went through, else 1.

    Raise Refused when there is no token, or none that could be one.
    """
    target = _target(asked)
    with closing(Progress(sys.stderr)) as progress:
        report = asyncio.run(probe(target, asked.count, rounds(progress, asked.count)))
    say(document(report) if asked.json else text(report))
    return 0 if report.failure is None else 1


def _target(asked: argparse.Namespace) -> Target:
    token = arguments.own_token(asked.token, os.environ)
    robot_token = arguments.token(
        "--token-robot", asked.token_robot, ROBOT_TOKEN_VARIABLE, os.environ
    )
    return Target(
        url=asked.url,
        client_token=token,
        robot_token=robot_token or token,
        seconds=asked.timeout,
    )


def rounds(progress: Progress, count: int) -> Tell:
    """Return what tells of each step, as one of so many rounds."""

    def tell(number: int, step: str) -> None:
        progress.tell(f"round {number} of {count}: {step}")

    return tell
