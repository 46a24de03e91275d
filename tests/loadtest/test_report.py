"""How a benchmark's result looks, for people and for programs."""

import io
import json
from collections import Counter

import pytest

from robosignal.cli.progress import Progress
from robosignal.loadtest.plan import Plan, Result
from robosignal.loadtest.report import format_json, format_text, percentiles, rate
from robosignal.probe.report import Failure

PLAN = Plan("wss://me:pw@a.example/prod?token=t", "secret", 2, 10, 5, 10)


def found() -> Result:
    """Return the result of a run in which one was refused and one was lost."""
    return Result(
        sessions=2,
        sent=100,
        elapsed_s=4.9,
        latencies_ms=[float(number) for number in range(1, 99)],
        late_ms=[0.25] * 100,
        errors=Counter({"rate_limited": 1}),
        lost=1,
        cpu_us=71.4,
    )


def test_a_result_is_a_table() -> None:
    """Percentiles are times that were measured; the URL has lost its secrets."""
    assert format_text(PLAN, found()).splitlines() == [
        "wss://a.example/prod: 2 robots and as many clients, 10 candidates a second each, for 5 s",
        "",
        "ms                                       n       p50       p95       p99       max",
        "candidate, from sent to received        98     49.00     94.00     98.00     98.00",
        "sent later than it was due             100      0.25      0.25      0.25      0.25",
        "",
        "relays a second                   20.0 of 20",
        "errors                            rate_limited 1, lost 1",
        "CPU of the server                 71 µs a relay",
    ]


def test_a_failure_is_told_with_what_to_check() -> None:
    """And no table, for there is nothing in it."""
    failure = Failure("connect", "robot", 1, "no connection", ["the network"])

    assert format_text(PLAN, Result(failure=failure)).splitlines()[1:] == [
        "",
        "failed at connect, of the robot, after 0 sessions had started: no connection",
        "check next:",
        "  - the network",
    ]


@pytest.mark.parametrize(
    ("result", "remark"),
    [
        (Result(sessions=2, sent=5, lost=5), "nothing arrived; errors: lost 5"),
        (Result(stopped=True, elapsed_s=1.25), "stopped after 1.2 s of relaying"),
        (Result(left_behind=["bench-1"]), "could not be forgotten: bench-1"),
        (Result(sent=50, elapsed_s=5), "this machine sent less than was due"),
    ],
)
def test_what_a_table_does_not_say_is_said_below(result: Result, remark: str) -> None:
    """In one sentence each."""
    assert any(line.startswith(remark) for line in format_text(PLAN, result).splitlines())


def test_a_program_gets_the_same() -> None:
    """Times in ms, the CPU in µs, and no token."""
    shown = json.loads(format_json(PLAN, found()))

    assert (shown["ok"], shown["sent"], shown["arrived"], shown["lost"]) == (False, 100, 98, 1)
    assert shown["latencyMs"] == {"p50": 49.0, "p95": 94.0, "p99": 98.0, "max": 98.0}
    assert (shown["errors"], shown["serverCpuUs"]) == ({"rate_limited": 1}, 71.4)
    assert "secret" not in format_json(PLAN, found()) + format_text(PLAN, found()) + repr(PLAN)


def test_nothing_has_no_percentiles_and_no_rate() -> None:
    """Of a run that never began."""
    assert percentiles([]) == {}
    assert rate(Result()) == 0


@pytest.mark.parametrize(
    ("changes", "good"),
    [({}, True), ({"lost": 1}, False), ({"latencies_ms": []}, False), ({"stopped": True}, True)],
)
def test_a_run_is_good_when_all_of_it_arrived(changes: dict[str, object], *, good: bool) -> None:
    """Also one that was stopped; but not one in which nothing happened."""
    values = {"sent": 1, "latencies_ms": [1.0], **changes}

    assert Result(**values).is_good is good  # type: ignore[arg-type]


class Terminal(io.StringIO):
    """A stream that is one."""

    def isatty(self) -> bool:
        """Say so."""
        return True


def test_progress_is_one_line_on_a_terminal_and_nothing_elsewhere() -> None:
    """It is written over, and taken away at the end."""
    terminal, log = Terminal(), io.StringIO()
    for stream in (terminal, log):
        progress = Progress(stream)
        progress.show("1 of 10 s")
        progress.close()

    assert terminal.getvalue() == "\r1 of 10 s\x1b[K\r\x1b[K"
    assert log.getvalue() == ""
