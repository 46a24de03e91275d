from hypothesis import given
from hypothesis import strategies as st

from robosignal.robot.connection import (
    HAS_SOCKET,
    LONGEST_WAIT_MS,
    SHORTEST_WAIT_MS,
    Close,
    Closed,
    Connection,
    Dial,
    Event,
    FrameCame,
    Opened,
    Phase,
    Refused,
    Send,
    Start,
    Stop,
    Tick,
    Wake,
    step,
    wait_ms,
)

EVENTS: list[Event] = [
    Start(),
    Opened(),
    Closed(1006),
    Refused(401),
    Refused(503),
    FrameCame({"type": "welcome", "heartbeatSeconds": 60}),
    FrameCame({"type": "welcome", "heartbeatSeconds": "soon"}),
    FrameCame({"type": "error", "code": "token_expired"}),
    FrameCame({}),
    Tick(),
    Stop(),
]

events = st.lists(st.tuples(st.sampled_from(EVENTS), st.integers(0, 40_000)), max_size=40)


@given(events, st.floats(0, 1))
def test_there_is_never_a_second_socket(script: list[tuple[Event, int]], random: float) -> None:
    """A dial comes only where there is no socket, a send or a close only where there is one."""
    seen, now = Connection(), 0
    for event, later in script:
        now += later
        before = seen
        seen, outputs = step(seen, event, now, random)
        for output in outputs:
            if isinstance(output, Dial):
                assert before.phase not in HAS_SOCKET
            if isinstance(output, Send | Close):
                assert before.phase in HAS_SOCKET


@given(events, st.floats(0, 1))
def test_what_is_awaited_always_has_a_timer(script: list[tuple[Event, int]], random: float) -> None:
    """No phase but idle can last for ever: the last timer that was asked for is the one due."""
    seen, now, timer = Connection(), 0, None
    for event, later in script:
        now += later
        seen, outputs = step(seen, event, now, random)
        timer = next((out.at for out in reversed(outputs) if isinstance(out, Wake)), timer)

        assert seen.phase is Phase.IDLE or seen.due == timer


@given(st.integers(1, 10_000), st.floats(0, 1))
def test_wait_is_within_its_bounds(attempt: int, random: float) -> None:
    """However often it failed, a redial waits from half a second to thirty."""
    assert SHORTEST_WAIT_MS <= wait_ms(attempt, random) <= LONGEST_WAIT_MS


def test_jitter_is_full() -> None:
    """The wait is spread from the shortest to the attempt's longest."""
    assert (wait_ms(3, 0.0), wait_ms(3, 0.5), wait_ms(3, 1.0)) == (500, 2250, 4000)
