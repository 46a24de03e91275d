"""Each benchmark of `make bench`, by next to nothing: its figures are there, whatever they are."""

import asyncio
from dataclasses import replace
from math import isfinite

import pytest
from msgspec import structs

from benchmarks import calls, gateway, handler, imports, latency, strangers
from benchmarks.__main__ import BENCHES, main
from benchmarks.recorder import record
from benchmarks.scale import SMALL
from benchmarks.tables import HEAD, RATIO, Table
from tests.scenarios.test_calls import EVENTS, relay_to_robot

ROUNDS = str(SMALL.rounds)


def figures(table: Table) -> dict[str, tuple[str, ...]]:
    """Return the rows of a table of figures by what they say, each of which must be a number."""
    assert table.head == HEAD
    for _, _, _, *numbers in table.rows:
        assert all(isfinite(float(number)) for number in numbers)
    return {row[0]: row for row in table.rows}


def test_the_handler_is_compared_with_its_bare_calls() -> None:
    """Four events: two times and two ratios of each, in as many rounds as were asked for."""
    found = figures(handler.compare(SMALL))

    assert len(found) == 4 * len(handler.EVENTS)
    assert {row[2] for row in found.values()} == {ROUNDS}
    assert sum(row[1] == RATIO for row in found.values()) == 2 * len(handler.EVENTS)
    assert "candidate in a session: its 2 bare calls, botocore's defaults" in found
    assert "$connect: its bare call, botocore's defaults" in found


def test_a_recording_has_the_calls_that_the_tests_count() -> None:
    """A relay: one read of the robot, one post of the frame."""
    recording = record(relay_to_robot)

    assert [call.operation for call in recording.calls] == ["GetItem", "PostToConnection"]
    assert '"seq"' not in recording.calls[1].parameters["Data"]
    assert set(recording.answers) == {"GetItem robots", "GetItem connections"}


def test_a_variant_that_makes_other_calls_is_not_compared(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A ratio of unlike things would look like a figure."""
    recording = record(relay_to_robot)
    short = structs.replace(recording, calls=recording.calls[:1])

    with pytest.raises(RuntimeError, match="the comparison ended with exit code 1"):
        asyncio.run(handler.compare_variants(short, SMALL))
    assert "a variant makes other calls than the recording" in capfd.readouterr().err


def test_an_event_that_the_handler_refuses_is_not_measured(
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A refusal is quick, and would look like a good figure."""
    recording = record(relay_to_robot)
    wrong = structs.replace(recording, event={**recording.event, "body": "{}"})

    with pytest.raises(RuntimeError, match="the comparison ended with exit code 1"):
        asyncio.run(handler.compare_variants(wrong, SMALL))
    assert "the handler refuses the event" in capfd.readouterr().err


def test_the_import_is_compared_with_boto3s() -> None:
    """Each in an interpreter of its own."""
    found = figures(imports.measure(SMALL))

    assert [row[2] for row in found.values()] == [str(SMALL.imports)] * 3
    assert float(found["`signaling.handler`"][4]) > 0


def test_the_gateway_is_compared_with_bare_echoes() -> None:
    """Six times, and the ratios of the whole and of its transport to both echoes."""
    found = figures(gateway.compare(SMALL))

    assert [row[1] for row in found.values()] == ["µs"] * 6 + [RATIO] * 4
    assert float(found[gateway.GATEWAY][4]) > float(found[gateway.RULES][4]) > 0


def test_latency_is_told_by_percentiles() -> None:
    """Of every candidate of the run."""
    table = latency.measure(replace(SMALL, seconds=0.2))

    latencies, lateness = table.rows
    assert latencies[2] == lateness[2] == "40"
    p50, p95, p99, most = map(float, latencies[3:])
    assert 0 < p50 <= p95 <= p99 <= most
    assert "µs of CPU for each" in table.note


def test_a_neighbours_lists_are_timed_alone_and_beside_a_users_sockets() -> None:
    """With limits and without; a ratio of each."""
    table = strangers.compare(replace(SMALL, seconds=2))

    assert [row[0] for row in table.rows[:3]] == [
        strangers.ALONE,
        strangers.WITHOUT,
        strangers.WITH,
    ]
    assert [row[1] for row in table.rows] == ["ms"] * 3 + [RATIO] * 2
    assert all(float(row[4]) > 0 for row in table.rows)


def test_the_calls_are_those_that_the_tests_hold_to_their_budgets() -> None:
    """The same events, and the same numbers."""
    rows = {name: numbers for name, *numbers in calls.count().rows}

    assert rows == {
        name: [str(budget.calls), str(budget.calls + budget.cold), str(budget.posts)]
        for name, (_, budget) in EVENTS.items()
    }


def test_one_benchmark_can_be_run_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """It prints the machine and the table, and leaves the page as it is."""
    assert main(["calls"]) == 0

    printed = capsys.readouterr().out
    assert "cores" in printed.splitlines()[0]
    assert printed.count("### ") == 1


def test_a_name_of_none_is_refused_with_all_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    """In one line."""
    with pytest.raises(SystemExit):
        main(["speed"])

    last = capsys.readouterr().err.splitlines()[-1]
    assert last.endswith(f"there is no speed; there is {', '.join(BENCHES)}")
