"""The time in which one event is answered, and what each part of its work may use of it.

A deciding step may use the first part; what takes it back, a part that is kept for that; a
notice, what is left, once. Adapters ask `allowance` how long a call may take. Knows no adapter.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from robosignal.server.core.steps import Use

EVENT_SECONDS = 7.0
"""From an event to its answer: within 8 s, whatever the answer itself and its log take."""

ANSWER_SECONDS = 1.0
"""Reserved for the answer of a Lambda's remaining time, if that is less than an event may take."""

PARTS: dict[Use, float] = {"needed": 4 / 7, "reserved": 6 / 7, "spare": 1.0}
"""When each kind of step must be over, as a part of the event's time."""

TRY_SECONDS: dict[Use, float] = {"needed": 2.0, "reserved": 1.0, "spare": 1.0}
"""How long one try of a call may take: from its connection to the end of its answer."""

TRIES: dict[Use, int] = {"needed": 3, "reserved": 3, "spare": 1}


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a step may use: until when (by `clock`, in seconds), how often, how long each time."""

    until: float
    tries: int
    try_seconds: float
    clock: Callable[[], float]
    sleep: Callable[[float], None]

    @property
    def left(self) -> float:
        """The seconds that are left; negative when the time is over."""
        return self.until - self.clock()

    @property
    def seconds(self) -> float:
        """The seconds that a try which begins now may take, 0 when the time is over."""
        return max(0.0, min(self.try_seconds, self.left))


class Deadline:
    """One event's time, which begins when this object is made."""

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
        """Return the deadline of the event that this thread handles; of none, one from now on."""
        found = _current.get()
        return Deadline() if found is None else found[0]

    def allows(self, use: Use) -> Allowance:
        """Return what a step of this use may take."""
        until = self._begun + self._seconds * PARTS[use]
        return Allowance(until, TRIES[use], TRY_SECONDS[use], self._clock, self._sleep)

    @contextmanager
    def spending(self, use: Use) -> Iterator[None]:
        """Give calls in this thread the allowance of this use, inside the context."""
        token = _current.set((self, use))
        try:
            yield
        finally:
            _current.reset(token)


_current: ContextVar[tuple[Deadline, Use] | None] = ContextVar("deadline", default=None)


def allowance() -> Allowance:
    """Return what the step that runs in this thread may use.

    A call that belongs to no event has as long as a deciding step of one that begins now.
    """
    found = _current.get()
    return Deadline().allows("needed") if found is None else found[0].allows(found[1])
