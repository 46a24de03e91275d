"""Writes CloudWatch metrics into the log, one line of the embedded metric format for each event.

CloudWatch extracts the metrics from the function's log, so this makes no call to AWS. The lines
name no user, robot or connection.
Source: CloudWatch user guide, "Specification: Embedded metric format".
"""

import sys
from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from robosignal.protocol.errors import (
    Internal,
    OwnedByAnother,
    RobotBusy,
    TooManyViewers,
    TryAgain,
)
from robosignal.server.ports import EventMetrics

NAMESPACE = "robosignal"

RELAYED = frozenset({"offer", "answer", "ice-candidate"})
"""The messages whose relay is timed."""

CONFLICTS = frozenset(error.code for error in (RobotBusy, OwnedByAnother, TooManyViewers, TryAgain))
"""Refusals because somebody else wants the same. They include `try_again`, which throttling by AWS
causes too."""

COUNT = "Count"
MILLISECONDS = "Milliseconds"


def _directive(name: str, unit: str, *dimensions: list[str]) -> dict[str, Any]:
    return {
        "Namespace": NAMESPACE,
        "Dimensions": list(dimensions),
        "Metrics": [{"Name": name, "Unit": unit}],
    }


DIRECTIVES = {
    "Messages": _directive("Messages", COUNT, ["Stage", "Type", "Outcome"]),
    "RelayLatency": _directive("RelayLatency", MILLISECONDS, ["Stage"]),
    "GoneConnections": _directive("GoneConnections", COUNT, ["Stage"]),
    "Undelivered": _directive("Undelivered", COUNT, ["Stage"]),
    "Takeovers": _directive("Takeovers", COUNT, ["Stage"]),
    "Conflicts": _directive("Conflicts", COUNT, ["Stage"]),
    "TokensRefused": _directive("TokensRefused", COUNT, ["Stage"], ["Stage", "Reason"]),
    "InternalErrors": _directive("InternalErrors", COUNT, ["Stage"]),
}
"""Every metric, with its unit and its sets of dimensions."""


def metric_values(metrics: EventMetrics) -> Iterator[tuple[str, int]]:
    """Yield name and value of each metric that one event adds to."""
    yield "Messages", 1
    if metrics.outcome == "ok" and metrics.kind in RELAYED:
        yield "RelayLatency", metrics.took_ms
    if metrics.gone:
        yield "GoneConnections", metrics.gone
    if metrics.undelivered:
        yield "Undelivered", metrics.undelivered
    if metrics.took_over:
        yield "Takeovers", 1
    if metrics.outcome in CONFLICTS:
        yield "Conflicts", 1
    if metrics.kind == "$connect" and metrics.reason is not None:
        yield "TokensRefused", 1
    if metrics.outcome == Internal.code:
        yield "InternalErrors", 1


def metric_line(stage: str, metrics: EventMetrics) -> str:
    """Return the event's metrics as one JSON document, without a newline."""
    found = dict(metric_values(metrics))
    about = {"Timestamp": metrics.at, "CloudWatchMetrics": [DIRECTIVES[name] for name in found]}
    document = {
        "_aws": about,
        "Stage": stage,
        "Type": metrics.kind,
        "Outcome": metrics.outcome,
        **({"Reason": metrics.reason} if "TokensRefused" in found else {}),
        **found,
    }
    return msgspec.json.encode(document).decode()


def write_to_stdout(text: str) -> None:
    """Write one line to the function's log."""
    # Written at once, to what `sys.stdout` is now: Lambda's runtime replaces it.
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


class EmbeddedMetrics:
    """Implements `robosignal.server.ports.Meter` for a deployment with this stage."""

    def __init__(self, stage: str, write: Callable[[str], None] = write_to_stdout) -> None:
        self._stage = stage
        self._write = write

    def record(self, metrics: EventMetrics) -> None:
        """Write the event's metrics."""
        self._write(metric_line(self._stage, metrics))


class NoMetrics:
    """Implements `robosignal.server.ports.Meter` without recording anything."""

    def record(self, metrics: EventMetrics) -> None:
        """Do nothing."""
