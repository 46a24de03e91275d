import pytest
from hypothesis import given
from hypothesis import strategies as st

from robosignal.robot.connection.events import (
    Adopt,
    Close,
    Closed,
    Dial,
    Event,
    FrameReceived,
    Moved,
    Opened,
    Output,
    Refused,
    Send,
    Start,
    Stop,
    Swap,
    Tick,
    Wake,
    Which,
)
from robosignal.robot.connection.machine import step
from robosignal.robot.connection.state import (
    LONGEST_WAIT_MS,
    SHORTEST_WAIT_MS,
    ConnectionState,
    Timing,
    next_due,
    redial_at,
    wait_ms,
)

SOCKETS: list[Which] = [None, "next", "old"]
sockets = st.sampled_from(SOCKETS)
WELCOME: dict[str, object] = {"type": "welcome"}
WELCOMES = [WELCOME, WELCOME | {"expiresAt": 90_000}, WELCOME | {"heartbeatSeconds": "soon"}]
EVENTS: list[Event] = [Start(), Tick(), Tick(), Tick(), Moved(), Stop()]
EXPIRED = {"type": "error", "code": "token_expired"}
events: st.SearchStrategy[Event] = st.one_of(
    st.sampled_from(EVENTS),
    st.builds(Opened, sockets),
    st.builds(Closed, st.just(1006), sockets),
    st.builds(Refused, st.sampled_from([401, 503]), sockets),
    st.builds(FrameReceived, st.sampled_from([*WELCOMES, EXPIRED]), sockets),
)
scripts = st.lists(st.tuples(events, st.integers(0, 70_000)), max_size=60)
SPAN = Timing(life_ms=60_000, drain_ms=5_000)


class Shell:
    """The sockets that a shell would have, if it did what it is told."""

    def __init__(self) -> None:
        self.open: set[Which] = set()

    def end(self, event: Event) -> None:
        """Take what an event says of a socket."""
        if isinstance(event, Closed | Refused):
            self.open.discard(event.socket)

    def do(self, output: Output) -> None:
        """Do it. Fail if it cannot be done."""
        match output:
            case Dial(which):
                assert which not in self.open
                self.open.add(which)
            case Send(_, which):
                assert which in self.open
            case Close(which):
                self.open.remove(which)
            case Swap():
                assert self.open == {None, "next"}
                self.open = {None, "old"}
            case Adopt():
                assert self.open == {"next"}
                self.open = {None}
            case _:
                pass


@given(scripts, st.floats(0, 1))
def test_outputs_fit_the_sockets_that_there_are(
    script: list[tuple[Event, int]], random: float
) -> None:
    """Nothing is dialled twice, written or closed where there is no socket, or left open."""
    seen, now, shell = ConnectionState(timing=SPAN), 0, Shell()
    for event, later in [*script, (Stop(), 0)]:
        now += later
        if isinstance(event, Opened | Closed | Refused | FrameReceived):
            if event.socket not in shell.open:
                continue
            shell.end(event)
        seen, outputs = step(seen, event, now, random)
        for output in outputs:
            shell.do(output)

        assert len(shell.open) <= 2

    assert shell.open == set()


@given(scripts, st.floats(0, 1))
def test_what_is_awaited_always_has_a_timer(script: list[tuple[Event, int]], random: float) -> None:
    """Nothing can last for ever: the last timer that was asked for is the one due."""
    seen, now, timer = ConnectionState(timing=SPAN), 0, None
    for event, later in script:
        now += later
        seen, outputs = step(seen, event, now, random)
        timer = next((out.at for out in reversed(outputs) if isinstance(out, Wake)), timer)

        assert next_due(seen) is None or next_due(seen) == timer


@given(scripts, st.floats(0, 1))
def test_what_is_due_is_done_at_one_tick(script: list[tuple[Event, int]], random: float) -> None:
    """After a tick the next one is due later: the shell's timer never spins."""
    seen, now = ConnectionState(timing=SPAN), 0
    for event, later in script:
        now += later
        seen, _ = step(seen, event, now, random)
        seen, _ = step(seen, Tick(), now, random)
        at = next_due(seen)

        assert at is None or at > now


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_wait_is_within_its_bounds(failures: int, random: float) -> None:
    """However often it failed, a redial waits from half a second to thirty."""
    assert SHORTEST_WAIT_MS <= wait_ms(failures, random) <= LONGEST_WAIT_MS


def test_jitter_is_full() -> None:
    """The wait is spread from the shortest to the longest of so many failures."""
    assert (wait_ms(3, 0.0), wait_ms(3, 0.5), wait_ms(3, 1.0)) == (500, 2250, 4000)


@given(st.integers(0, 10**7), st.integers(-(10**7), 10**14))
def test_redial_is_neither_too_soon_nor_after_the_lifetime(welcomed: int, left: int) -> None:
    """Whatever a token's end, a socket lives from ten seconds to its lifetime."""
    at = redial_at(0, welcomed + left, Timing(), welcomed)

    assert 10_000 <= at <= Timing().life_ms


@pytest.mark.parametrize("left", [12_000, 60_000, 3_600_000])
def test_redial_comes_before_the_end_of_the_token(left: int) -> None:
    """A token that outlives the shortest life never ends on a current socket."""
    assert redial_at(0, left, Timing(), 0) < left
