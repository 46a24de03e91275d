"""`python -m benchmarks.contest TAPE ROUNDS EVENTS`: the handler against its bare calls.

Measures this process's CPU alone; whatever answers runs in another. Says what each contender
took for one event, in µs, round by round, as JSON.
"""

import gc
import logging
import os
import sys
import time
import urllib.request
from collections.abc import Callable
from http import HTTPStatus
from itertools import count
from pathlib import Path
from typing import Any

import boto3
import msgspec
from botocore import xform_name
from botocore.config import Config

from benchmarks.tape import DEFAULTS, DYNAMODB, HANDLER, MANAGEMENT, SETTINGS, Call, Tape
from robosignal.server.aws.backend import CLIENT
from signaling.handler import _signaling, handler

Act = Callable[[], object]

WARM_UP = 20

CLOCK_SECONDS = 40
"""Shorter than a lease."""


def main(path: str, rounds: str, events: str) -> None:
    """Measure, and say what was found."""
    tape = msgspec.json.decode(Path(path).read_bytes(), type=Tape)
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        out, sys.stdout = sys.stdout, nowhere
        # Lambda's level; its own lines are JSON, which take a little longer.
        logging.basicConfig(level=logging.INFO, stream=nowhere)
        found = measured(contenders(tape), int(rounds), int(events))
    out.write(msgspec.json.encode(found).decode())


def contenders(tape: Tape) -> dict[str, Act]:
    """Return what is compared, warm. Raise ValueError if they do not make the same calls."""
    found = {
        HANDLER: _handling(tape),
        DEFAULTS: _bare(tape.calls, None),
        SETTINGS: _bare(tape.calls, CLIENT),
    }
    for act in found.values():
        for _ in range(WARM_UP):
            act()
        before = _calls_made()
        act()
        if _calls_made() - before != len(tape.calls):
            raise ValueError("not the calls that were noted, so no comparison")
    return found


def _handling(tape: Tape) -> Act:
    event = tape.event
    # The event's own time, for a lease is over soon after; a second further at each look, since
    # a renewal within a second of the last one is no write; and back before anything lapses.
    ticks = count()
    begun = event["requestContext"]["requestTimeEpoch"]
    _signaling._clock = lambda: begun + next(ticks) % CLOCK_SECONDS * 1000  # noqa: SLF001

    def act() -> None:
        if handler(event, None)["statusCode"] != HTTPStatus.OK:
            raise ValueError("the handler refuses the event")

    return act


def _bare(calls: list[Call], config: Config | None) -> Act:
    """Return what makes these calls and nothing else, with clients of these settings."""
    clients: dict[str, Any] = {
        DYNAMODB: boto3.client("dynamodb", config=config),
        MANAGEMENT: boto3.client(
            "apigatewaymanagementapi",
            endpoint_url=os.environ["WS_MGMT_ENDPOINT"],
            config=config,
        ),
    }
    bound = [
        (getattr(clients[call.service], xform_name(call.operation)), _parameters(call))
        for call in calls
    ]

    def act() -> None:
        for call, parameters in bound:
            call(**parameters)

    return act


def _parameters(call: Call) -> dict[str, Any]:
    if call.service == MANAGEMENT:
        return {**call.parameters, "Data": call.parameters["Data"].encode()}
    return call.parameters


def _calls_made() -> int:
    address = os.environ["AWS_ENDPOINT_URL_DYNAMODB"]
    with urllib.request.urlopen(f"{address}/calls") as answer:  # noqa: S310 - the stand-in's
        return int(answer.read())


def measured(acts: dict[str, Act], rounds: int, events: int) -> dict[str, list[float]]:
    """Return the CPU of one event in µs, of each contender in each round.

    They take turns in another order each round, so that none always follows the same one.
    """
    found: dict[str, list[float]] = {name: [] for name in acts}
    names = list(acts)
    for number in range(rounds):
        start = number % len(names)
        for name in names[start:] + names[:start]:
            found[name].append(_cpu_us(acts[name], events))
    return found


def _cpu_us(act: Act, events: int) -> float:
    gc.collect()
    began = time.process_time()
    for _ in range(events):
        act()
    return (time.process_time() - began) * 1e6 / events


if __name__ == "__main__":
    main(*sys.argv[1:])
