"""`robosignal bench`: how fast candidates go through a deployment, and what that costs the server.

Owns the arguments, what is printed and the exit code; must never know the protocol.
"""

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
from robosignal.loadtest.bench import Tell, bench
from robosignal.loadtest.gauged import gauged
from robosignal.loadtest.plan import Found, Plan
from robosignal.loadtest.report import document, text

ROBOTS, MOST_ROBOTS = 10, 500
"""A local gateway takes a thousand connections: so many robots, and as many clients."""

RATE, MOST_RATE = 20, 1000
"""A connection may send 50 messages a second, unless limits are off."""

SECONDS, MOST_SECONDS = 10, 600
PATIENCE_SECONDS, MOST_PATIENCE_SECONDS = 10, 60

OWN = "robosignal.loadtest.own"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which arguments `run` takes."""
    add = parser.add_argument
    add(
        "url",
        type=arguments.websocket_url,
        metavar="URL",
        nargs="?",
        help="such as ws://127.0.0.1:8080/prod; without one, a gateway is started to be measured",
    )
    add("--token", help=f"of robots and clients; else the environment's {TOKEN_VARIABLE}")
    add(
        "--robots",
        type=arguments.whole(1, MOST_ROBOTS),
        default=ROBOTS,
        metavar="N",
        help="as many clients, each with a session (%(default)s)",
    )
    add(
        "--seconds",
        type=arguments.seconds(MOST_SECONDS),
        default=SECONDS,
        metavar="S",
        help="to relay for (%(default)s)",
    )
    add(
        "--rate",
        type=_rate,
        default=RATE,
        metavar="R",
        help="candidates a second that each client sends (%(default)s)",
    )
    add(
        "--timeout",
        type=arguments.seconds(MOST_PATIENCE_SECONDS),
        default=PATIENCE_SECONDS,
        metavar="S",
        help="for any one answer (%(default)s s)",
    )
    add("--json", action="store_true", help="print JSON")


def run(asked: argparse.Namespace, say: Callable[[str], object] = print) -> int:
    """Relay, print what was found, and return 0 if every candidate arrived, else 1.

    Raise Refused when there is no token for a URL, or no gateway could be started.
    """
    with closing(Progress(sys.stderr)) as progress:
        plan, found = asyncio.run(_carried_out(asked, progress.tell))
    say((document if asked.json else text)(plan, found))
    return 0 if found.is_good else 1


async def _carried_out(asked: argparse.Namespace, tell: Tell) -> tuple[Plan, Found]:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    if asked.url is not None:
        plan = _plan(asked, asked.url, arguments.own_token(asked.token, os.environ))
        return plan, await bench(plan, tell, stop)
    if asked.token is not None:
        raise Refused("--token goes with a URL: give both, or neither")
    try:
        async with gauged(OWN) as own:
            plan = _plan(asked, own.ready["url"], own.ready["token"])
            return plan, await bench(plan, tell, stop, own.cpu_s)
    except OSError as error:
        raise Refused(f"the gateway to be measured cannot be run: {error}") from error


def _plan(asked: argparse.Namespace, url: str, token: str) -> Plan:
    return Plan(
        url=url,
        token=token,
        robots=asked.robots,
        rate=asked.rate,
        seconds=asked.seconds,
        patience_s=asked.timeout,
    )


def _rate(text: str) -> float:
    found = arguments.number(MOST_RATE)(text)
    if not found:
        raise argparse.ArgumentTypeError("must be above 0")
    return found
