"""The robot's token and the server's opinion of it, over hours of virtual time."""

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robosignal.robot.connection.events import (
    Closed,
    Dial,
    Event,
    FrameReceived,
    Opened,
    Refused,
    Start,
    Stop,
    Wake,
    Which,
)
from robosignal.robot.connection.events import Tick as TimerEnds
from robosignal.robot.connection.state import LONGEST_WAIT_MS, ConnectionState, Timing
from robosignal.robot.connection.token_policy import (
    LONGEST_KEY_WAIT_MS,
    GiveUp,
    Report,
    TokenPolicy,
    next_due,
    step,
)

HOUR_MS = 60 * 60 * 1000
EXPIRED = {"type": "error", "code": "token_expired"}
UNAUTHORIZED = 401

Server = Callable[["World", Which], list[tuple[int, Event]]]
"""What a server does with a dialled socket: events, each so many ms after the dial."""


def welcoming(until: int = 10 * HOUR_MS) -> Server:
    """Return a server that welcomes every token, which then ends at this time."""

    def serve(_: "World", which: Which) -> list[tuple[int, Event]]:
        end = {"expiresAt": until}
        return [(1, Opened(which)), (2, FrameReceived({"type": "welcome"} | end, which))]

    return serve


def refusing(_: "World", which: Which) -> list[tuple[int, Event]]:
    """Refuse every token."""
    return [(1, Refused(UNAUTHORIZED, which))]


def fickle(world: "World", which: Which) -> list[tuple[int, Event]]:
    """Welcome a token, and say at once that it has ended."""
    return [*welcoming()(world, which), (3, FrameReceived(EXPIRED, which))]


@dataclass
class World:
    """A robot's connection and one server, at a time that passes from event to event."""

    seen: TokenPolicy
    random: float
    server: Server = refusing
    now: int = 0
    dials: list[int] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    given_up: GiveUp | None = None
    _coming: list[tuple[int, Event]] = field(default_factory=list)
    _wakes: int | None = None

    def take(self, event: Event) -> None:
        """Let the robot take an event, and do what it asks for."""
        self.seen, told = step(self.seen, event, self.now, self.random)
        for one in told:
            match one:
                case Dial(which):
                    self.dials.append(self.now)
                    answers = self.server(self, which)
                    self._coming += [(self.now + late, answer) for late, answer in answers]
                case Wake(at):
                    self._wakes = at
                case Report(text):
                    self.said.append(text)
                case GiveUp() as given_up:
                    self.given_up = given_up
                case _:
                    pass

    def pass_until(self, end: int) -> None:
        """Let time pass, unless the robot gives up first."""
        while self.given_up is None:
            due = min([at for at, _ in self._coming], default=end + 1)
            timer = end + 1 if self._wakes is None else self._wakes
            if min(due, timer) > end:
                self.now = end
                return
            if due <= timer:
                self._coming.sort(key=lambda one: one[0])
                self.now, event = self._coming.pop(0)
            else:
                self.now, event, self._wakes = timer, TimerEnds(), None
            self.take(event)
            assert len(self.dials) < 10_000, "it dials without end"


def world(
    server: Server,
    *,
    renewable: bool,
    random: float = 1.0,
    timing: Timing | None = None,
    by_key: bool = False,
) -> World:
    """Return a robot that has just dialled a server."""
    connection = ConnectionState(heartbeats=False, timing=timing or Timing())
    policy = TokenPolicy(connection, is_renewable=renewable, by_key=by_key)
    begun = World(policy, random, server)
    begun.take(Start())
    return begun


def accepted(*, renewable: bool, until: int = 10 * HOUR_MS) -> World:
    """Return a robot that has been online for 20 s, and whose socket is lost now."""
    begun = world(welcoming(until), renewable=renewable)
    begun.pass_until(20_000)
    begun.dials.clear()
    begun.take(Closed(1006))
    return begun


