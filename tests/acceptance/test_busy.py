"""AWS too busy at every call of every message, once and from then on: every message is answered.

Each message of the protocol, in every situation of the explorer's, with each of its calls to
the store and to connections throttled in turn.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from itertools import product

import pytest

from robosignal.protocol.messages import MESSAGES
from robosignal.server.core.records import Robot
from tests.acceptance.throttled import FOR_EVER, Scene, Told
from tests.explorer.cast import INVITED, KEYED, ROBOT, SITUATIONS
from tests.explorer.events import ASKS_TOO, AT_ODDS, EVENTS, INVITED_EVENTS, KEYED_EVENTS, Event

MORE = [
    ASKS_TOO,
    Event("olga2", "robots", lambda _: {"robotIds": [ROBOT]}, "by their ids"),
    Event("boss", "robots", lambda _: {"all": True}, "all"),
    Event("boss", "watch", lambda _: {"all": True}, "all"),
    Event("boss", "ready", lambda _: {"protocol": 1}),
    Event("seed", "bye", lambda _: {"robotId": ROBOT}),
    Event("seed", "takeover", lambda _: {"robotId": ROBOT}),
]
SAID = [event for event in (*EVENTS, *AT_ODDS, *MORE) if not event.kind.startswith("$")]
SAID_BY_KEY = [
    event
    for event in KEYED_EVENTS
    if not event.kind.startswith("$") and event.peer not in ("fresh", "replay", "same", "twin")
]
"""But for what an assertion sends that is used: its answer is a last frame, and the close."""
ENDS = [event for event in EVENTS if event.kind == "$disconnect"]

MAKES_CODES = ("create-code", "invite")

DONE_BY_THEN = {
    ("request-control", "ack", "no_session"): "a lapsed lease was acquired again and given back",
    ("takeover", "ack", "forbidden"): "the lease was given back: an operator offers for it",
    ("takeover", "robot_offline", "ack"): "giving back failed too: the taker holds until it lapses",
}
"""What a repeated message is told that it was not told at first, and why that is true by then."""


@dataclass(frozen=True, slots=True)
class Trial:
    """One message with some of its calls throttled: what it was told, and when sent again."""

    situation: str
    event: Event
    call: str
    once: bool
    at_first: Told
    """What it is told when AWS is not busy."""
    told: Told
    again: Told
    before: Robot | None
    after: Robot | None

    @property
    def tried(self) -> bool:
        """Whether it was told to try again."""
        return _code(self.told) == "try_again"

    def __str__(self) -> str:
        how = "once" if self.once else "from then on"
        told = " → ".join(_code(each) for each in (self.at_first, self.told, self.again))
        return f"{self.situation} | {self.event.name} | {self.call} throttled {how} | {told}"


def _code(told: Told) -> str:
    frame = told[1] or {"type": "silence"}
    if frame["type"] == "code":
        return "a code"
    return str(frame.get("code") or frame.get("error") or frame["type"])


def _trials_of(scene: Scene, situation: str, event: Event) -> Iterator[Trial]:
    scene.put_back()
    before = scene.store.robot(ROBOT)
    at_first = scene.send(event)
    calls = list(scene.throttle.calls)
    for number, call in enumerate(calls):
        for end in (number + 1, FOR_EVER):
            scene.put_back(number, end)
            told = scene.send(event)
            # Who was refused before is checked first, which is one call more than at first.
            refused = scene.throttle.calls[number:]
            after = scene.store.robot(ROBOT)
            scene.calm()
            again = scene.send(event)
            once = end != FOR_EVER
            at = refused[0] if refused else call
            yield Trial(situation, event, at, once, at_first, told, again, before, after)


@cache
def trials() -> list[Trial]:
    """Return every trial of every message in every situation."""
    said = dict.fromkeys(SITUATIONS, SAID) | dict.fromkeys(KEYED, SAID_BY_KEY)
    said |= dict.fromkeys(INVITED, INVITED_EVENTS)
    scenes = {situation: Scene(situation) for situation in said}
    return [
        trial
        for situation, scene in scenes.items()
        for event in said[situation]
        if event.peer in scene.cast.peers
        for trial in _trials_of(scene, situation, event)
    ]


def test_every_message_type_is_throttled_where_it_would_succeed() -> None:
    """A table that leaves one out, or meets it only where it is refused, proves little."""
    throttled = {trial.event.kind for trial in trials() if trial.at_first[0] == 200}

    # The history writes nothing, and this world keeps none.
    assert throttled == set(MESSAGES) - {"history"}


def test_every_message_is_answered() -> None:
    """A message with an id is answered, under that id, whichever calls are throttled."""
    silent = [
        str(trial)
        for trial in trials()
        if trial.told[1] is None or trial.told[1].get("replyTo") != "q"
    ]

    assert silent == []


def test_the_reply_is_the_true_one_or_to_try_again() -> None:
    """Word for word what it is without a throttle, or status 503 and the code for it.

    But a robot that AWS was too busy to tell has not been told, and the `ack` says so.
    """
    wrong = [
        str(trial)
        for trial in trials()
        if _but_for_the_robot(trial) != trial.at_first
        and (trial.told[0], trial.tried) != (503, True)
    ]
    untold = {
        (trial.event.kind, trial.call)
        for trial in trials()
        if (trial.told[1] or {}).get("robotTold") is False
        and "robotTold" not in (trial.at_first[1] or {})
    }

    assert wrong == []
    assert {call for _, call in untold} <= {
        *("post", "write_robot", "write_connection", "connection", "note_share"),
    }
    assert {kind for kind, _ in untold} == {
        *("bye", "forget", "grant-control", "release-control", "share", "transfer", "unshare"),
    }


def _but_for_the_robot(trial: Trial) -> Told:
    status, frame = trial.told
    if frame is not None and trial.event.kind in MAKES_CODES and frame["type"] == "code":
        # Each code is drawn.
        return trial.at_first
    if frame is None or "robotTold" in (trial.at_first[1] or {}):
        return trial.told
    return status, {name: value for name, value in frame.items() if name != "robotTold"}


def test_the_senders_row_decides_nothing_when_it_cannot_be_read() -> None:
    """The first call of each message says who sent it: without it there is only one answer."""
    firsts = [trial for trial in trials() if trial.call == "sender"]

    assert {_code(trial.told) for trial in firsts} == {"try_again"}
    assert all(trial.before == trial.after for trial in firsts)


def test_a_client_told_to_try_again_has_taken_nothing() -> None:
    """After one throttled call the lease is the session's whose it was, or free.

    Where the robot is gone as well, the one call may be that which gives the lease back: it lapses.
    """
    kept = [
        str(trial)
        for trial in trials()
        if trial.once and trial.tried and trial.situation != "robot gone"
        if _holder(trial.after) not in (None, _holder(trial.before))
    ]

    assert kept == []


def _holder(robot: Robot | None) -> str | None:
    return robot.controller.session_id if robot and robot.controller else None


def test_a_message_sent_again_is_told_what_it_would_have_been_told_at_first() -> None:
    """Except for what `DONE_BY_THEN` lists: there a write was carried out before."""
    others = {
        (trial.event.kind, _code(trial.at_first), _code(trial.again)): str(trial)
        for trial in trials()
        if trial.tried and _code(trial.again) != _code(trial.at_first)
    }

    assert set(others) == set(DONE_BY_THEN), "\n".join(others.values())


@pytest.mark.parametrize("situation", ["free", "held", "watched", "held by a seed"])
def test_without_an_id_a_v1_sender_hears_that_it_should_try_again(situation: str) -> None:
    """Only replies of success may be left out, and a seed's, but for what only a page sends."""
    scene = Scene(situation)
    told: dict[str, set[str]] = {"v1": set(), "seed": set()}
    for event, number in product(SAID, (1, 2, 3)):
        scene.put_back(number)
        answer = scene.send(event, has_id=False)
        if answer[0] == 503:
            told["seed" if event.peer == "seed" else "v1"].add(_code(answer))

    assert told == {"v1": {"try_again"}, "seed": {"try_again", "silence"}}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_a_socket_that_ends_or_opens_while_aws_is_busy_raises_nothing(situation: str) -> None:
    """The end is answered 503 or 200, and a connection that cannot be written is refused."""
    scene = Scene(situation)
    token = scene.world.token("olga")
    carried = {"headers": {"Sec-WebSocket-Protocol": f"robosignal.v1, bearer.{token}"}}
    answered = set()
    for event in ENDS:
        for number in range(12):
            scene.put_back(number)
            ended = scene.world.event("DISCONNECT", scene.cast[event.peer])
            answered.add(ended["statusCode"])
    scene.put_back(0)
    refused = scene.world.event("CONNECT", scene.cast["late"], **carried)

    assert answered == {200, 503}
    assert refused["statusCode"] == 503
