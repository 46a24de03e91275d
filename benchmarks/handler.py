"""The CPU of the Lambda's handler for one event, against the bare calls that it makes.

Owns which events and how the parts are put together; must never know how time is taken.
"""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from benchmarks.amount import Amount
from benchmarks.places import environment, ours
from benchmarks.tables import MICROSECONDS, Figure, Table, measured, ratio
from benchmarks.tape import DEFAULTS, HANDLER, SETTINGS, Tape
from benchmarks.taping import taped
from robosignal.loadtest.gauged import gauged
from tests.scenarios.test_calls import (
    Act,
    Stage,
    connect,
    first_offer,
    ping_holder,
    relay_to_robot,
)

TITLE = "CPU of the handler, against the bare calls that it makes"

Begin = Callable[[Stage], Act]

EVENTS: dict[str, Begin] = {
    "candidate in a session": relay_to_robot,
    "first offer": first_offer,
    "ping of the driver": ping_holder,
    "$connect": connect,
}


def compared(amount: Amount) -> Table:
    """Return the CPU of each event, and its ratio to the bare calls, round by round."""
    figures = [
        figure for name, begin in EVENTS.items() for figure in _figures(name, taped(begin), amount)
    ]
    return measured(TITLE, figures)


def _figures(name: str, tape: Tape, amount: Amount) -> list[Figure]:
    taken = asyncio.run(contested(tape, amount))
    handler, defaults, settings = (taken[each] for each in (HANDLER, DEFAULTS, SETTINGS))
    calls = f"its {len(tape.calls)} bare calls" if len(tape.calls) > 1 else "its bare call"
    return [
        Figure(f"{name}: handler", MICROSECONDS, tuple(handler)),
        Figure(f"{name}: {calls}, botocore's defaults", MICROSECONDS, tuple(defaults)),
        ratio(f"{name}: handler / bare, botocore's defaults", handler, defaults),
        ratio(f"{name}: handler / bare, the handler's own settings", handler, settings),
    ]


async def contested(tape: Tape, amount: Amount) -> dict[str, list[float]]:
    """Return the CPU of each contender for one event in µs, round by round.

    They run in a process that has the handler's environment, beside a stand-in for AWS. Raise
    RuntimeError if they do not make the calls of the tape.
    """
    with TemporaryDirectory() as directory:
        path = Path(directory) / "tape.json"
        path.write_bytes(msgspec.json.encode(tape))
        async with gauged("benchmarks.standin", str(path), environment=ours()) as aws:
            return await _measured(path, aws.ready["url"], amount)


async def _measured(path: Path, url: str, amount: Amount) -> dict[str, list[float]]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.contest", str(path)),
        *(str(amount.rounds), str(amount.events)),
        stdout=asyncio.subprocess.PIPE,
        env=environment(url, f"{url}/jwks.json"),
    )
    out, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"the contest ended with {process.returncode}")
    return msgspec.json.decode(out, type=dict[str, list[float]])
