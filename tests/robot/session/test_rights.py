"""What a robot remembers of rights, by the frames that tell them."""

from typing import Any

import pytest

from robosignal.protocol.ids import InstanceId, RobotId, SessionId
from robosignal.robot.session import machine
from robosignal.robot.session.events import Action, Frame, Log
from robosignal.robot.session.registration import Identity, Registration
from robosignal.robot.session.state import Right, RobotState

HOLDER, VIEWER = SessionId("demo:AAAAAAAAAAAAAAAAAAAAAA"), SessionId("demo:BBBBBBBBBBBBBBBBBBBBBB")
SDP = {"type": "offer", "sdp": "v=0"}


def feed(state: RobotState, now: int, **frame: Any) -> tuple[RobotState, list[Action]]:
    """Have the robot receive a frame at `now`, in ms."""
    return machine.step(state, Frame({"robotId": "demo", **frame}), now)


def offered(right: Any, session: SessionId = HOLDER) -> tuple[RobotState, list[Action]]:
    """Return the robot, and what it did, after an offer of the driver with this right."""
    state = RobotState(Registration(Identity(RobotId("demo"), InstanceId("run-1"))))
    person = {"userId": "u1", "name": "Alice"}
    fields = {"sessionId": session, "role": "controller", "epoch": 2, "person": person}
    return feed(state, 0, type="offer", payload=SDP, right=right, **fields)


@pytest.mark.parametrize(
    ("right", "read"),
    [
        ({}, Right(drive=False, owner=False)),
        ({"drive": True}, Right(drive=True, owner=False)),
        ({"owner": True}, Right(drive=False, owner=True)),
        ({"drive": True, "owner": True, "rightSeconds": 3}, Right(owner=True, until=3000)),
        ({"drive": True, "owner": True, "rightSeconds": None}, Right(owner=True)),
        ({"drive": True, "rightSeconds": -1}, Right(until=0)),
        ({"drive": True, "rightSeconds": 1, "later": {}}, Right(until=1000)),
    ],
)
def test_an_offer_may_leave_out_parts_of_a_right(right: Any, read: Right) -> None:
    """What is missing is not allowed; without seconds, no end is known."""
    state, _ = offered(right)

    assert state.rights == {HOLDER: read}
    assert HOLDER in {each.session_id for each in state.pending.offers.frames()} | set(state.peers)


def test_an_offer_without_a_right_says_nothing_of_it() -> None:
    """As an older server's does, or one that says null."""
    state, _ = offered(None)

    assert state.rights == {}


@pytest.mark.parametrize("right", [{"drive": 1}, {"owner": "yes"}, {"rightSeconds": "9"}, [], 7])
def test_an_offer_whose_right_has_another_type_cannot_be_read(right: Any) -> None:
    """As with every other member: the log names the frame, and neither fence nor peers change."""
    state, actions = offered(right)

    assert actions == [Log("ignores a frame of type 'offer' that it cannot read")]
    assert (state.rights, state.peers, state.control.fence.epoch) == ({}, {}, 0)


HELD = {"epoch": 2, "sessionId": HOLDER}
LISTED = {"sessionId": VIEWER, "person": {"userId": "u2"}, "role": "viewer"}
OWN = {"replyTo": "register-0", "sessions": [], "heartbeatSeconds": 120, "iceServers": []}
FRAMES: dict[str, dict[str, Any]] = {
    "takeover": {"by": {"userId": "u1"}, "reason": "owner", **HELD},
    "control": HELD,
    "registered": {"control": HELD, **OWN},
    "pong": {"control": HELD},
}


def telling(kind: str, seconds: Any) -> dict[str, Any]:
    """Return a frame of this type that tells so many seconds of the holder."""
    fields = FRAMES[kind]
    if "control" in fields:
        return {"type": kind, **fields, "control": {**HELD, "rightSeconds": seconds}}
    return {"type": kind, **fields, "rightSeconds": seconds}


@pytest.mark.parametrize("kind", FRAMES)
def test_other_frames_move_the_holders_end_further_only(kind: str) -> None:
    """They overtake each other; and they change neither `drive` nor `owner`."""
    state, _ = offered({"drive": True, "owner": True, "rightSeconds": 10})

    ends = []
    for now, seconds in ((1000, 5), (2000, 20), (3000, None), (4000, -5)):
        state, _ = feed(state, now, **telling(kind, seconds))
        ends.append(state.rights[HOLDER])

    further = Right(owner=True, until=22_000)
    assert ends == [Right(owner=True, until=10_000), further, further, further]


@pytest.mark.parametrize("kind", FRAMES)
@pytest.mark.parametrize("seconds", ["9", 1.5, [], True])
def test_other_frames_with_seconds_of_another_type_cannot_be_read(kind: str, seconds: Any) -> None:
    """They change no right, and the log names the frame."""
    state, _ = offered({"drive": True, "rightSeconds": 10})
    before = state.rights

    state, actions = feed(state, 1000, **telling(kind, seconds))

    assert Log(f"ignores a frame of type {kind!r} that it cannot read") in actions
    assert state.rights == before


@pytest.mark.parametrize("kind", ["registered", "pong"])
def test_sessions_that_the_robot_does_not_have_are_left_out(kind: str) -> None:
    """An entry without seconds says nothing, as an older server's; the holder is told twice."""
    state, _ = offered({"drive": True, "rightSeconds": 10})
    fields = {**OWN, "control": {"epoch": 2, "sessionId": HOLDER, "rightSeconds": 20}}
    entries = [{**LISTED, "rightSeconds": 30}, {**LISTED, "sessionId": HOLDER, "rightSeconds": 30}]

    state, _ = feed(state, 0, type=kind, **fields | {"sessions": entries})

    assert state.rights == {HOLDER: Right(until=30_000)}


@pytest.mark.parametrize("kind", ["takeover", "control", "pong"])
def test_a_frame_of_a_past_epoch_says_nothing_of_the_holder(kind: str) -> None:
    """It was on its way while the driver changed."""
    state, _ = offered({"drive": True, "rightSeconds": 10})
    frame = telling(kind, 60)
    if kind == "pong":
        frame["control"] |= {"epoch": 1}
    else:
        frame |= {"epoch": 1}

    state, _ = feed(state, 0, **frame)

    assert state.rights == {HOLDER: Right(until=10_000)}
