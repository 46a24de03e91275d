"""Relays: between the two ends of a session and nowhere else, whatever a message claims."""

from typing import Any

import pytest

from robosignal.protocol.ids import ConnectionId, RobotId, session_id
from tests.world import Frame, Peer, World

UNOWNED = "r1:" + "A" * 22

RELAYED: list[Frame] = [
    {"type": "answer", "sdp": "a"},
    {"type": "ice-candidate", "candidate": "c"},
    {"type": "candidate", "payload": {"candidate": None}},
]


@pytest.fixture
def call(local_world: World) -> tuple[Peer, Peer, str]:
    """A robot, its driver and their session, with nothing undelivered."""
    robot = local_world.robot("r1", "owner")
    driver = local_world.connect("owner")
    session = driver.offer()["sessionId"]
    robot.take()
    return robot, driver, session


def delivered(world: World) -> list[Frame]:
    """Return every frame posted to anybody since the last time."""
    return [frame for peer in world.peers for frame in peer.take()]


def test_a_clients_candidate_reaches_the_robot_with_the_truth_about_its_sender(
    world: World,
) -> None:
    """Session, person, role and epoch are stamped; `seq` and the payload pass as they came."""
    robot = world.robot("r1", "owner")
    driver = world.connect("owner")
    had = driver.offer()
    robot.take()
    candidate = {"candidate": "c", "sdpMid": "0", "sdpMLineIndex": 0}

    ack = driver.ask(
        type="ice-candidate",
        sessionId=had["sessionId"],
        pcId="pc1",
        seq=7,
        payload={"candidate": candidate},
    )

    assert ack == {"type": "ack", "replyTo": "q", "sessionId": had["sessionId"]}
    assert robot.take() == [
        {
            "type": "ice-candidate",
            "robotId": "r1",
            "sessionId": had["sessionId"],
            "person": {"userId": "owner", "name": "Owner"},
            "role": "controller",
            "epoch": had["epoch"],
            "pcId": "pc1",
            "seq": 7,
            "payload": {"candidate": candidate},
        }
    ]


def test_a_robots_answer_reaches_its_session_alone(world: World) -> None:
    """Of two clients the one whose session is named gets it, without a `person`."""
    robot = world.robot("r1", "owner")
    driver, viewer = world.connect("owner"), world.connect("owner")
    driver.offer()
    session = viewer.offer(role="viewer")["sessionId"]

    robot.ask(type="answer", sessionId=session, payload={"sdp": "a"})

    assert driver.take() == []
    assert viewer.take() == [
        {
            "type": "answer",
            "robotId": "r1",
            "sessionId": session,
            "role": "viewer",
            "payload": {"sdp": "a"},
        }
    ]


def test_a_robot_may_send_an_offer_in_a_session(
    local_world: World, call: tuple[Peer, Peer, str]
) -> None:
    """Either end renegotiates; no session is opened by it."""
    robot, driver, session = call
    before = local_world.stored()

    robot.ask(type="offer", sessionId=session, payload={"sdp": "o"})

    assert driver.types() == ["offer"]
    assert local_world.stored() == before


@pytest.mark.parametrize("message", RELAYED, ids=lambda message: message["type"])
@pytest.mark.parametrize("user", ["owner", "olga", "boss", "stranger"])
@pytest.mark.parametrize("spelling", ["session", "robot", "client", "target"])
def test_a_third_connection_reaches_neither_end(
    local_world: World,
    call: tuple[Peer, Peer, str],
    message: Frame,
    user: str,
    spelling: str,
) -> None:
    """Whatever it names, nothing is delivered and nothing changes."""
    _, driver, session = call
    local_world.share("r1", "olga")
    third = local_world.connect(user, groups=["ADMIN"] if user == "boss" else [])
    named: dict[str, Frame] = {
        "session": {"sessionId": session},
        "robot": {"robotId": "r1"},
        "client": {"robotId": "r1", "clientConnectionId": driver.connection_id},
        "target": {"robotId": "r1", "to": driver.connection_id, "target": "client"},
    }
    before = local_world.stored()

    status, code = third.refused(**message, **named[spelling])

    expected = (404, "no_session") if user != "stranger" else (403, "forbidden")
    assert (status, code) == ((400, "bad_message") if spelling == "target" else expected)
    assert (local_world.stored(), delivered(local_world)) == (before, [])


@pytest.mark.parametrize(
    "forged",
    [
        {"from": "boss"},
        {"person": {"userId": "boss"}},
        {"role": "viewer"},
        {"epoch": 99},
        {"connectionId": "conn-0001="},
        {"userId": "boss"},
    ],
    ids=lambda forged: next(iter(forged)),
)
def test_a_forged_sender_changes_nothing_that_the_robot_sees(
    call: tuple[Peer, Peer, str], forged: Frame
) -> None:
    """What a frame says of its sender comes from the connection alone."""
    robot, driver, session = call
    said = {"type": "ice-candidate", "sessionId": session, "payload": {"candidate": "c"}}
    driver.ask(**said)
    truth = robot.take()

    driver.ask(**said, **forged)

    assert robot.take() == truth


