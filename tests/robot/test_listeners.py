"""What the robot's program is told while its own functions are slow, or fail."""

import threading
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from robosignal.protocol.ids import RobotId
from robosignal.robot.listeners import MOST_BYTES, MOST_BYTES_IN_ALL, MOST_WAITING, Listeners

PATIENCE_S = 20


class Blocked:
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
def blocked() -> Iterator[Blocked]:
    """Listeners whose first call waits until `finish`."""
    one = Blocked()
    yield one
    one.listeners.close()


def test_one_who_sends_too_much_costs_no_other_a_message(blocked: Blocked) -> None:
    """Bob floods the program: it is told of the driver, and of Alice's message, all the same."""
    for n in range(2 * MOST_WAITING):
        blocked.listeners.call(blocked.note(n), "bob", 1)
    blocked.listeners.call(blocked.note("alice"), "alice", 1)
    blocked.listeners.call(blocked.note("the driver"))

    assert blocked.finish() == [*range(MOST_WAITING), "alice", "the driver"]


def test_what_waits_holds_only_so_many_bytes(blocked: Blocked) -> None:
    """Of each source, and of all together; what holds none is never kept out by those."""
    half = MOST_BYTES // 2
    for n in range(3):
        blocked.listeners.call(blocked.note(n), "bob", half)
    for n in range(MOST_BYTES_IN_ALL // half):
        blocked.listeners.call(blocked.note(n), f"other {n}", half)
    blocked.listeners.call(blocked.note("the driver"))
    told = blocked.finish()

    assert told[:2] == [0, 1]
    assert told[2:] == [*range(MOST_BYTES_IN_ALL // half - 2), "the driver"]


def test_there_is_room_again_once_calls_were_made(blocked: Blocked) -> None:
    """What was taken counts no longer."""
    for n in range(2):
        blocked.listeners.call(blocked.note(n), "bob", MOST_BYTES)
        blocked.finish()

    assert blocked.told == [0, 1]


def test_the_thread_ends_after_what_waits_however_much_that_is() -> None:
    """One that was full as it was closed waited for ever."""
    blocked = Blocked("full")
    for n in range(MOST_WAITING):
        blocked.listeners.call(blocked.note(n))
    thread = next(each for each in threading.enumerate() if each.name == "listeners of full")
    blocked.listeners.close()
    blocked.release()
    thread.join(PATIENCE_S)

    assert not thread.is_alive()
    assert blocked.told == [*range(MOST_WAITING)]


@pytest.mark.parametrize("failure", [ValueError("no"), SystemExit(1), KeyboardInterrupt()])
def test_a_listener_that_fails_keeps_no_other_from_being_called(
    blocked: Blocked, failure: BaseException
) -> None:
    """Whatever it raises: `sys.exit` would end the thread, and with it all that follows."""

    def fail() -> None:
        raise failure

    blocked.listeners.call(fail)
    blocked.listeners.call(blocked.note("next"))

    assert blocked.finish() == ["next"]
