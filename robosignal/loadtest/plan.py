"""What a benchmark is asked for, and what it found: values alone."""

from collections import Counter
from dataclasses import dataclass, field

from robosignal.probe.report import Failure


@dataclass(frozen=True, slots=True)
class Plan:
    """Which deployment, who signs in, and how much is relayed through it."""

    url: str
    token: str = field(repr=False)
    robots: int
    """As many clients, each with a session of its own."""
    rate: float
    """Candidates a second that each client sends."""
    seconds: float
    """How long they are sent."""
    patience_s: float
    """How long any one answer may take."""


@dataclass(slots=True)
class Found:
    """One benchmark's result, filled in as it goes on."""

    pairs: int = 0
    """How many robots and clients met."""
    sent: int = 0
    elapsed_s: float = 0
    """From the first candidate sent until the last one came."""
    latencies_ms: list[float] = field(default_factory=list)
    """Of each candidate that arrived, from its sending to its receipt."""
    late_ms: list[float] = field(default_factory=list)
    """Of each candidate, how long after it was due it was sent: the benchmark's own delay."""
    errors: Counter[str] = field(default_factory=Counter)
    """Refusals by code, and connections that closed."""
    lost: int = 0
    """How many were neither refused nor arrived in time."""
    cpu_us: float | None = None
    """The server's CPU for one relay, in µs; None if nobody can tell."""
    left_behind: list[str] = field(default_factory=list)
    """Robots whose items are still there."""
    stopped: bool = False
    """Whether it was ended before its time."""
    failure: Failure | None = None

    @property
    def arrived(self) -> int:
        """How many were received."""
        return len(self.latencies_ms)

    @property
    def is_good(self) -> bool:
        """Whether something was relayed, and nothing went wrong."""
        return bool(self.arrived) and not (self.failure or self.errors or self.lost)
