"""Holds invocations before each call that they make, until the scheduler chooses one.

Each invocation is a greenlet, so the shipped handler runs unchanged in one thread.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any, TypeVar

from greenlet import GreenletExit, getcurrent, greenlet

from tests.explorer.calls import Call

T = TypeVar("T")

Name = str
"""An invocation's number, such as `2`; a part of it that runs side by side: `2a`, `2b`."""


@dataclass(slots=True)
class Thread:
    """One line of execution: an invocation, or a step of it that runs beside others."""

    name: Name
    run: Any
    waits_for: set[Name] = field(default_factory=set)
    forks: int = 0


@dataclass(frozen=True, slots=True)
class _Fork:
    parts: list[Callable[[], None]]


@cache
def invocation_of(name: Name) -> int:
    """Return the number of the invocation that a thread belongs to."""
    return int(name.rstrip("abcdefghijklmnopqrstuvwxyz"))


class Gate:
    """Runs invocations one call at a time."""

    def __init__(self) -> None:
        self.held: dict[Name, Call] = {}
        self._threads: dict[Name, Thread] = {}
        self._parents: dict[Name, Name] = {}
        self._of: dict[Any, Thread] = {}
        self._scheduler = getcurrent()

    def begin(self, name: Name, run: Callable[[], None]) -> None:
        """Let an invocation run up to its first call."""
        thread = Thread(name, greenlet(run, self._scheduler))
        self._threads[name] = thread
        self._of[thread.run] = thread
        self._advance(thread)

    def go_on(self, name: Name) -> None:
        """Let a thread make the call that it is held before, and run up to its next one."""
        del self.held[name]
        self._advance(self._threads[name])

    def kill(self, number: int) -> None:
        """End an invocation where it is: it never goes on."""
        for name, thread in list(self._threads.items()):
            if invocation_of(name) == number:
                self.held.pop(name, None)
                del self._threads[name]
                thread.run.throw(GreenletExit)

    def kill_all(self) -> None:
        """End whatever is held still."""
        for number in {invocation_of(name) for name in self._threads}:
            self.kill(number)

    def here(self) -> Name:
        """Return which thread asks."""
        return self._of[getcurrent()].name

    def hold(self, call: Call) -> None:
        """Return once this thread is chosen to make the call."""
        self._scheduler.switch(call)

    def side_by_side(self, carry_out: Callable[[Any], T], steps: Iterable[Any]) -> list[T]:
        """Carry out steps at once, each a thread of its own; return their outcomes in order."""
        asked = list(steps)
        outcomes: dict[int, T] = {}

        def part(index: int) -> None:
            outcomes[index] = carry_out(asked[index])

        self._scheduler.switch(_Fork([partial(part, index) for index in range(len(asked))]))
        return [outcomes[index] for index in range(len(asked))]

    def _advance(self, thread: Thread) -> None:
        said = thread.run.switch()
        if isinstance(said, Call):
            self.held[thread.name] = said
        elif isinstance(said, _Fork):
            self._fork(thread, said)
        else:
            self._ended(thread)

    def _fork(self, thread: Thread, fork: _Fork) -> None:
        names = [f"{thread.name}{chr(97 + thread.forks + n)}" for n in range(len(fork.parts))]
        thread.forks += len(names)
        thread.waits_for = set(names)
        for name, part in zip(names, fork.parts, strict=True):
            self._parents[name] = thread.name
            self.begin(name, part)

    def _ended(self, thread: Thread) -> None:
        self._threads.pop(thread.name, None)
        parent = self._threads.get(self._parents.get(thread.name, ""))
        if parent is not None:
            parent.waits_for.discard(thread.name)
            if not parent.waits_for:
                self._advance(parent)
