"""Schedules as text: one line says the situation, the events, the fault, and who goes on.

A failure prints such a line, and the line is enough to play the schedule again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

from tests.explorer.events import BY_NAME, Event
from tests.explorer.running import Fault, Kind, Running


@dataclass(frozen=True, slots=True)
class Noted:
    """One schedule."""

    situation: str
    warm: bool
    events: tuple[Event, ...]
    times: tuple[int, ...]
    fault: Fault | None
    chosen: tuple[str, ...] = ()
    doubtful: bool = False
    """Whether every write is checked by a read first."""

    def __str__(self) -> str:
        events = " + ".join(
            event.name + (f" @{time}" if time else "")
            for event, time in zip(self.events, self.times, strict=True)
        )
        memory = ("warm" if self.warm else "cold") + (" doubtful" if self.doubtful else "")
        return " | ".join(
            (self.situation, memory, events, str(self.fault or "-"), " ".join(self.chosen))
        )


def read(text: str) -> Noted:
    """Return the schedule that a line tells of."""
    situation, memory, events, fault, chosen = (part.strip() for part in text.split("|"))
    named = [each.strip().partition(" @") for each in events.split(" + ")]
    return Noted(
        situation=situation,
        warm="warm" in memory.split(),
        doubtful="doubtful" in memory.split(),
        events=tuple(BY_NAME[name] for name, _, _ in named),
        times=tuple(int(time or 0) for _, _, time in named),
        fault=_fault(fault),
        chosen=tuple(chosen.split()),
    )


def _fault(text: str) -> Fault | None:
    if text == "-":
        return None
    kind, invocation, _, after = text.split()
    return Fault(cast("Kind", kind), int(invocation), int(after))


def failure(noted: Noted, running: Running, broken: Sequence[str]) -> str:
    """Return what is printed of a schedule that breaks a rule."""
    trace = (str(line) for line in running.history.trace)
    who = (f"{by.number} = {by.event}" for by in running.invocations.values())
    replies = (
        f"{each.by.number} is answered {each.status} {each.frame}"
        for each in running.history.replied
    )
    again = f"play it again: python -m tests.explorer.play '{noted}'"
    return "\n".join(("", *broken, "", *who, "", *trace, "", *replies, "", again))
