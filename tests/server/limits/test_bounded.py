"""What is kept of the newest entries, and that threads may share it."""

import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from robosignal.server.limits.bounded import Bounded, Recent


@pytest.fixture
def fast_switches() -> Iterator[None]:
    """Threads that take turns as often as they can."""
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


def test_the_oldest_entry_gives_way() -> None:
    """To a new one, and not to a newer value of one that is there."""
    kept: Bounded[str, int] = Bounded(2)
    kept.keep("a", 1)
    kept.keep("b", 2)
    kept.keep("b", 3)
    assert (kept.get("a"), kept.get("b")) == (1, 3)

    kept.keep("c", 4)

    assert (kept.get("a"), kept.get("b"), kept.get("c")) == (None, 3, 4)


def test_what_was_made_is_not_made_again() -> None:
    """Until it is dropped."""
    kept: Bounded[str, list[int]] = Bounded(2)

    first = kept.get_or_make("a", list)

    assert kept.get_or_make("a", list) is first
    kept.drop("a")
    kept.drop("a")
    assert kept.get_or_make("a", list) is not first


@pytest.mark.usefixtures("fast_switches")
def test_threads_that_fill_it_do_not_stumble_over_each_other() -> None:
    """Each drops the oldest entry while others do."""
    kept: Bounded[int, int] = Bounded(1)

    def fill(begin: int) -> None:
        for number in range(10_000):
            kept.keep(begin + number, number)
            kept.get_or_make(-number, int)

    with ThreadPoolExecutor(8) as threads:
        done = list(threads.map(fill, range(0, 800_000, 100_000)))

    assert len(done) == 8


class Clocks:
    """A wall clock and a monotonic clock that a test moves apart."""

    def __init__(self) -> None:
        self.wall = self.monotonic = 1000.0

    def recent(self, at_most: int = 2) -> Recent[str]:
        """Return a memory of three seconds by these clocks."""
        return Recent(3, at_most, lambda: self.wall, lambda: self.monotonic)


@pytest.mark.parametrize(
    ("wall", "monotonic", "is_recent"),
    [
        (2.9, 2.9, True),
        (3, 3, False),
        (-0.1, 0.1, False),  # set back
        (2.9, 50, False),  # set back by most of the time that has passed
        (50, 0.1, False),  # frozen meanwhile
    ],
)
def test_a_key_is_recent_by_both_clocks(wall: float, monotonic: float, *, is_recent: bool) -> None:
    """Neither a clock that is set back nor a frozen process makes it last."""
    clocks = Clocks()
    recent = clocks.recent()
    recent.note("a", recent.now())
    clocks.wall += wall
    clocks.monotonic += monotonic

    assert recent.has("a") is is_recent


def test_few_keys_are_recent_and_a_forgotten_one_is_not() -> None:
    """The oldest gives way; one that is noted later counts from then."""
    clocks = Clocks()
    recent = clocks.recent()
    for key in "abc":
        recent.note(key, recent.now())
    recent.forget("c")
    clocks.wall += 2
    recent.note("b", recent.now())
    clocks.wall += 2

    assert [recent.has(key) for key in "abc"] == [False, True, False]