@pytest.mark.parametrize(("random", "most"), [(0.5, 270), (1.0, 140)])
def test_tokens_that_end_right_after_each_welcome_are_asked_for_ever_more_seldom(
    random: float, most: int
) -> None:
    """The longest wait, 30 s with full jitter, is reached within a minute and kept."""
    robot = world(fickle, renewable=True, random=random)
    robot.pass_until(HOUR_MS)

    assert HOUR_MS // LONGEST_WAIT_MS <= len(robot.dials) <= most
    assert robot.given_up is None
    assert robot.dials[-1] - robot.dials[-2] == pytest.approx(random * LONGEST_WAIT_MS, rel=0.03)


def test_the_first_new_token_is_asked_for_at_once() -> None:
    """A token that ends after a good connection costs no wait, each time."""
    robot = world(welcoming(), renewable=True)
    for ended_at in (60_000, 120_000):
        robot.pass_until(ended_at)
        robot.take(FrameReceived(EXPIRED))
        robot.pass_until(ended_at + 10)

    assert robot.dials == [0, 60_000, 120_000]
    assert robot.said == ["offline: the token has ended; asks for a new one"] * 2


def test_a_token_that_was_accepted_outlives_a_passing_refusal() -> None:
    """The server that refuses it for ten seconds has the robot back, with the same token."""
    robot = accepted(renewable=False)
    robot.server = refusing
    robot.pass_until(30_000)
    robot.server = welcoming()
    robot.pass_until(60_000)

    assert robot.seen.connection.is_online
    assert robot.given_up is None
    assert len(robot.dials) <= 8


@pytest.mark.parametrize("renewable", [True, False])
def test_a_token_that_stays_refused_is_given_up_after_a_minute(*, renewable: bool) -> None:
    """With few tries, and in words that say for how long."""
    robot = accepted(renewable=renewable)
    robot.server = refusing
    robot.pass_until(HOUR_MS)

    assert robot.given_up is not None
    assert robot.given_up.reason == "refused"
    assert robot.given_up.refused_ms >= 60_000
    assert 60_000 <= robot.now - 20_000 <= 60_000 + 2 * LONGEST_WAIT_MS
    assert 5 <= len(robot.dials) <= 10


@pytest.mark.parametrize("renewable", [True, False])
def test_a_token_that_never_was_accepted_is_dialled_once(*, renewable: bool) -> None:
    """Who was never online has no reason to hope."""
    robot = world(refusing, renewable=renewable)
    robot.pass_until(HOUR_MS)

    assert (len(robot.dials), robot.given_up) == (1, GiveUp("never-accepted"))


def test_a_token_that_is_past_its_end_by_the_robots_clock_is_not_tried_again() -> None:
    """Its refusal is what was to be expected."""
    robot = accepted(renewable=False, until=20_500)
    robot.server = refusing
    robot.pass_until(HOUR_MS)

    assert (len(robot.dials), robot.given_up) == (1, GiveUp("expired"))


def test_a_fixed_token_that_the_server_calls_ended_is_not_tried_again() -> None:
    """It has read the token, so there is no doubt; the robot's clock may be slow."""
    robot = world(fickle, renewable=False)
    robot.pass_until(HOUR_MS)

    assert (len(robot.dials), robot.given_up) == (1, GiveUp("expired"))


def test_a_next_connection_that_is_refused_is_tried_again_beside_the_present_one() -> None:
    """The refusal may pass while there are still minutes left to redial in."""
    robot = world(welcoming(), renewable=False, timing=Timing(life_ms=60_000))
    robot.pass_until(50_000)
    robot.server = refusing
    robot.pass_until(70_000)
    refused = list(robot.dials)
    robot.server = welcoming()
    robot.pass_until(80_000)

    assert len(refused) > 2
    assert len(robot.dials) == len(refused) + 1
    assert robot.seen.connection.is_online
    assert all(line.startswith("cannot redial yet: the token is refused") for line in robot.said)


def test_a_next_connection_that_stays_refused_leaves_the_present_one() -> None:
    """The robot says so once, and ends only when that one does."""
    robot = world(welcoming(), renewable=False, timing=Timing(life_ms=60_000))
    robot.pass_until(50_000)
    robot.server = refusing
    robot.pass_until(HOUR_MS)
    was_online = robot.seen.connection.is_online
    robot.take(Closed(1001))
    robot.pass_until(2 * HOUR_MS)

    told = "the token is refused for a new connection: the current one goes on"
    assert (was_online, robot.said.count(told)) == (True, 1)
    assert robot.given_up is not None


