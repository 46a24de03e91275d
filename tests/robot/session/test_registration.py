"""When the robot pings ahead of its time, and how dear it may become."""

import json
from itertools import pairwise
from typing import Any

from robosignal.protocol.ids import InstanceId, RobotId, SessionId
from robosignal.robot.frames import PcId
from robosignal.robot.session import machine
from robosignal.robot.session.events import (
    Event,
    Frame,
    Log,
    Message,
    Quit,
    Redial,
    Send,
    Tick,
)
from robosignal.robot.session.registration import EARLY_PING_MS, Identity, Registration
from robosignal.robot.session.state import RobotState
from tests.robot.simulation import FORWARD, ROBOT, Simulation

ALICE, BOB = SessionId("demo:alice"), SessionId("demo:bob")
PC = PcId("pc-1")
REGISTERED = {
    "type": "registered",
    "replyTo": "register-1",
    "robotId": "demo",
    "control": {"epoch": 1},
    "sessions": [],
    "heartbeatSeconds": 120,
    "leaseSeconds": 300,
    "iceServers": [],
}


class Rover:
    """A robot that is registered, and what it has sent since: each type, and when."""

    def __init__(self) -> None:
        self.seen = RobotState(Registration(Identity(RobotId("demo"), InstanceId("run-1"))))
        self.sent: list[tuple[int, str]] = []
        welcome: dict[str, Any] = {"type": "welcome", "connectionId": "c1=", "userId": "u0"}
        welcome |= {
            "protocol": 1,
            "iceServers": [],
            "heartbeatSeconds": 120,
            "expiresAt": 4 * 10**12,
        }
        limits = {"frameBytes": 32768, "messageBytes": 131072, "sdpBytes": 49152, "viewers": 10}
        self.hear(welcome | {"limits": limits})
        self.hear(REGISTERED)
        for session in (ALICE, BOB):
            person = {"userId": session, "name": session}
            offer = {"type": "offer", "robotId": "demo", "sessionId": session, "role": "viewer"}
            self.hear(offer | {"person": person, "pcId": PC, "payload": {"sdp": "v=0"}})
        self.sent.clear()

    def hear(self, frame: dict[str, Any], now: int = 0) -> None:
        """Have a frame come."""
        self.step(Frame(frame), now)

    def command(self, session: SessionId, now: int, data: str = FORWARD) -> None:
        """Have this come over a session's data channel."""
        self.step(Message(session, PC, data), now)

    def step(self, event: Event, now: int) -> None:
        """Have the robot do what is due, and then whatever the event makes it do."""
        for one in (Tick(), event):
            self.seen, asked = machine.step(self.seen, one, now)
            sent = [action.frame["type"] for action in asked if isinstance(action, Send)]
            self.sent += [(now, kind) for kind in sent]


def test_refused_command_has_the_robot_ask_at_once() -> None:
    """It may be the new driver's, of whom the robot was not told."""
    rover = Rover()
    rover.command(ALICE, 1000)

    assert rover.sent == [(1000, "ping")]


def test_flood_of_refused_commands_costs_a_few_pings() -> None:
    """Fifty a second for ten minutes, by each of two: the pause doubles up to the heartbeat."""
    rover = Rover()
    for now in range(0, 600_000, 20):
        rover.command(ALICE, now)
        rover.command(BOB, now)

    early = [0, 5, 15, 35, 75, 155, 275, 395, 515]
    assert rover.sent == [(second * 1000, "ping") for second in early]


def test_change_of_epoch_has_the_robot_ask_soon_again() -> None:
    """The shortest pause begins again with each change, and is kept all the same."""
    rover = Rover()
    for now in range(0, 80_000, 20):
        rover.command(ALICE, now)
    rover.sent.clear()
    rover.hear({"type": "control", "robotId": "demo", "sessionId": BOB, "epoch": 2}, 79_000)
    for now in range(79_000, 91_000, 20):
        rover.command(ALICE, now)

    assert rover.sent == [(80_000, "ping"), (85_000, "ping")]


def test_epochs_that_change_all_the_time_cost_one_ping_in_five_seconds() -> None:
    """Whatever people do, early pings are no closer."""
    rover = Rover()
    for epoch, now in enumerate(range(0, 60_000, 100), start=2):
        holder = (ALICE, BOB)[epoch % 2]
        told = {"type": "control", "robotId": "demo", "sessionId": holder, "epoch": epoch}
        rover.hear(told, now)
        rover.command(ALICE, now)
        rover.command(BOB, now)

    assert rover.sent == [(at, "ping") for at in range(0, 60_000, EARLY_PING_MS)]


