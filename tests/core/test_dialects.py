"""One message, four ways to read it: to a robot or to a client, in the seed dialect or in v1."""

import json
from typing import Any

import pytest
from msgspec import structs

from signaling.core.dialects import (
    RELAYS,
    relayed_to_client,
    relayed_to_robot,
    takeover_notice,
    unless_seed,
)
from signaling.core.records import Robot, Session
from signaling.wire.frames import Control, encode
from signaling.wire.ids import ConnectionId, RobotId, UserId, session_id
from signaling.wire.messages import Answer, IceCandidate, Offer

R1, CLIENT = RobotId("r1"), ConnectionId("client=")
SESSION = session_id(R1, CLIENT)
HELD = Session(
    session_id=SESSION,
    user_id=UserId("ann"),
    name="Ann",
    connection_id=CLIENT,
    connected_at=1,
    dialect="v1",
    expires_at=2,
    until=3,
)
ROBOT = Robot(
    robot_id=R1,
    owner_user_id=UserId("bob"),
    connection_id=ConnectionId("robot="),
    dialect="v1",
    epoch=7,
    controller=HELD,
)
SEED_ROBOT = structs.replace(ROBOT, dialect="seed")
SEED_HELD = structs.replace(HELD, dialect="seed")
OFFER = Offer(payload={"sdp": "v=0", "x": 1}, pc_id="pc1", seq=4, id="mine", to="r1")


def read(frame: Any) -> dict[str, Any]:
    """Return a frame as its receiver decodes it."""
    decoded: dict[str, Any] = json.loads(encode(frame))
    return decoded


def test_a_v1_robot_reads_who_sends_and_at_which_epoch() -> None:
    """The person, the role, the epoch; neither the sender's id nor how it addressed."""
    assert read(relayed_to_robot(ROBOT, HELD, "controller", OFFER)) == {
        "type": "offer",
        "robotId": "r1",
        "sessionId": SESSION,
        "person": {"userId": "ann", "name": "Ann"},
        "role": "controller",
        "epoch": 7,
        "pcId": "pc1",
        "seq": 4,
        "payload": {"sdp": "v=0", "x": 1},
    }


def test_a_v1_client_reads_no_person() -> None:
    """A robot is no user."""
    frame = read(relayed_to_client(ROBOT, HELD, "controller", Answer(payload={"sdp": "v=0"})))

    assert frame == {
        "type": "answer",
        "robotId": "r1",
        "sessionId": SESSION,
        "role": "controller",
        "epoch": 7,
        "payload": {"sdp": "v=0"},
    }


@pytest.mark.parametrize("holder", [None, structs.replace(HELD, session_id="r1:other")])
def test_only_frames_of_the_holder_bear_the_epoch(holder: Session | None) -> None:
    """A viewer's commands must pass no fence."""
    robot = structs.replace(ROBOT, controller=holder)

    assert "epoch" not in read(relayed_to_robot(robot, HELD, "viewer", OFFER))


def test_a_seed_robot_reads_the_payload_twice_and_where_to_answer() -> None:
    """`from` is the return address, the client's connection; nothing that it does not know."""
    assert read(relayed_to_robot(SEED_ROBOT, HELD, "controller", OFFER)) == {
        "type": "offer",
        "robotId": "r1",
        "from": CLIENT,
        "to": "r1",
        "clientConnectionId": CLIENT,
        "payload": {"sdp": "v=0", "x": 1},
        "sdp": "v=0",
    }


def test_a_seed_client_reads_from_which_robot() -> None:
    """`from` is the robot, `to` and `clientConnectionId` itself."""
    message = IceCandidate(payload={"candidate": None}, word="candidate")

    assert read(relayed_to_client(SEED_ROBOT, SEED_HELD, "controller", message)) == {
        "type": "candidate",
        "robotId": "r1",
        "from": "r1",
        "to": CLIENT,
        "clientConnectionId": CLIENT,
        "payload": {"candidate": None},
        "candidate": None,
    }


@pytest.mark.parametrize(
    ("word", "sender", "expected"),
    [
        ("candidate", SEED_HELD, "candidate"),
        ("ice-candidate", SEED_HELD, "ice-candidate"),
        ("candidate", HELD, "ice-candidate"),
        ("ice-candidate", HELD, "ice-candidate"),
    ],
    ids=["seed, short", "seed, long", "v1, short", "v1, long"],
)
def test_between_seeds_a_candidate_keeps_its_word(
    word: str, sender: Session, expected: str
) -> None:
    """From a v1 sender it is always `ice-candidate`."""
    message = IceCandidate(payload={"candidate": "c"}, word=word)

    assert read(relayed_to_robot(SEED_ROBOT, sender, "controller", message))["type"] == expected


def test_a_v1_robots_candidate_reaches_a_seed_client_by_the_long_word() -> None:
    """The robot's dialect counts for what the robot sends."""
    message = IceCandidate(payload={"candidate": "c"}, word="candidate")

    frame = read(relayed_to_client(ROBOT, SEED_HELD, "controller", message))

    assert frame["type"] == "ice-candidate"


@pytest.mark.parametrize("kind", RELAYS)
def test_each_relayed_type_keeps_its_name(kind: type[Offer | Answer | IceCandidate]) -> None:
    """To a v1 receiver, whatever the sender called it."""
    message = kind(payload={"candidate": "c"})
    name = kind.__struct_config__.tag

    assert read(relayed_to_robot(ROBOT, HELD, "viewer", message))["type"] == name
    assert read(relayed_to_robot(SEED_ROBOT, HELD, "viewer", message))["type"] == name


def test_a_v1_robot_is_told_of_a_takeover_in_full() -> None:
    """By whom, by what right, which session drives, at which epoch."""
    assert read(takeover_notice(ROBOT, HELD, "owner")) == {
        "type": "takeover",
        "robotId": "r1",
        "by": {"userId": "ann", "name": "Ann"},
        "reason": "owner",
        "sessionId": SESSION,
        "epoch": 7,
    }


def test_a_seed_robot_is_told_of_a_takeover_as_the_seed_was() -> None:
    """The old type, and a user's id alone."""
    assert read(takeover_notice(SEED_ROBOT, HELD, "self")) == {
        "type": "admin-takeover",
        "robotId": "r1",
        "by": "ann",
    }


def test_a_seed_party_is_sent_nothing_unasked() -> None:
    """A robot or a client: either may stop at a frame that it does not know."""
    frame = Control(robot_id=R1, epoch=7)

    assert unless_seed(ROBOT, frame) is frame
    assert unless_seed(HELD, frame) is frame
    assert unless_seed(SEED_ROBOT, frame) is None
    assert unless_seed(SEED_HELD, frame) is None