def test_a_next_connection_that_is_accepted_at_last_begins_the_minute_again() -> None:
    """Refusals of before do not count against the one after it."""
    robot = world(welcoming(), renewable=False, timing=Timing(life_ms=60_000))
    for refused_at in (50_000, 150_000):
        robot.server = welcoming()
        robot.pass_until(refused_at)
        robot.server = refusing
        robot.pass_until(refused_at + 50_000)
    robot.pass_until(205_000)

    assert robot.seen.connection.is_online
    assert all(line.startswith("cannot redial yet: the token is refused") for line in robot.said)


def test_a_robot_that_is_stopped_asks_for_no_token_any_more() -> None:
    """The try that was due is not made."""
    robot = accepted(renewable=True)
    robot.server = fickle
    robot.pass_until(25_000)
    dialled = len(robot.dials)
    robot.take(Stop())
    robot.pass_until(HOUR_MS)

    assert len(robot.dials) == dialled


def test_no_refusal_ends_a_robot_with_a_key_of_its_own() -> None:
    """A day of them: once more at once, and then after pauses that grow to five minutes."""
    robot = world(refusing, renewable=True, by_key=True)

    robot.pass_until(24 * HOUR_MS)

    pauses = [later - now for now, later in pairwise(robot.dials)]
    assert robot.given_up is None
    assert pauses[0] <= 2
    assert pauses[1:] == sorted(pauses[1:])
    assert pauses[-1] - LONGEST_KEY_WAIT_MS in (0, 1)
    hints = [line for line in robot.said if "approval" in line]
    assert len(hints) == 1


def test_a_robot_whose_key_is_let_in_later_is_online_then() -> None:
    """Its owner has approved it after half an hour."""
    robot = world(refusing, renewable=True, by_key=True)
    robot.pass_until(HOUR_MS // 2)

    robot.server = welcoming()
    robot.pass_until(HOUR_MS)

    assert robot.seen.connection.is_online


def test_an_assertion_that_is_used_up_is_followed_by_another_at_once() -> None:
    """One that is used up each time is followed after pauses, as a refusal is."""
    robot = world(fickle, renewable=True, by_key=True)
    robot.pass_until(10)
    assert len(robot.dials) == 2

    robot.pass_until(HOUR_MS)

    assert robot.given_up is None
    assert len(robot.dials) < 30
    assert "offline: its assertion is used up; signs a new one" in robot.said


events: st.SearchStrategy[Event] = st.one_of(
    st.sampled_from([TimerEnds(), Start()]),
    st.builds(Opened, st.sampled_from([None, "next"])),
    st.builds(Closed, st.just(1006), st.sampled_from([None, "next", "old"])),
    st.builds(Refused, st.sampled_from([401, 503]), st.sampled_from([None, "next"])),
    st.builds(
        FrameReceived,
        st.sampled_from([{"type": "welcome"}, {"type": "welcome", "expiresAt": 90_000}, EXPIRED]),
        st.sampled_from([None, "next", "old"]),
    ),
)


scripts = st.lists(st.tuples(events, st.integers(0, 70_000)), max_size=60)


@given(script=scripts, renewable=st.booleans(), by_key=st.booleans(), random=st.floats(0, 1))
def test_what_is_awaited_has_a_timer_until_the_robot_gives_up(
    *, script: list[tuple[Event, int]], renewable: bool, by_key: bool, random: float
) -> None:
    """Whatever happens, a robot that has not given up will do something by itself, or is online."""
    timing = Timing(life_ms=60_000, drain_ms=5_000)
    connection = ConnectionState(heartbeats=False, timing=timing)
    seen = TokenPolicy(connection, is_renewable=renewable or by_key, by_key=by_key)
    now, timer, given_up = 0, None, False
    for event, later in [(Start(), 0), *script]:
        now = now + later
        seen, told = step(seen, event, now, random)
        timer = next((out.at for out in reversed(told) if isinstance(out, Wake)), timer)
        given_up = given_up or any(isinstance(out, GiveUp) for out in told)

        assert next_due(seen) is None or next_due(seen) == timer
        assert not (given_up and by_key)
        assert given_up or seen.connection.is_online or next_due(seen) is not None
