"""The steps of a round, in order, and how long each of them takes."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from math import ceil
from time import perf_counter

from robosignal.probe.errors import ProbeError

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
"""Every step, in order, with what its time is from and to."""


class StepFailed(Exception):
    """A step failed: which one, on whose side (`robot` or `client`), and why."""

    def __init__(self, step: str, who: str, error: ProbeError) -> None:
        super().__init__(step, who, error)
        self.step = step
        self.who = who
        self.error = error


@dataclass
class Measurement:
    """One step under way. It ends with its block, or at `ended_at` if that is set."""

    began_at: float
    ended_at: float | None = None


@dataclass
class StepTimer:
    """Measures steps. `times` has the durations of each step so far, in ms."""

    on_step: Callable[[str], None]
    """Called with the name of each step that begins."""
    times: dict[str, list[float]] = field(default_factory=lambda: {step: [] for step in STEPS})

    @contextmanager
    def measure(self, step: str, who: str) -> Iterator[Measurement]:
        """Time a step that the robot or the client begins.

        Raise StepFailed if the block raises a ProbeError.
        """
        self.on_step(step)
        measurement = Measurement(perf_counter())
        try:
            yield measurement
        except ProbeError as error:
            raise StepFailed(step, who, error) from error
        ended_at = measurement.ended_at
        ended_at = perf_counter() if ended_at is None else ended_at
        self.times[step].append((ended_at - measurement.began_at) * 1000)


def percentile(values: Sequence[float], fraction: float) -> float:
    """Return the nearest-rank percentile of at least one value; `fraction` is from 0 to 1."""
    return sorted(values)[max(0, ceil(fraction * len(values)) - 1)]