def test_what_is_no_command_costs_no_ping() -> None:
    """A watcher's measure of the round trip, and any text."""
    rover = Rover()
    rover.command(ALICE, 0, json.dumps({"type": "ping", "n": 1}))
    rover.command(ALICE, 0, "hello")

    assert rover.sent == []


def test_robot_that_is_about_to_be_told_asks_nothing_more() -> None:
    """While `register` is unanswered, a refused command sends nothing."""
    rover = Rover()
    rover.hear({"type": "control", "robotId": "demo", "sessionId": BOB, "epoch": 9}, 10)
    rover.command(ALICE, 20)

    assert rover.sent == [(10, "register")]


def test_driver_of_whom_the_robot_was_not_told_drives_after_one_refusal() -> None:
    """And the one before, whom the robot has obeyed till then, is refused from there on."""
    simulation = Simulation(1, orderly=True)
    bob, owner = simulation.join("bob"), simulation.join("owner")
    sdp = {"sdp": "v=0"}
    first = bob.ask(type="offer", robotId=ROBOT, role="controller", pcId="b", payload=sdp)
    second = owner.ask(type="offer", robotId=ROBOT, role="viewer", pcId="o", payload=sdp)
    simulation.settle()
    owner.ask(type="takeover", robotId=ROBOT)
    simulation.sockets[-1].take()  # the one that was to tell the robot has died
    before = [simulation.command(first["sessionId"]), simulation.command(second["sessionId"])]
    simulation.settle()

    assert before == [True, False]
    assert set(simulation.robot.peers) == {second["sessionId"]}
    assert simulation.command(second["sessionId"])


def refusal(code: str, number: int) -> dict[str, Any]:
    """Return the server's error for a `register`."""
    return {
        "type": "error",
        "replyTo": f"register-{number}",
        "code": code,
        "message": "this key is enrolled no longer: ask the robot's owner",
    }


def refused(code: str, *, by_key: bool) -> tuple[RobotState, list[Any]]:
    """Return a robot whose first `register` is refused, and what it does."""
    identity = Identity(RobotId("demo"), InstanceId("run-1"), by_key=by_key)
    state = RobotState(Registration(identity))
    limits = {"frameBytes": 32768, "messageBytes": 131072, "sdpBytes": 49152, "viewers": 10}
    welcome = {
        "type": "welcome",
        "connectionId": "c1=",
        "userId": "u0",
        "protocol": 1,
        "iceServers": [],
        "heartbeatSeconds": 120,
        "expiresAt": 4 * 10**12,
        "limits": limits,
    }
    state, _ = machine.step(state, Frame(welcome), 0)
    return machine.step(state, Frame(refusal(code, 1)), 0)


def test_a_robot_whose_key_was_revoked_stays_and_asks_again_after_long_pauses() -> None:
    """A minute, then two, then up to five; the log has the server's own sentence."""
    state, actions = refused("forbidden", by_key=True)
    (line,) = [action.text for action in actions if isinstance(action, Log)]
    asked = [0]
    for number in range(2, 7):
        due = machine.next_due(state)
        assert due is not None
        state, sends = machine.step(state, Tick(), due)
        assert [each.frame["type"] for each in sends if isinstance(each, Send)] == ["register"]
        asked.append(due)
        state, more = machine.step(state, Frame(refusal("forbidden", number)), due)
        actions = [*actions, *more]

    assert not [action for action in actions if isinstance(action, Quit)]
    assert [later - now for now, later in pairwise(asked)] == [60_000, 120_000, 240_000] + [
        300_000
    ] * 2
    assert line.startswith("not registered: this key is enrolled no longer")


def test_a_robot_whose_connection_is_unknown_dials_again_if_it_has_a_key() -> None:
    """A person's token is refused for good instead."""
    _, by_key = refused("unauthorized", by_key=True)
    _, by_token = refused("unauthorized", by_key=False)

    assert [type(action) for action in by_key] == [Redial]
    assert any(isinstance(action, Quit) for action in by_token)


def test_a_refusal_of_a_persons_token_ends_with_what_the_server_says_and_what_to_do() -> None:
    """Such as a deployment where only enrolled robots register."""
    _, actions = refused("forbidden", by_key=False)

    (text,) = [action.text for action in actions if isinstance(action, Quit)]
    assert "this key is enrolled no longer" in text
    assert "robosignal robot enroll URL CODE" in text
