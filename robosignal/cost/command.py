"""`robosignal cost`: what a fleet costs a month on AWS.

Owns the arguments and what is printed; must never know a count or a price.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

from robosignal.cost.bill import bill, document, table
from robosignal.cost.prices import list_prices, with_prices_of
from robosignal.cost.usage import HOURS_A_MONTH, Fleet, usage

MOST_HOURS = 31 * 24


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which arguments `run` takes."""
    add = parser.add_argument
    add("--robots", type=_whole(1), required=True, metavar="N", help="how many there are")
    add(
        "--hours",
        type=_number(MOST_HOURS),
        default=HOURS_A_MONTH,
        metavar="H",
        help="a month that each is online (%(default)s)",
    )
    add("--sessions", type=_number(), required=True, metavar="S", help="a month with each robot")
    add(
        "--minutes",
        type=_number(MOST_HOURS * 60),
        default=30,
        metavar="M",
        help="that a session lasts (%(default)s)",
    )
    add(
        "--drivers",
        type=_whole(0),
        metavar="N",
        help="users who sign in, robots with one of their own included (as many as robots)",
    )
    add(
        "--region-prices",
        type=Path,
        metavar="FILE",
        help="JSON as robosignal/cost/prices.json, with another Region's prices",
    )
    add("--json", action="store_true", help="print JSON")


def run(asked: argparse.Namespace, say: Callable[[str], object] = print) -> int:
    """Print the bill, and return the exit code. Raise PricesRefused, whose text says why."""
    prices = list_prices() if asked.region_prices is None else with_prices_of(asked.region_prices)
    fleet = Fleet(
        robots=asked.robots,
        hours=asked.hours,
        sessions=asked.sessions,
        drivers=asked.robots if asked.drivers is None else asked.drivers,
        session_minutes=asked.minutes,
    )
    written = document if asked.json else table
    say(written(fleet, bill(usage(fleet), prices), prices))
    return 0


def _whole(least: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not text.isascii() or not text.isdigit() or int(text) < least:
            raise argparse.ArgumentTypeError(f"must be a whole number of at least {least}")
        return int(text)

    return read


def _number(most: float = 1e9) -> Callable[[str], float]:
    def read(text: str) -> float:
        try:
            found = float(text)
        except ValueError:
            found = -1
        if not 0 <= found <= most:
            raise argparse.ArgumentTypeError(f"must be a number from 0 to {most:g}")
        return found

    return read
