"""Times a probe's steps, and names the one that failed.

Knows the steps and their order; must never know how one is carried out.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import ceil
from time import perf_counter

from robosignal.probe.trouble import Trouble

STEPS = {
    "resolve": "the host's name to its addresses",
    "connect": "TCP, TLS and the handshake, $connect included",
    "welcome": "ready to welcome",
    "register": "register to registered",
    "offer": "the client's offer to the robot",
    "answer": "the robot's answer to the client",
    "candidate": "the client's candidate to the robot",
    "bye": "the client's bye to the robot",
}
"""Every step, in order: what its time is from and to."""


class StepFailed(Exception):
    """A step did not come to its end."""

    def __init__(self, step: str, who: str, trouble: Trouble) -> None:
        super().__init__(step, who, trouble)
        self.step = step
        self.who = who
        self.trouble = trouble


@dataclass
class Lap:
    """One step under way; it ends with its block, or when `ended` says."""

    began: float
    ended: float | None = None


@dataclass
class Laps:
    """The times of all steps so far, in ms."""

    tell: Callable[[str], None]
    """Told of each step that begins."""
    times: dict[str, list[float]] = field(default_factory=lambda: {step: [] for step in STEPS})

    @contextmanager
    def step(self, name: str, who: str) -> Iterator[Lap]:
        """Time a step that the robot or the client begins. Raise StepFailed for its trouble."""
        self.tell(name)
        lap = Lap(perf_counter())
        try:
            yield lap
        except Trouble as trouble:
            raise StepFailed(name, who, trouble) from trouble
        ended = perf_counter() if lap.ended is None else lap.ended
        self.times[name].append((ended - lap.began) * 1000)


def percentile(times: list[float], part: float) -> float:
    """Return the smallest time that so large a part of the times does not exceed."""
    return sorted(times)[max(0, ceil(part * len(times)) - 1)]
