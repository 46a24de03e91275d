"""`robosignal probe`: whether robots and clients can meet through a deployment, and how fast.

Owns the arguments, what is printed and the exit code; must never know the protocol.
"""

import argparse
import asyncio
import os
import re
import sys
from collections.abc import Callable
from typing import TextIO

from websockets.exceptions import InvalidURI
from websockets.uri import parse_uri

from robosignal.probe.play import Target
from robosignal.probe.probe import Tell, probe
from robosignal.probe.report import document, text

TOKEN_VARIABLE = "ROBOSIGNAL_TOKEN"  # noqa: S105 - the name of one, not one
ROBOT_TOKEN_VARIABLE = "ROBOSIGNAL_TOKEN_ROBOT"  # noqa: S105 - as above

SECONDS = 10
MOST_SECONDS = 60
MOST_ROUNDS = 1000

# RFC 6750, section 2.1. Anything else could not travel in a header.
_TOKEN = re.compile(r"[A-Za-z0-9._~+/-]+=*")


class ProbeRefused(Exception):
    """The probe cannot start. The text says why, and what to do."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Say which arguments `run` takes."""
    add = parser.add_argument
    add("url", metavar="URL", help="such as wss://ID.execute-api.REGION.amazonaws.com/prod")
    add("--token", help=f"of the client; else the environment's {TOKEN_VARIABLE}")
    add(
        "--token-robot",
        metavar="TOKEN",
        help=f"of the robot; else the environment's {ROBOT_TOKEN_VARIABLE}, else the client's",
    )
    add("--count", type=_rounds, default=1, metavar="N", help="rounds to run (%(default)s)")
    add(
        "--timeout",
        type=_seconds,
        default=SECONDS,
        metavar="S",
        help="for any one answer (%(default)s s)",
    )
    add("--json", action="store_true", help="print JSON")


def run(asked: argparse.Namespace, say: Callable[[str], object] = print) -> int:
    """Probe, print what was found, and return 0 if every round went through, else 1.

    Raise ProbeRefused when the arguments cannot be used.
    """
    target = _target(asked)
    progress = Progress(sys.stderr, asked.count)
    try:
        report = asyncio.run(probe(target, asked.count, progress.tell))
    finally:
        progress.clear()
    say(document(report) if asked.json else text(report))
    return 0 if report.failure is None else 1


def _target(asked: argparse.Namespace) -> Target:
    try:
        parse_uri(asked.url)
    except InvalidURI:
        raise ProbeRefused(
            "URL must be a WebSocket URL, such as ws://127.0.0.1:8080/prod"
        ) from None
    token = _given(asked.token, TOKEN_VARIABLE)
    if token is None:
        raise ProbeRefused(f"no token: give --token, or set {TOKEN_VARIABLE}")
    return Target(
        url=asked.url,
        client_token=token,
        robot_token=_given(asked.token_robot, ROBOT_TOKEN_VARIABLE) or token,
        seconds=asked.timeout,
    )


def _given(argument: str | None, variable: str) -> str | None:
    found = (argument or os.environ.get(variable, "")).strip()
    if found and not _TOKEN.fullmatch(found):
        raise ProbeRefused("the token holds characters that no token has: pass it whole, unquoted")
    return found or None


class Progress:
    """One line on a terminal that says what is going on; nothing elsewhere."""

    def __init__(self, stream: TextIO, count: int) -> None:
        self._stream = stream if stream.isatty() else None
        self._count = count

    @property
    def tell(self) -> Tell:
        """What to tell of each step."""
        return self._write

    def clear(self) -> None:
        """Take the line away."""
        self._put("")

    def _write(self, number: int, step: str) -> None:
        self._put(f"round {number} of {self._count}: {step}")

    def _put(self, line: str) -> None:
        if self._stream is not None:
            self._stream.write(f"\r{line}\x1b[K")
            self._stream.flush()


def _rounds(given: str) -> int:
    if not given.isascii() or not given.isdigit() or not 1 <= int(given) <= MOST_ROUNDS:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1 to {MOST_ROUNDS}")
    return int(given)


def _seconds(given: str) -> float:
    try:
        found = float(given)
    except ValueError:
        found = 0
    if not 0 < found <= MOST_SECONDS:
        raise argparse.ArgumentTypeError(f"must be more than 0, and at most {MOST_SECONDS}")
    return found
