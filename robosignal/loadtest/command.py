"""`robosignal bench`: how fast candidates pass through a deployment, and what CPU they cost it."""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Callable
from contextlib import closing

from robosignal.cli import arguments
from robosignal.cli.arguments import TOKEN_VARIABLE, Refused
from robosignal.cli.progress import Progress
from robosignal.loadtest.bench import OnProgress, bench
from robosignal.loadtest.measured_process import run_measured
from robosignal.loadtest.plan import Plan, Result
from robosignal.loadtest.report import format_json, format_text

ROBOTS, MOST_ROBOTS = 10, 500
"""A local gateway takes a thousand connections, two for each robot and its client."""

RATE, MOST_RATE = 20, 1000
"""A connection may send 50 messages a second, unless limits are off."""

SECONDS, MOST_SECONDS = 10, 600

GATEWAY_MODULE = "robosignal.loadtest.gateway_process"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `run`."""
    add = parser.add_argument
    add(
        "url",
        type=arguments.websocket_url,
        metavar="URL",
        nargs="?",
        help="the deployment; without one, a gateway is started in a process of its own, in memory"
        " and without rate limits, and measured",
    )
    add(
        "--token",
        help="the token of the user whose robots and clients these are (default: the environment's "
        f"{TOKEN_VARIABLE})",
    )
    add(
        "--robots",
        type=arguments.whole(1, MOST_ROBOTS),
        default=ROBOTS,
        metavar="N",
        help="how many robots, and as many clients, each with a session (default: %(default)s)",
    )
    add(
        "--seconds",
        type=arguments.seconds(MOST_SECONDS),
        default=SECONDS,
        metavar="S",
        help="how many seconds to relay (default: %(default)s)",
    )
    add(
        "--rate",
        type=_rate,
        default=RATE,
        metavar="R",
        help="candidates a second that each client sends; the server takes 50 messages a second"
        " from a connection (default: %(default)s)",
    )
    arguments.add_timeout(parser)
    arguments.add_json(parser)


def run(asked: argparse.Namespace, say: Callable[[str], object] = print) -> int:
    """Relay, print the result, and return 0 if every candidate arrived, else 1.

    Raise Refused when there is no token for a URL, or no gateway could be started.
    """
    with closing(Progress(sys.stderr)) as progress:
        plan, result = asyncio.run(_bench(asked, progress.show))
    say((format_json if asked.json else format_text)(plan, result))
    return 0 if result.is_good else 1


async def _bench(asked: argparse.Namespace, on_progress: OnProgress) -> tuple[Plan, Result]:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    if asked.url is not None:
        plan = _plan(asked, asked.url, arguments.require_token(asked.token, os.environ))
        return plan, await bench(plan, on_progress, stop)
    if asked.token is not None:
        raise Refused("--token needs a URL: give both, or neither")
    try:
        async with run_measured(GATEWAY_MODULE) as gateway:
            plan = _plan(asked, gateway.ready["url"], gateway.ready["token"])
            return plan, await bench(plan, on_progress, stop, gateway.cpu_s)
    except OSError as error:
        raise Refused(f"the local gateway could not be started: {error}") from error


def _plan(asked: argparse.Namespace, url: str, token: str) -> Plan:
    return Plan(
        url=url,
        token=token,
        robots=asked.robots,
        rate=asked.rate,
        seconds=asked.seconds,
        timeout_s=asked.timeout,
    )


def _rate(text: str) -> float:
    found = arguments.number(MOST_RATE)(text)
    if not found:
        raise argparse.ArgumentTypeError("must be above 0")
    return found
