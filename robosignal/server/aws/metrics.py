"""Writes CloudWatch metrics as lines of its embedded metric format, one for each event.

Knows names, units and dimensions; must never know a token, a person, a robot or a payload.
Source: CloudWatch user guide, "Specification: Embedded metric format". Whoever reads the
function's log gets the metrics out of it, so no call to AWS is made here.
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
"""The messages whose way to the other end is timed."""

CONFLICTS = frozenset(error.code for error in (RobotBusy, OwnedByAnother, TooManyViewers, TryAgain))
"""Refusals because somebody else wants the same: what the write's condition protects. AWS's own
throttling reads as `try_again` as well, for a client cannot tell the two apart either."""

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
"""Every metric: its unit and the sets of dimensions that it is kept by."""


def values(metrics: EventMetrics) -> Iterator[tuple[str, int]]:
    """Yield the metrics that one event adds to. What did not happen is left out."""
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


def line(stage: str, metrics: EventMetrics) -> str:
    """Return the event's metrics as one JSON document, without a line's end."""
    found = dict(values(metrics))
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


def to_stdout(text: str) -> None:
    """Write one line to the function's log."""
    # One write, looked up at the call: Lambda's runtime puts its own stream there.
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


class EmbeddedMetrics:
    """Implements `robosignal.server.ports.Meter` for a deployment of this name."""

    def __init__(self, stage: str, say: Callable[[str], None] = to_stdout) -> None:
        self._stage = stage
        self._say = say

    def record(self, metrics: EventMetrics) -> None:
        """Write the event's metrics."""
        self._say(line(self._stage, metrics))


class Unmetered:
    """Records nothing, where nobody watches."""

    def record(self, metrics: EventMetrics) -> None:
        """Drop it."""
