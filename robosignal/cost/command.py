"""`robosignal cost`: what a fleet costs on AWS in a month."""

import argparse
from collections.abc import Callable
from pathlib import Path

from robosignal.cli import arguments
from robosignal.cli.arguments import Refused
from robosignal.cost.bill import format_json, format_table, make_bill
from robosignal.cost.prices import Prices, PricesRefused, list_prices, read_prices
from robosignal.cost.usage import HOURS_A_MONTH, Fleet, estimate_usage

MOST_HOURS = 31 * 24
MOST = 1_000_000_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the arguments of `run`."""
    add = parser.add_argument
    add(
        "--robots",
        type=arguments.whole(1, MOST),
        required=True,
        metavar="N",
        help="how many robots there are",
    )
    add(
        "--hours",
        type=arguments.number(MOST_HOURS),
        default=HOURS_A_MONTH,
        metavar="H",
        help="hours a month that each is online; 730 is always (default: %(default)s)",
    )
    add(
        "--sessions",
        type=arguments.number(MOST),
        required=True,
        metavar="S",
        help="how often each robot is driven a month",
    )
    add(
        "--minutes",
        type=arguments.number(MOST_HOURS * 60),
        default=30,
        metavar="M",
        help="how many minutes a session lasts (default: %(default)s)",
    )
    add(
        "--drivers",
        type=arguments.whole(0, MOST),
        metavar="N",
        help="users who sign in at Cognito, robots with a user of their own included"
        " (default: as many as robots)",
    )
    add(
        "--turn-urls",
        action="store_true",
        help="the stack is deployed with the setting turn_urls: it keeps a secret, each session "
        "asks for a TURN password, and so does each robot, three times an hour",
    )
    add(
        "--region-prices",
        type=Path,
        metavar="FILE",
        help="another Region's prices, in the shape of robosignal/cost/prices.json",
    )
    add("--json", action="store_true", help="print JSON with all that the estimate rests on")


def run(asked: argparse.Namespace, say: Callable[[str], object] = print) -> int:
    """Print the bill, and return 0. Raise Refused if the price file cannot be used."""
    prices = _read_prices(asked.region_prices)
    fleet = Fleet(
        robots=asked.robots,
        hours=asked.hours,
        sessions=asked.sessions,
        drivers=asked.robots if asked.drivers is None else asked.drivers,
        session_minutes=asked.minutes,
        turn_urls=asked.turn_urls,
    )
    render = format_json if asked.json else format_table
    say(render(fleet, make_bill(estimate_usage(fleet), prices), prices))
    return 0


def _read_prices(path: Path | None) -> Prices:
    if path is None:
        return list_prices()
    try:
        return read_prices(path)
    except PricesRefused as refused:
        raise Refused(f"--region-prices {refused}") from refused
