"""A benchmark's result: as a table for a person, and as JSON for programs."""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from robosignal.loadtest.plan import Plan, Result
from robosignal.probe.report import redact_url
from robosignal.probe.steps import percentile

PERCENTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
LATENCY = "candidate, from sent to received"
LATENESS = "sent later than it was due"
WIDTHS = (34, 8, 10, 10, 10, 10)

BEHIND = 0.95
"""Below this part of what was due, the sender was the bottleneck."""


def percentiles(times: Sequence[float]) -> dict[str, float]:
    """Return the percentiles of these times by name; none if there are no times."""
    return {name: percentile(times, fraction) for name, fraction in PERCENTILES.items() if times}


def rate(result: Result) -> float:
    """Return how many candidates arrived a second."""
    return result.arrived / result.elapsed_s if result.elapsed_s else 0.0


def format_text(plan: Plan, result: Result) -> str:
    """Return the result for a person to read."""
    lines = [_head(plan), *_figures(plan, result), *_remarks(plan, result)]
    return "\n".join(line.rstrip() for line in lines)


def _head(plan: Plan) -> str:
    each = f"{plan.rate:g} candidates a second each, for {plan.seconds:g} s"
    return f"{redact_url(plan.url)}: {plan.robots} robots and as many clients, {each}"


def _figures(plan: Plan, result: Result) -> Iterator[str]:
    if not result.arrived:
        return
    yield ""
    yield _row("ms", "n", *PERCENTILES)
    for name, times in ((LATENCY, result.latencies_ms), (LATENESS, result.late_ms)):
        yield _row(name, str(len(times)), *(f"{each:.2f}" for each in percentiles(times).values()))
    yield ""
    yield f"{'relays a second':34}{rate(result):.1f} of {plan.robots * plan.rate:g}"
    yield f"{'errors':34}{_errors(result)}"
    if result.cpu_us is not None:
        yield f"{'CPU of the server':34}{result.cpu_us:.0f} µs a relay"


def _errors(result: Result) -> str:
    counted = [*result.errors.most_common(), *([("lost", result.lost)] if result.lost else [])]
    return ", ".join(f"{code} {count}" for code, count in counted) or "none"


def _remarks(plan: Plan, result: Result) -> Iterator[str]:
    if result.stopped:
        yield f"stopped after {result.elapsed_s:.1f} s of relaying"
    elif result.failure is None and not result.arrived:
        yield f"nothing arrived; errors: {_errors(result)}"
    if result.sent and result.sent < BEHIND * _due(plan, result):
        yield "this machine sent less than was due: the figures show its limits, not the server's"
    if result.left_behind:
        yield ""
        yield f"could not be forgotten: {', '.join(result.left_behind)}"
    if result.failure is not None:
        failure = result.failure
        yield ""
        started = f"after {result.sessions} sessions had started"
        yield f"failed at {failure.step}, of the {failure.who}, {started}: {failure.seen}"
        yield "check next:"
        yield from (f"  - {each}" for each in failure.check)


def _due(plan: Plan, result: Result) -> float:
    return plan.robots * plan.rate * min(plan.seconds, result.elapsed_s)


def _row(first: str, *rest: str) -> str:
    cells = [cell.rjust(width) for cell, width in zip(rest, WIDTHS[1:], strict=True)]
    return first.ljust(WIDTHS[0]) + "".join(cells)


def format_json(plan: Plan, result: Result) -> str:
    """Return the result as JSON. Times are in ms, the CPU in µs."""
    shown: dict[str, Any] = {
        "url": redact_url(plan.url),
        "ok": result.is_good,
        "robots": plan.robots,
        "ratePerSecond": plan.rate,
        "seconds": plan.seconds,
        "sent": result.sent,
        "arrived": result.arrived,
        "relaysPerSecond": round(rate(result), 2),
        "latencyMs": _round_percentiles(result.latencies_ms),
        "sentLateMs": _round_percentiles(result.late_ms),
        "errors": dict(result.errors),
        "lost": result.lost,
        "stopped": result.stopped,
        "serverCpuUs": None if result.cpu_us is None else round(result.cpu_us, 1),
        "failure": result.failure,
        "leftBehind": result.left_behind,
    }
    return msgspec.json.format(msgspec.json.encode(shown), indent=2).decode()


def _round_percentiles(times: Sequence[float]) -> dict[str, float]:
    return {name: round(value, 3) for name, value in percentiles(times).items()}
