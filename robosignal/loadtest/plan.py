"""What a benchmark is asked to do, and what it measured."""

from collections import Counter
from dataclasses import dataclass, field

from robosignal.probe.report import Failure


@dataclass(frozen=True, slots=True)
class Plan:
    """Which deployment, who signs in, and how much is relayed through it."""

    url: str
    token: str = field(repr=False)
    robots: int
    """How many robots, each with one client that drives it."""
    rate: float
    """Candidates a second that each client sends."""
    seconds: float
    """How long they are sent."""
    timeout_s: float
    """How long any one answer may take, in seconds."""


@dataclass(slots=True)
class Result:
    """What one benchmark measured, filled in as it goes on."""

    sessions: int = 0
    """How many robots and clients met."""
    sent: int = 0
    elapsed_s: float = 0
    """From the first candidate sent until the last one arrived."""
    latencies_ms: list[float] = field(default_factory=list)
    """Of each candidate that arrived, from its sending to its receipt."""
    late_ms: list[float] = field(default_factory=list)
    """Of each candidate, how long after it was due it was sent: the benchmark's own delay."""
    errors: Counter[str] = field(default_factory=Counter)
    """Refusals by code, and connections that closed."""
    lost: int = 0
    """How many were not refused and did not arrive in time."""
    cpu_us: float | None = None
    """The server's CPU for one relay, in µs; None if it is not known."""
    left_behind: list[str] = field(default_factory=list)
    """Robots whose items are still in the deployment."""
    stopped: bool = False
    """Whether it was stopped early."""
    failure: Failure | None = None

    @property
    def arrived(self) -> int:
        """How many candidates arrived."""
        return len(self.latencies_ms)

    @property
    def is_good(self) -> bool:
        """Whether something was relayed, and nothing went wrong."""
        return bool(self.arrived) and not (self.failure or self.errors or self.lost)
