"""`python -m benchmarks.handler_process RECORDING ROUNDS EVENTS`: the handler and its bare calls.

Measures this process's CPU alone; what answers the calls runs in another. Prints the CPU of each
variant for one event, in µs, round by round, as JSON.
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

from benchmarks.recording import (
    DEFAULTS,
    DYNAMODB,
    HANDLER,
    MANAGEMENT,
    SETTINGS,
    Call,
    Recording,
)
from robosignal.server.aws.backend import CLIENT
from robosignal.server.limits.bounded import Recent
from signaling.handler import _signaling, handler

Act = Callable[[], object]

WARM_UP = 20

CLOCK_SECONDS = 40
"""Shorter than a lease."""


def main(path: str, rounds: str, events: str) -> None:
    """Measure, and print the figures."""
    recording = msgspec.json.decode(Path(path).read_bytes(), type=Recording)
    with Path(os.devnull).open("w", encoding="utf-8") as nowhere:
        out, sys.stdout = sys.stdout, nowhere
        # Lambda's level; its own lines are JSON, which take a little longer.
        logging.basicConfig(level=logging.INFO, stream=nowhere)
        found = measure(make_variants(recording), int(rounds), int(events))
    out.write(msgspec.json.encode(found).decode())


def make_variants(recording: Recording) -> dict[str, Act]:
    """Return the variants, warmed up. Raise ValueError if they do not make the same calls."""
    found = {
        HANDLER: _handle_event(recording),
        DEFAULTS: _make_calls(recording.calls, None),
        SETTINGS: _make_calls(recording.calls, CLIENT),
    }
    for act in found.values():
        for _ in range(WARM_UP):
            act()
        before = _count_calls()
        act()
        if _count_calls() - before != len(recording.calls):
            raise ValueError("a variant makes other calls than the recording")
    return found


def _handle_event(recording: Recording) -> Act:
    event = recording.event
    # As in the recording, who watches is looked up for every event.
    _signaling._store._unwatched = Recent(0, 1)  # type: ignore[attr-defined] # noqa: SLF001
    # The event's own time, because a lease ends soon after it. Each reading is a second later,
    # because a renewal within a second of the last one is no write; it wraps before a lease ends.
    ticks = count()
    begun = event["requestContext"]["requestTimeEpoch"]
    _signaling._clock = lambda: begun + next(ticks) % CLOCK_SECONDS * 1000  # noqa: SLF001

    def act() -> None:
        if handler(event, None)["statusCode"] != HTTPStatus.OK:
            raise ValueError("the handler refuses the event")

    return act


def _make_calls(calls: list[Call], config: Config | None) -> Act:
    """Return a function that makes these calls and nothing else, with clients of these settings."""
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


def _count_calls() -> int:
    address = os.environ["AWS_ENDPOINT_URL_DYNAMODB"]
    with urllib.request.urlopen(f"{address}/calls") as answer:  # noqa: S310 - the stand-in's
        return int(answer.read())


def measure(acts: dict[str, Act], rounds: int, events: int) -> dict[str, list[float]]:
    """Return the CPU of one event in µs, of each variant in each round.

    The order changes each round, so that no variant always follows the same one.
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
