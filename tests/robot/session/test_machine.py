import json
from typing import Any, Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from robosignal.protocol.ids import InstanceId, RobotId, SessionId
from robosignal.robot.drive import STILL
from robosignal.robot.frames import Candidate, PcId
from robosignal.robot.session import events as actions
from robosignal.robot.session.events import Add, Move, Open, Renegotiate, Say, Shut
from robosignal.robot.session.machine import next_due, step
from robosignal.robot.session.registration import Identity, Registration
from robosignal.robot.session.state import Link, RobotState

NEW = RobotState(Registration(Identity(RobotId("demo"), InstanceId("run-1"))))
SESSIONS = ["demo:a", "demo:b", "demo:c"]
PCS = ["pc-1", "pc-2"]
LAST = "the last register"
FORWARD = '{"type":"command","n":1,"drive":{"x":0,"y":1}}'

sessions = st.sampled_from(SESSIONS)
pcs = st.sampled_from(PCS)
epochs = st.integers(1, 6)
persons = st.just({"userId": "u1"})


WHICH: list[Literal["old"] | None] = [None, None, "old"]


def frame(kind: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[actions.Event]:
    """Return frames of this type with such fields, on the current socket or the old one."""
    every = st.fixed_dictionaries({"type": st.just(kind), "robotId": st.just("demo")} | fields)
    return st.builds(actions.Frame, every, st.sampled_from(WHICH))


def registered(holder: str | None, epoch: int, standing: list[str]) -> actions.Event:
    """Return what a redial tells the robot, in reply to the last `register`: see `addressed`."""
    control = {"epoch": epoch} | ({"sessionId": holder} if holder else {})
    seats = [{"sessionId": s, "person": {"userId": "u"}, "role": "viewer"} for s in standing]
    fields = {"heartbeatSeconds": 120, "leaseSeconds": 300, "iceServers": [], "replyTo": LAST}
    return actions.Frame(
        {"type": "registered", "robotId": "demo", "control": control, "sessions": seats} | fields
    )


def addressed(event: actions.Event, seen: RobotState, now: int = 0) -> actions.Event:
    """Return the event with `LAST` as the id of the robot's last `register`.

    A command on `drive` is then as old at `now`, in ms, as it says.
    """
    if isinstance(event, actions.Message) and event.channel == "drive":
        parts = json.loads(event.data)
        data = json.dumps(parts | {"t": now + parts["t"]})
        return actions.Message(event.session_id, event.pc_id, data, "drive")
    if not isinstance(event, actions.Frame) or event.frame.get("replyTo") != LAST:
        return event
    last = f"register-{seen.registration.registers}"
    return actions.Frame(event.frame | {"replyTo": last}, event.socket)


WELCOME = {
    "type": "welcome",
    "connectionId": "c1=",
    "userId": "u0",
    "protocol": 1,
    "iceServers": [],
    "heartbeatSeconds": 120,
    "expiresAt": 4_000_000_000_000,
    "limits": {"frameBytes": 32768, "messageBytes": 131072, "sdpBytes": 49152, "viewers": 10},
}


def command(  # noqa: PLR0917 - one for each part of a command
    session: SessionId, pc: PcId, n: int, epoch: int, age: int, y: float
) -> actions.Message:
    """Return a command on `drive` whose `t` is so old: see `addressed`."""
    parts = {"type": "command", "n": n, "epoch": epoch, "t": -age, "drive": {"x": 0.0, "y": y}}
    return actions.Message(session, pc, json.dumps(parts), "drive")


sdp = st.just({"type": "offer", "sdp": "v=0"})
controller, viewer = st.just("controller"), st.just("viewer")
events: st.SearchStrategy[actions.Event] = st.one_of(
    frame(
        "offer",
        sessionId=sessions,
        pcId=pcs,
        role=controller,
        epoch=epochs,
        person=persons,
        payload=sdp,
        right=st.fixed_dictionaries(
            {"drive": st.booleans(), "owner": st.booleans(), "rightSeconds": st.integers(0, 20)}
        ),
    ),
    frame("offer", sessionId=sessions, pcId=pcs, role=viewer, person=persons, payload=sdp),
    frame("ice-candidate", sessionId=sessions, pcId=pcs, role=viewer, payload=st.just({})),
    frame("answer", sessionId=sessions, role=viewer, payload=sdp),
    frame("takeover", sessionId=sessions, epoch=epochs, by=persons, reason=st.just("owner")),
    frame("control", sessionId=sessions, epoch=epochs),
    frame("control", epoch=epochs),
    frame("peer-left", sessionId=sessions, reason=st.just("bye")),
    frame("peer-left", sessionId=sessions, epoch=epochs, reason=st.just("bye")),
    frame("error", replyTo=pcs, code=st.just("no_session"), message=st.just("")),
    st.just(actions.Frame(WELCOME)),
    frame("error", replyTo=st.just("s1"), code=st.just("not_registered"), message=st.just("")),
    frame(
        "pong", control=st.fixed_dictionaries({"epoch": epochs}, optional={"sessionId": sessions})
    ),
    frame("ice-servers", iceServers=st.just([]), ttlSeconds=st.integers(0, 10)),
    st.builds(registered, st.none() | sessions, epochs, st.lists(sessions, unique=True)),
    st.builds(actions.Message, sessions.map(SessionId), pcs.map(PcId), st.just(FORWARD)),
    st.builds(
        actions.Opened,
        sessions.map(SessionId),
        pcs.map(PcId),
        st.sampled_from(["control", "drive"]),
    ),
    st.builds(
        command,
        sessions.map(SessionId),
        pcs.map(PcId),
        st.integers(1, 30),
        epochs,
        st.integers(0, 2000),
        st.sampled_from([0.0, 0.0, 1.0]),
    ),
    st.builds(
        actions.Message,
        sessions.map(SessionId),
        pcs.map(PcId),
        st.sampled_from(['{"type":"stop"}', '{"type":"clear-stop"}']),
    ),
    st.builds(actions.StopMotion, st.just("button")),
    st.just(actions.ClearStop()),
    st.just(actions.Resumed()),
    st.builds(actions.Failed, sessions.map(SessionId), pcs.map(PcId)),
    st.builds(actions.Answered, sessions.map(SessionId), pcs.map(PcId), st.just("v=1")),
    st.builds(
        actions.Gathered, sessions.map(SessionId), pcs.map(PcId), st.just(Candidate("candidate:1"))
    ),
    st.just(actions.Offline()),
    st.just(actions.Tick()),
)
scripts = st.lists(st.tuples(events, st.integers(0, 6000)), max_size=30)


@given(scripts)
@settings(max_examples=300)
def test_actions_name_only_peer_connections_that_are_open(
    script: list[tuple[actions.Event, int]],
) -> None:
    """What the shell does is always possible, and no session has two peer connections."""
    seen, now = NEW, 0
    open_: set[tuple[str, str]] = set()
    for event, later in script:
        now += later
        seen, asked = step(seen, addressed(event, seen, now), now)
        for action in asked:
            match action:
                case Open(session, pc):
                    assert session not in {other for other, _ in open_}
                    open_.add((session, pc))
                case Shut(session, pc):
                    open_.remove((session, pc))
                case Renegotiate(session, pc) | Add(session, pc) | Say(session, pc):
                    assert (session, pc) in open_
                case _:
                    pass

    assert open_ == {(key, peer.pc_id) for key, peer in seen.peers.items() if not peer.failed}


@given(scripts)
@settings(max_examples=300)
def test_robot_moves_only_for_the_session_that_the_highest_epoch_names(
    script: list[tuple[actions.Event, int]],
) -> None:
    """Every motion begins with a holder's command, and a change of the fence ends it."""
    seen, now = NEW, 0
    for event, later in script:
        now += later
        before = seen
        seen, asked = step(seen, addressed(event, seen, now), now)
        moves = [action.drive for action in asked if isinstance(action, Move)]
        if any(drive != STILL for drive in moves):
            assert isinstance(event, actions.Message)
            assert event.session_id == before.control.fence.holder
        if seen.control.fence != before.control.fence:
            assert seen.motion.target.drive == STILL
            assert before.motion.target.drive == STILL or moves == [STILL]


ALICE, PC = SessionId("demo:a"), PcId("pc-1")
RIGHT = {"drive": True, "owner": False, "rightSeconds": 6}
RIGHT_ENDS = 6000
DRIVER: dict[str, Any] = {
    "type": "offer",
    "robotId": "demo",
    "sessionId": ALICE,
    "pcId": PC,
    "role": "controller",
}
DRIVER |= {"epoch": 2, "person": {"userId": "u1"}, "payload": {"sdp": "v=0"}, "right": RIGHT}
commands = st.builds(
    command,
    st.just(ALICE),
    st.just(PC),
    st.sampled_from([-1, 0, 1, 1, 1, 2]),
    st.sampled_from([2, 2, 2, 2, 3]),
    st.sampled_from([0, 20, 20, 200, 1000, 1001, -1]),
    st.sampled_from([0.0, 1.0]),
)
"""Their numbers follow the one before by so much."""

others: st.SearchStrategy[actions.Event] = st.sampled_from(
    [
        actions.Tick(),
        actions.Resumed(),
        actions.StopMotion("button"),
        actions.ClearStop(),
        actions.Message(ALICE, PC, '{"type":"stop"}'),
        actions.Message(ALICE, PC, '{"type":"clear-stop"}'),
        actions.Frame({"type": "control", "robotId": "demo", "sessionId": ALICE, "epoch": 3}),
    ]
)
drawn = st.lists(
    st.tuples(st.one_of(*[commands] * 6, others), st.sampled_from([0, 20, 50, 100, 499, 500])),
    min_size=10,
    max_size=40,
)
armed = st.just((command(ALICE, PC, 1, 2, 0, 0.0), 20))
driven = drawn | st.tuples(armed, drawn).map(lambda parts: [parts[0], *parts[1]])
"""Half of them begin with a zero command, so that motion soon follows."""


def test_every_motion_is_fresh_of_the_epoch_with_the_right_and_after_zeros() -> None:
    """Whatever comes, and in whatever order."""
    moved = 0

    @given(driven)
    @settings(max_examples=400)
    def check(script: list[tuple[actions.Event, int]]) -> None:
        nonlocal moved
        seen, now = NEW, 0
        seen, _ = step(seen, actions.Frame(DRIVER), now)
        seen, _ = step(seen, actions.Opened(ALICE, PC, "drive"), now)
        last_n, newest, may_move = 0, 1, False
        for event, later in script:
            now += later
            before, given = seen, addressed(event, seen, now)
            if not isinstance(given, actions.Message) or given.channel != "drive":
                seen, asked = step(seen, given, now)
                has_stopped = any(isinstance(action, Move) for action in asked)
                is_new = seen.control.fence != before.control.fence
                may_move &= not (has_stopped or is_new or isinstance(given, actions.Resumed))
                continue
            parts = json.loads(given.data)
            n = newest = max(1, newest + parts["n"])
            given = actions.Message(ALICE, PC, json.dumps(parts | {"n": n}), "drive")
            seen, asked = step(seen, given, now)
            moves = [action.drive for action in asked if isinstance(action, Move)]
            if before.motion.is_over(now) or now >= RIGHT_ENDS:
                may_move = False
            link = seen.peers[ALICE].link
            assert isinstance(link, Link)
            if link.last_n == n and last_n != n:
                assert n > last_n
                assert now - 1000 <= parts["t"] <= now
                assert parts["epoch"] == seen.control.fence.epoch
                assert seen.latch.by is None
                assert now < RIGHT_ENDS
                assert moves[-1].y == parts["drive"]["y"]
                assert may_move or moves[-1] == STILL
                may_move, last_n = True, n
                moved += moves[-1] != STILL
            else:
                assert moves in ([], [STILL])

    check()
    assert moved > 10


@given(scripts)
@settings(max_examples=300)
def test_only_a_registration_lowers_the_epoch(script: list[tuple[actions.Event, int]]) -> None:
    """No push, in whatever order, takes the robot back to an older driver."""
    seen, now = NEW, 0
    for event, later in script:
        now += later
        before = seen.control.fence.epoch
        seen, _ = step(seen, addressed(event, seen, now), now)
        outright = isinstance(event, actions.Frame) and event.frame["type"] == "registered"

        assert outright or seen.control.fence.epoch >= before


@given(scripts)
@settings(max_examples=300)
def test_what_is_due_is_done_at_one_tick(script: list[tuple[actions.Event, int]]) -> None:
    """After a tick the next one is due later: the shell's timer never spins."""
    seen, now = NEW, 0
    for event, later in script:
        now += later
        seen, _ = step(seen, addressed(event, seen, now), now)
        seen, _ = step(seen, actions.Tick(), now)
        due = next_due(seen)

        assert due is None or due > now
