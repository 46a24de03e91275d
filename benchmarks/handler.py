"""The CPU of the Lambda's handler for one event, against the bare calls that it makes."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec

from benchmarks.environment import handler_environment, own_environment
from benchmarks.recorder import record
from benchmarks.recording import DEFAULTS, HANDLER, SETTINGS, Recording
from benchmarks.scale import Scale
from benchmarks.tables import MICROSECONDS, Figure, Table, ratio, tabulate
from robosignal.loadtest.measured_process import run_measured
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


def compare(scale: Scale) -> Table:
    """Return the CPU of each event, and its ratio to the bare calls, round by round."""
    figures = [
        figure for name, begin in EVENTS.items() for figure in _figures(name, record(begin), scale)
    ]
    return tabulate(TITLE, figures)


def _figures(name: str, recording: Recording, scale: Scale) -> list[Figure]:
    times = asyncio.run(compare_variants(recording, scale))
    handler, defaults, settings = (times[each] for each in (HANDLER, DEFAULTS, SETTINGS))
    calls = (
        f"its {len(recording.calls)} bare calls" if len(recording.calls) > 1 else "its bare call"
    )
    return [
        Figure(f"{name}: handler", MICROSECONDS, tuple(handler)),
        Figure(f"{name}: {calls}, botocore's defaults", MICROSECONDS, tuple(defaults)),
        ratio(f"{name}: handler / bare, botocore's defaults", handler, defaults),
        ratio(f"{name}: handler / bare, the handler's own settings", handler, settings),
    ]


async def compare_variants(recording: Recording, scale: Scale) -> dict[str, list[float]]:
    """Return the CPU of each variant for one event in µs, round by round.

    They run in a process that has the handler's environment, beside one that replays AWS's
    answers. Raise RuntimeError if they do not make the calls of the recording.
    """
    with TemporaryDirectory() as directory:
        path = Path(directory) / "recording.json"
        path.write_bytes(msgspec.json.encode(recording))
        async with run_measured(
            "benchmarks.replay_server", str(path), environment=own_environment()
        ) as aws:
            return await _run_process(path, aws.ready["url"], scale)


async def _run_process(path: Path, url: str, scale: Scale) -> dict[str, list[float]]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "benchmarks.handler_process", str(path)),
        *(str(scale.rounds), str(scale.events)),
        stdout=asyncio.subprocess.PIPE,
        env=handler_environment(url, f"{url}/jwks.json"),
    )
    out, _ = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"the comparison ended with exit code {process.returncode}")
    return msgspec.json.decode(out, type=dict[str, list[float]])