def test_a_robot_cannot_answer_another_robots_session(
    local_world: World, call: tuple[Peer, Peer, str]
) -> None:
    """Not by the session, nor by the client's connection; nothing is delivered."""
    _, driver, session = call
    other = local_world.robot("r2", "owner")
    before = local_world.stored()

    refused = [
        other.refused(type="answer", sdp="a", sessionId=session),
        other.refused(type="answer", sdp="a", clientConnectionId=driver.connection_id),
        other.refused(type="answer", sdp="a", to=driver.connection_id, target="client"),
        other.refused(type="answer", sdp="a", robotId="r1", to=driver.connection_id),
    ]

    assert refused == [(404, "no_session")] * 4
    assert (local_world.stored(), delivered(local_world)) == (before, [])


def test_a_session_together_with_another_robot_is_no_session(
    local_world: World, call: tuple[Peer, Peer, str]
) -> None:
    """`robotId` must be the session's own, even where the sender may use both."""
    robot, driver, session = call
    local_world.robot("r2", "owner")

    refused = [
        driver.refused(type="answer", sdp="a", sessionId=session, robotId="r2"),
        driver.refused(type="offer", sdp="a", sessionId=session, robotId="r2"),
        driver.refused(type="bye", sessionId=session, robotId="r2"),
        driver.refused(type="takeover", sessionId=session, robotId="r2"),
        robot.refused(type="answer", sdp="a", sessionId=session, robotId="r2"),
    ]

    assert refused == [(404, "no_session")] * 5
    assert delivered(local_world) == []


def test_a_session_id_that_is_nowhere_is_refused(call: tuple[Peer, Peer, str]) -> None:
    """An invented id, and the id that another connection would have."""
    robot, driver, _ = call
    stray = session_id(RobotId("r1"), ConnectionId("conn-9999="))

    refused = [
        peer.refused(type="ice-candidate", candidate="c", sessionId=session)
        for peer in (robot, driver)
        for session in (UNOWNED, stray)
    ]

    assert refused == [(404, "no_session")] * 4
    assert (robot.take(), driver.take()) == ([], [])


def test_target_must_agree_with_the_sender(call: tuple[Peer, Peer, str]) -> None:
    """A robot addresses a client, a client the robot; anything else is a mistake."""
    robot, driver, session = call

    refused = [
        robot.refused(type="answer", sdp="a", sessionId=session, target="robot"),
        driver.refused(type="answer", sdp="a", sessionId=session, target="client"),
        driver.refused(type="offer", sdp="a", robotId="r1", target="client"),
        driver.refused(type="bye", sessionId=session, target="client"),
    ]

    assert refused == [(400, "bad_message")] * 4
    assert (robot.take(), driver.take()) == ([], [])


FOR_STRANGERS: list[Frame] = [
    {"type": "offer", "sdp": "o"},
    {"type": "offer", "sdp": "o", "role": "viewer"},
    {"type": "answer", "sdp": "a"},
    {"type": "ice-candidate", "candidate": "c"},
    {"type": "bye"},
    {"type": "bye", "target": "client"},
    {"type": "answer", "sdp": "a", "target": "client"},
    {"type": "takeover"},
    {"type": "release-control"},
    {"type": "ping"},
    {"type": "unregister"},
]


@pytest.mark.parametrize("message", FOR_STRANGERS, ids=str)
@pytest.mark.parametrize("v1", [True, False])
def test_a_stranger_cannot_tell_a_robot_from_none(
    local_world: World, message: Frame, *, v1: bool
) -> None:
    """The answers about an owned robot and about one that does not exist are the same frame."""
    local_world.robot("r1", "owner")
    local_world.connect("owner").offer()
    stranger = local_world.connect("stranger", v1=v1)

    known, unknown = (
        {**stranger.ask(**message, robotId=robot), "robotId": ""} for robot in ("r1", "r9")
    )

    assert known == unknown
    assert known["type"] == "error"


@pytest.mark.parametrize("kind", ["offer", "answer", "ice-candidate", "bye", "resume", "ping"])
def test_a_stranger_learns_nothing_from_session_ids_either(local_world: World, kind: str) -> None:
    """A real session's id and an invented one are answered alike."""
    local_world.robot("r1", "owner")
    real = local_world.connect("owner").offer()["sessionId"]
    stranger = local_world.connect("stranger")

    answers: list[Any] = [
        {**stranger.ask(type=kind, sdp="x", candidate="c", sessionId=session), "robotId": ""}
        for session in (real, UNOWNED, UNOWNED.replace("r1", "r9"))
    ]

    assert answers == [answers[0]] * 3


def test_an_admin_may_know_that_a_robot_does_not_exist(local_world: World) -> None:
    """To an admin it is offline; there is nothing to hide."""
    boss = local_world.connect("boss", groups=["ADMIN"])

    assert boss.refused(type="offer", robotId="r9", sdp="o") == (404, "robot_offline")


def test_who_is_no_operator_any_more_relays_nothing(local_world: World) -> None:
    """Rights are judged on the item that a relay reads, not only when the session opened."""
    world = local_world
    robot = world.robot("r1", "owner")
    world.share("r1", "olga")
    olga = world.connect("olga")
    session = olga.offer()["sessionId"]
    robot.take()
    world.unshare("r1", "olga")

    refused = [
        olga.refused(type="ice-candidate", candidate="c", sessionId=session),
        olga.refused(type="offer", sdp="o", sessionId=session),
        olga.refused(type="release-control", robotId="r1"),
        world.connect("olga").refused(type="resume", sessionId=session),
    ]

    assert refused == [(403, "forbidden")] * 3 + [(404, "no_session")]
    assert robot.take() == []
