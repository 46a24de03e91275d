"""The time in which one event is answered, and how much of it each step may use.

Steps that decide the reply may use the first part. A part is reserved for undoing them; the rest is
for notices, which are tried once. Adapters ask `allowance` how long a call may take.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from robosignal.server.core.steps import Purpose

EVENT_SECONDS = 7.0
"""From an event to its result, so that it is answered within 8 s in any case."""

ANSWER_SECONDS = 1.0
"""Kept of a Lambda's remaining time for returning, if less remains than an event may take."""

PARTS: dict[Purpose, float] = {"decide": 4 / 7, "undo": 6 / 7, "notify": 1.0}
"""When steps of each purpose must be over, as a part of the event's time."""

TRY_SECONDS: dict[Purpose, float] = {"decide": 2.0, "undo": 1.0, "notify": 1.0}
"""How long one try of a call may take, from connecting to the end of its answer."""

TRIES: dict[Purpose, int] = {"decide": 3, "undo": 3, "notify": 1}


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a step may use: until when (seconds of `clock`), how many tries, how long for each."""

    until: float
    tries: int
    try_seconds: float
    clock: Callable[[], float]
    sleep: Callable[[float], None]

    @property
    def seconds_left(self) -> float:
        """The seconds that are left; negative if the time is over."""
        return self.until - self.clock()

    @property
    def seconds(self) -> float:
        """How many seconds a try that begins now may take; 0 if the time is over."""
        return max(0.0, min(self.try_seconds, self.seconds_left))


class Deadline:
    """One event's time, which begins when this object is created."""

    def __init__(
        self,
        remaining_s: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """`remaining_s`: in how many seconds the process is killed; None: it never is.

        `clock` returns seconds that never go back, `sleep` waits a number of seconds.
        """
        most = EVENT_SECONDS if remaining_s is None else remaining_s - ANSWER_SECONDS
        self._clock = clock
        self._sleep = sleep
        self._begun = clock()
        self._seconds = max(0.0, min(EVENT_SECONDS, most))

    @staticmethod
    def current() -> "Deadline":
        """Return the deadline of the event that this thread handles; a new one if there is none."""
        found = _current.get()
        return Deadline() if found is None else found[0]

    def allows(self, purpose: Purpose) -> Allowance:
        """Return what a step of this purpose may use."""
        until = self._begun + self._seconds * PARTS[purpose]
        return Allowance(until, TRIES[purpose], TRY_SECONDS[purpose], self._clock, self._sleep)

    @contextmanager
    def use_for(self, purpose: Purpose) -> Iterator[None]:
        """Within the context, give calls in this thread the allowance of this purpose."""
        token = _current.set((self, purpose))
        try:
            yield
        finally:
            _current.reset(token)


_current: ContextVar[tuple[Deadline, Purpose] | None] = ContextVar("deadline", default=None)


def allowance() -> Allowance:
    """Return what the step that runs in this thread may use.

    A call that belongs to no event has as much time as a deciding step of an event that begins now.
    """
    found = _current.get()
    return Deadline().allows("decide") if found is None else found[0].allows(found[1])
