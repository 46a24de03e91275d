"""What a benchmark found: as a table for a person, and as JSON for programs.

Knows how it looks; must never know how it was found, and never shows a token.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from robosignal.loadtest.plan import Found, Plan
from robosignal.probe.laps import percentile
from robosignal.probe.report import shown_url

PARTS = {"p50": 0.5, "p95": 0.95, "p99": 0.99, "max": 1.0}
LATENCY = "candidate, from sent to received"
LATENESS = "sent later than it was due"
WIDTHS = (34, 8, 10, 10, 10, 10)

BEHIND = 0.95
"""The part of what was due that must have been sent, or the sender was the bottleneck."""


def percentiles(times: Sequence[float]) -> dict[str, float]:
    """Return the times that so large a part of these does not exceed; nothing of none."""
    return {name: percentile(list(times), part) for name, part in PARTS.items() if times}


def rate(found: Found) -> float:
    """Return how many candidates arrived a second."""
    return found.arrived / found.elapsed_s if found.elapsed_s else 0.0


def text(plan: Plan, found: Found) -> str:
    """Return the result for a person to read."""
    parts = [_head(plan), *_figures(plan, found), *_remarks(plan, found)]
    return "\n".join(line.rstrip() for line in parts)


def _head(plan: Plan) -> str:
    each = f"{plan.rate:g} candidates a second each, for {plan.seconds:g} s"
    return f"{shown_url(plan.url)}: {plan.robots} robots and as many clients, {each}"


def _figures(plan: Plan, found: Found) -> Iterator[str]:
    if not found.arrived:
        return
    yield ""
    yield _row("ms", "n", *PARTS)
    for name, times in ((LATENCY, found.latencies_ms), (LATENESS, found.late_ms)):
        yield _row(name, str(len(times)), *(f"{each:.2f}" for each in percentiles(times).values()))
    yield ""
    yield f"{'relays a second':34}{rate(found):.1f} of {plan.robots * plan.rate:g}"
    yield f"{'errors':34}{_errors(found)}"
    if found.cpu_us is not None:
        yield f"{'CPU of the server':34}{found.cpu_us:.0f} µs a relay"


def _errors(found: Found) -> str:
    counted = [*found.errors.most_common(), *([("lost", found.lost)] if found.lost else [])]
    return ", ".join(f"{code} {count}" for code, count in counted) or "none"


def _remarks(plan: Plan, found: Found) -> Iterator[str]:
    if found.stopped:
        yield f"stopped after {found.elapsed_s:.1f} s of relaying"
    elif found.failure is None and not found.arrived:
        yield f"nothing arrived; errors: {_errors(found)}"
    if found.sent and found.sent < BEHIND * _due(plan, found):
        yield "this machine sent less than was due: the figures are its own, not the deployment's"
    if found.left_behind:
        yield ""
        yield f"left behind, not forgotten: {', '.join(found.left_behind)}"
    if found.failure is not None:
        failure = found.failure
        yield ""
        where = f"{failure.step}, of the {failure.who}, when {found.pairs} pairs had met"
        yield f"failed at {where}: {failure.seen}"
        yield "check next:"
        yield from (f"  - {each}" for each in failure.check)


def _due(plan: Plan, found: Found) -> float:
    return plan.robots * plan.rate * min(plan.seconds, found.elapsed_s)


def _row(first: str, *rest: str) -> str:
    cells = [cell.rjust(width) for cell, width in zip(rest, WIDTHS[1:], strict=True)]
    return first.ljust(WIDTHS[0]) + "".join(cells)


def document(plan: Plan, found: Found) -> str:
    """Return the result as JSON. Times are in ms, the CPU in µs."""
    shown: dict[str, Any] = {
        "url": shown_url(plan.url),
        "ok": found.is_good,
        "robots": plan.robots,
        "ratePerSecond": plan.rate,
        "seconds": plan.seconds,
        "sent": found.sent,
        "arrived": found.arrived,
        "relaysPerSecond": round(rate(found), 2),
        "latencyMs": _rounded(found.latencies_ms),
        "sentLateMs": _rounded(found.late_ms),
        "errors": dict(found.errors),
        "lost": found.lost,
        "stopped": found.stopped,
        "serverCpuUs": None if found.cpu_us is None else round(found.cpu_us, 1),
        "failure": found.failure,
        "leftBehind": found.left_behind,
    }
    return msgspec.json.format(msgspec.json.encode(shown), indent=2).decode()


def _rounded(times: Sequence[float]) -> dict[str, float]:
    return {name: round(value, 3) for name, value in percentiles(times).items()}
