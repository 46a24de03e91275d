"""Which calls of one schedule could have come in the other order, and how to reorder them.

A set of calls is an integer, with one bit for each.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

from tests.explorer.calls import Call, conflict
from tests.explorer.gate import invocation_of


class Made(NamedTuple):
    """A call that a thread has made."""

    thread: str
    call: Call


Reversing = list[tuple[str, int, int]]
"""Calls that would be made before the earlier one of a race: thread, bit, those before it."""


def races(made: Sequence[Made], since: int) -> Iterator[tuple[int, Reversing]]:
    """Yield each race whose later call is at `since` or after.

    With it comes the earlier call's place, and what would be made in its stead.
    """
    before: list[int] = []
    for later, this in enumerate(made):
        own = _own(made, before, later)
        met = [
            index
            for index in range(later)
            if not own >> index & 1 and conflict(made[index].call, this.call)
        ]
        beyond = 0
        for index in met:
            beyond |= before[index]
        before.append(own | beyond | _bits(met))
        if later < since:
            continue
        for index in met:
            # Only where nothing is between the two: else another race is met first.
            if not beyond >> index & 1:
                yield index, _reversing(made, before, index, later)


def _own(made: Sequence[Made], before: Sequence[int], later: int) -> int:
    """Return what came before a call because its own invocation had to make it first."""
    thread = made[later].thread
    found = 0
    for index in range(later):
        other = made[index].thread
        if other == thread or _waits(thread, other):
            found |= before[index] | 1 << index
    return found


@cache
def _waits(thread: str, other: str) -> bool:
    """Say whether a thread's calls come after the other's: its parent's, or its parts'."""
    is_main = thread.isdigit()
    same = invocation_of(thread) == invocation_of(other)
    return same and (is_main or other.isdigit())


def _reversing(made: Sequence[Made], before: Sequence[int], earlier: int, later: int) -> Reversing:
    """Return the calls after the earlier one that do not need it, and the later one at last."""
    free = [n for n in range(earlier + 1, later) if not before[n] >> earlier & 1]
    return [(made[n].thread, 1 << n, before[n]) for n in (*free, later)]


def initials(reversing: Reversing) -> set[str]:
    """Return the threads that could make the first of these calls."""
    found: set[str] = set()
    earlier = 0
    for thread, bit, before in reversing:
        if not before & earlier:
            found.add(thread)
        earlier |= bit
    return found


def _bits(indices: Sequence[int]) -> int:
    bits = 0
    for index in indices:
        bits |= 1 << index
    return bits
