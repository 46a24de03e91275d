"""What the robot's program is told while its own functions are slow, or fail."""

import threading
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from robosignal.protocol.ids import RobotId
from robosignal.robot.listeners import MOST_BYTES, MOST_BYTES_IN_ALL, MOST_WAITING, Listeners

PATIENCE_S = 20


class BusyListeners:
    """Listeners whose first call waits; `told` is what came of the others."""

    def __init__(self, robot_id: str = "r") -> None:
        self.listeners = Listeners(RobotId(robot_id))
        self.told: list[object] = []
        self._is_running, self._may_go_on = threading.Event(), threading.Event()
        self.listeners.call(self._wait)
        assert self._is_running.wait(PATIENCE_S)

    def _wait(self) -> None:
        self._is_running.set()
        self._may_go_on.wait(PATIENCE_S)

    def note(self, what: object) -> Callable[[], None]:
        """Return a call that notes this."""
        return partial(self.told.append, what)

    def release(self) -> None:
        """Let the first call return."""
        self._may_go_on.set()

    def finish(self) -> list[object]:
        """Let the first call return, and return what the others have noted."""
        done = threading.Event()
        self.listeners.call(done.set, source="the end")
        self.release()
        assert done.wait(PATIENCE_S)
        return self.told


@pytest.fixture
def busy() -> Iterator[BusyListeners]:
    """Listeners whose first call waits until `finish`."""
    one = BusyListeners()
    yield one
    one.listeners.close()


def test_one_who_sends_too_much_costs_no_other_a_message(busy: BusyListeners) -> None:
    """Bob floods the program: it is told of the driver, and of Alice's message, all the same."""
    for n in range(2 * MOST_WAITING):
        busy.listeners.call(busy.note(n), "bob", 1)
    busy.listeners.call(busy.note("alice"), "alice", 1)
    busy.listeners.call(busy.note("the driver"))

    assert busy.finish() == [*range(MOST_WAITING), "alice", "the driver"]


def test_what_waits_holds_only_so_many_bytes(busy: BusyListeners) -> None:
    """Of each source, and of all together; what holds none is never kept out by those."""
    half = MOST_BYTES // 2
    for n in range(3):
        busy.listeners.call(busy.note(n), "bob", half)
    for n in range(MOST_BYTES_IN_ALL // half):
        busy.listeners.call(busy.note(n), f"other {n}", half)
    busy.listeners.call(busy.note("the driver"))
    told = busy.finish()

    assert told[:2] == [0, 1]
    assert told[2:] == [*range(MOST_BYTES_IN_ALL // half - 2), "the driver"]


def test_there_is_room_again_once_calls_were_made(busy: BusyListeners) -> None:
    """What was taken counts no longer."""
    for n in range(2):
        busy.listeners.call(busy.note(n), "bob", MOST_BYTES)
        busy.finish()

    assert busy.told == [0, 1]


def test_the_thread_ends_after_what_waits_however_much_that_is() -> None:
    """One that was full as it was closed waited for ever."""
    busy = BusyListeners("full")
    for n in range(MOST_WAITING):
        busy.listeners.call(busy.note(n))
    thread = next(each for each in threading.enumerate() if each.name == "listeners of full")
    busy.listeners.close()
    busy.release()
    thread.join(PATIENCE_S)

    assert not thread.is_alive()
    assert busy.told == [*range(MOST_WAITING)]


@pytest.mark.parametrize("failure", [ValueError("no"), SystemExit(1), KeyboardInterrupt()])
def test_a_listener_that_fails_keeps_no_other_from_being_called(
    busy: BusyListeners, failure: BaseException
) -> None:
    """Whatever it raises: `sys.exit` would end the thread, and with it all that follows."""

    def fail() -> None:
        raise failure

    busy.listeners.call(fail)
    busy.listeners.call(busy.note("next"))

    assert busy.finish() == ["next"]
