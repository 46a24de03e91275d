"""`robosignal probe`: whether robots and clients can meet through a deployment, and how fast."""

import argparse
import asyncio
import os
import sys
from collections.abc import Callable
from contextlib import closing

from robosignal.cli import arguments
from robosignal.cli.arguments import TOKEN_VARIABLE
from robosignal.cli.progress import Progress
from robosignal.probe.probe import OnStep, Target, probe
from robosignal.probe.report import format_json, format_text

ROBOT_TOKEN_VARIABLE = "ROBOSIGNAL_TOKEN_ROBOT"  # noqa: S105 - the name of one, not one

MOST_ROUNDS = 1000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `run`."""
    add = parser.add_argument
    add(
        "url",
        type=arguments.websocket_url,
        metavar="URL",
        help="the deployment, such as wss://ID.execute-api.REGION.amazonaws.com/prod",
    )
    add("--token", help=f"the client's token (default: the environment's {TOKEN_VARIABLE})")
    add(
        "--token-robot",
        metavar="TOKEN",
        help="the robot's token (default: the environment's "
        f"{ROBOT_TOKEN_VARIABLE}, else the client's)",
    )
    add(
        "--count",
        type=arguments.whole(1, MOST_ROUNDS),
        default=1,
        metavar="N",
        help="how many rounds to run (default: %(default)s)",
    )
    arguments.add_timeout(parser)
    arguments.add_json(parser)


def run(asked: argparse.Namespace, say: Callable[[str], object] = print) -> int:
    """Probe, print the report, and return 0 if every round went through, else 1.

    Raise Refused when there is no token, or none that could be one.
    """
    target = _target(asked)
    with closing(Progress(sys.stderr)) as progress:
        report = asyncio.run(probe(target, asked.count, show_rounds(progress, asked.count)))
    say(format_json(report) if asked.json else format_text(report))
    return 0 if report.failure is None else 1


def _target(asked: argparse.Namespace) -> Target:
    token = arguments.require_token(asked.token, os.environ)
    robot_token = arguments.token(
        "--token-robot", asked.token_robot, ROBOT_TOKEN_VARIABLE, os.environ
    )
    return Target(
        url=asked.url,
        client_token=token,
        robot_token=robot_token or token,
        timeout_s=asked.timeout,
    )


def show_rounds(progress: Progress, count: int) -> OnStep:
    """Return a callback that shows each step, with the number of its round out of `count`."""

    def show(number: int, step: str) -> None:
        progress.show(f"round {number} of {count}: {step}")

    return show
