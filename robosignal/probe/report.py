"""A probe's result: as a table for a person, and as JSON for programs."""

from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import msgspec

from robosignal.probe.steps import STEPS, percentile

MEDIAN, TAIL = 0.5, 0.95
WIDTHS = (11, 46, 5, 10, 10)


@dataclass(frozen=True, slots=True)
class Failure:
    """Where it ended, what was seen there, and what to check next."""

    step: str
    who: str
    round: int
    seen: str
    check: list[str]


@dataclass(frozen=True, slots=True)
class Report:
    """All rounds of one probe."""

    url: str
    rounds: int
    """How many went through."""
    times: dict[str, list[float]]
    """Of each step, in ms."""
    failure: Failure | None
    left_behind: str | None
    """The robot whose item is still there."""


def redact_url(url: str) -> str:
    """Return a URL without what may hold a secret: user, query and fragment."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def format_text(report: Report) -> str:
    """Return the report for a person to read."""
    lines = [f"{redact_url(report.url)}: {_rounds(report.rounds)} went through"]
    rows = [_row(*_cells(step, times)) for step, times in report.times.items() if times]
    if rows:
        lines += ["", _row("step", "from, to", "n", "p50 ms", "p95 ms"), *rows]
    if report.left_behind is not None:
        lines += [
            "",
            f"left behind: the item of {report.left_behind}, which this deployment did not forget",
        ]
    if report.failure is not None:
        lines += ["", *_failure(report.failure)]
    return "\n".join(line.rstrip() for line in lines)


def _rounds(count: int) -> str:
    return "1 round" if count == 1 else f"{count} rounds"


def _failure(failure: Failure) -> list[str]:
    where = f"{failure.step}, of the {failure.who}, in round {failure.round}"
    return [
        f"failed at {where}: {failure.seen}",
        "check next:",
        *(f"  - {each}" for each in failure.check),
    ]


def _cells(step: str, times: list[float]) -> tuple[str, ...]:
    return (
        step,
        STEPS[step],
        str(len(times)),
        f"{percentile(times, MEDIAN):.1f}",
        f"{percentile(times, TAIL):.1f}",
    )


def _row(*cells: str) -> str:
    left = [cell.ljust(width) for cell, width in zip(cells[:2], WIDTHS[:2], strict=True)]
    right = [cell.rjust(width) for cell, width in zip(cells[2:], WIDTHS[2:], strict=True)]
    return "".join(left + right)


def format_json(report: Report) -> str:
    """Return the report as JSON."""
    steps = [
        {
            "step": step,
            "count": len(times),
            "p50Ms": round(percentile(times, MEDIAN), 3),
            "p95Ms": round(percentile(times, TAIL), 3),
        }
        for step, times in report.times.items()
        if times
    ]
    found: dict[str, Any] = {
        "url": redact_url(report.url),
        "ok": report.failure is None,
        "rounds": report.rounds,
        "steps": steps,
        "failure": report.failure,
        "leftBehind": report.left_behind,
    }
    return msgspec.json.format(msgspec.json.encode(found), indent=2).decode()
