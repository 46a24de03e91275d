"""One message, four ways to read it: to a robot or to a client, in the seed dialect or in v1."""

import json
from typing import Any

import pytest
from msgspec import structs

from robosignal.protocol.errors import BadMessage
from robosignal.protocol.frames import Control, Right, encode
from robosignal.protocol.ids import ConnectionId, RobotId, UserId, session_id
from robosignal.protocol.messages import Answer, IceCandidate, Offer
from robosignal.server.core.dialects import (
    RELAYS,
    takeover_frame,
    translate_for_client,
    translate_for_robot,
)
from robosignal.server.core.notices import Notice, notices_to
from robosignal.server.core.records import Robot, Session

R1, CLIENT = RobotId("r1"), ConnectionId("client=")
SESSION = session_id(R1, CLIENT)
HELD = Session(
    session_id=SESSION,
    user_id=UserId("ann"),
    name="Ann",
    connection_id=CLIENT,
    connected_at=1,
    dialect="v1",
    expires_at=62_999,
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
RIGHT = Right(drive=True, owner=False, right_seconds=59)
OFFER = Offer(payload={"sdp": "v=0", "x": 1}, pc_id="pc1", seq=4, id="mine", to="r1")


def read(frame: Any) -> dict[str, Any]:
    """Return a frame as its receiver decodes it."""
    decoded: dict[str, Any] = json.loads(encode(frame))
    return decoded


def test_a_v1_robot_reads_who_sends_and_at_which_epoch() -> None:
    """The person, the role, the epoch; neither the sender's id nor how it addressed."""
    assert read(translate_for_robot(ROBOT, HELD, "controller", OFFER)) == {
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
    frame = read(translate_for_client(ROBOT, HELD, "controller", Answer(payload={"sdp": "v=0"})))

    assert frame == {
        "type": "answer",
        "robotId": "r1",
        "sessionId": SESSION,
        "role": "controller",
        "epoch": 7,
        "payload": {"sdp": "v=0"},
    }


def test_a_v1_robot_reads_what_an_offers_sender_may_do() -> None:
    """The right is in offers alone, and a seed robot's stay as they are."""
    candidate = IceCandidate(payload={"candidate": "c"})
    offers = [
        read(translate_for_robot(robot, HELD, "controller", OFFER, RIGHT))
        for robot in (ROBOT, SEED_ROBOT)
    ]

    assert offers[0]["right"] == {"drive": True, "owner": False, "rightSeconds": 59}
    assert offers[1] == read(translate_for_robot(SEED_ROBOT, HELD, "controller", OFFER))
    assert "right" not in read(translate_for_robot(ROBOT, HELD, "viewer", candidate, RIGHT))


@pytest.mark.parametrize("holder", [None, structs.replace(HELD, session_id="r1:other")])
def test_only_frames_of_the_holder_bear_the_epoch(holder: Session | None) -> None:
    """A viewer's commands must pass no fence."""
    robot = structs.replace(ROBOT, controller=holder)

    assert "epoch" not in read(translate_for_robot(robot, HELD, "viewer", OFFER))


def test_a_seed_robot_reads_the_payload_twice_and_where_to_answer() -> None:
    """`from` is the return address, the client's connection; nothing that it does not know."""
    assert read(translate_for_robot(SEED_ROBOT, HELD, "controller", OFFER)) == {
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

    assert read(translate_for_client(SEED_ROBOT, SEED_HELD, "controller", message)) == {
        "type": "candidate",
        "robotId": "r1",
        "from": "r1",
        "to": CLIENT,
        "clientConnectionId": CLIENT,
        "payload": {"candidate": {"candidate": "", "sdpMLineIndex": 0}},
        "candidate": {"candidate": "", "sdpMLineIndex": 0},
    }


@pytest.mark.parametrize(
    ("word", "sender", "expected"),
    [
        ("candidate", SEED_HELD, "candidate"),
        ("ice-candidate", SEED_HELD, "ice-candidate"),
        ("candidate", HELD, "candidate"),
        ("ice-candidate", HELD, "candidate"),
    ],
    ids=["seed, short", "seed, long", "v1, short", "v1, long"],
)
def test_between_seeds_a_candidate_keeps_its_word(
    word: str, sender: Session, expected: str
) -> None:
    """From a v1 sender it is `candidate`, the only word that the seed's own robots know."""
    message = IceCandidate(payload={"candidate": "c"}, word=word)

    assert read(translate_for_robot(SEED_ROBOT, sender, "controller", message))["type"] == expected


def test_a_v1_robots_candidate_reaches_a_seed_client_by_the_short_word() -> None:
    """The robot's dialect counts for what the robot sends."""
    message = IceCandidate(payload={"candidate": "c"}, word="ice-candidate")

    frame = read(translate_for_client(ROBOT, SEED_HELD, "controller", message))

    assert frame["type"] == "candidate"


INIT = {"candidate": "candidate:1", "sdpMid": "0", "sdpMLineIndex": 0, "usernameFragment": "u"}
BARE = {"candidate": "candidate:1"}
FIRST = {"candidate": "candidate:1", "sdpMLineIndex": 0}
LAST = {"candidate": "", "sdpMLineIndex": 0}
SECOND = {"candidate": "candidate:1", "sdpMid": "1"}
SECOND_LAST = {"candidate": "", "sdpMid": "1"}
SHAPES: dict[str, tuple[dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    # What was sent, what a v1 receiver reads of a seed's, and what a seed receiver reads.
    "text with its section": (INIT, INIT, INIT),
    "text alone": (BARE, FIRST, FIRST),
    "an object": ({"candidate": INIT}, INIT, INIT),
    "an object without a section": ({"candidate": BARE}, FIRST, FIRST),
    "an object beside its section": ({"candidate": BARE, "sdpMid": "1"}, SECOND, SECOND),
    "null": ({"candidate": None}, {"candidate": ""}, LAST),
    "an empty text": ({"candidate": ""}, {"candidate": ""}, LAST),
    "an empty text of a section": (SECOND_LAST, SECOND_LAST, SECOND_LAST),
    "an object that ends them": ({"candidate": {"candidate": ""}}, {"candidate": ""}, LAST),
    "an object with null": ({"candidate": {"candidate": None}}, {"candidate": ""}, LAST),
    "an empty object": ({"candidate": {}}, {"candidate": ""}, LAST),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_candidate_of_any_shape_is_a_whole_object_to_a_seed_receiver(shape: str) -> None:
    """At top level and in the payload, from either dialect, and both ways."""
    payload, _, expected = SHAPES[shape]
    message = IceCandidate(payload=payload, word="candidate")
    frames = [
        translate_for_robot(SEED_ROBOT, HELD, "controller", message),
        translate_for_robot(SEED_ROBOT, SEED_HELD, "controller", message),
        translate_for_client(ROBOT, SEED_HELD, "controller", message),
        translate_for_client(SEED_ROBOT, SEED_HELD, "controller", message),
    ]

    for frame in map(read, frames):
        assert frame["candidate"] == expected
        assert frame["payload"] == {"candidate": expected}


@pytest.mark.parametrize("shape", SHAPES)
def test_a_seeds_candidate_of_any_shape_is_a_flat_payload_to_a_v1_receiver(shape: str) -> None:
    """What `addIceCandidate` takes; what a v1 sender says passes as it came."""
    payload, expected, _ = SHAPES[shape]
    message = IceCandidate(payload=payload, word="candidate")

    assert read(translate_for_robot(ROBOT, SEED_HELD, "viewer", message))["payload"] == expected
    assert read(translate_for_client(SEED_ROBOT, HELD, "viewer", message))["payload"] == expected
    assert read(translate_for_robot(ROBOT, HELD, "viewer", message))["payload"] == payload
    assert read(translate_for_client(ROBOT, HELD, "viewer", message))["payload"] == payload


@pytest.mark.parametrize(
    "payload", [{"x": 1}, {"candidate": 7}, {"candidate": {"candidate": {}}}], ids=str
)
def test_what_holds_no_candidate_is_refused_before_it_reaches_another_dialect(
    payload: dict[str, Any],
) -> None:
    """A seed robot stops reading at it; between v1 ends it is theirs to judge."""
    message = IceCandidate(payload=payload, word="candidate")

    with pytest.raises(BadMessage, match="candidate"):
        translate_for_robot(SEED_ROBOT, HELD, "controller", message)
    with pytest.raises(BadMessage, match="candidate"):
        translate_for_client(SEED_ROBOT, HELD, "controller", message)
    assert read(translate_for_robot(ROBOT, HELD, "viewer", message))["payload"] == payload


@pytest.mark.parametrize(
    "payload",
    [
        {"sdp": "v=0"},
        {"type": None, "sdp": "v=0"},
        {"sdp": {"type": "answer", "sdp": "v=0"}},
        {"sdp": {"sdp": "v=0"}},
    ],
    ids=str,
)
def test_a_seeds_description_reaches_a_v1_receiver_with_its_type(payload: dict[str, Any]) -> None:
    """The frame's type is the description's, where the seed gives none of its own."""
    answer, offer = Answer(payload=payload), Offer(payload={"sdp": "v=0"})

    to_client = read(translate_for_client(SEED_ROBOT, HELD, "controller", answer))
    to_robot = read(translate_for_robot(ROBOT, SEED_HELD, "controller", offer))

    assert to_client["payload"] == {"type": "answer", "sdp": "v=0"}
    assert to_robot["payload"] == {"type": "offer", "sdp": "v=0"}


def test_a_description_in_an_object_is_text_to_a_seed_receiver() -> None:
    """The seed's robots and pages read `sdp` as text, at top level."""
    offer = Offer(payload={"sdp": {"type": "offer", "sdp": "v=0"}})

    assert read(translate_for_robot(SEED_ROBOT, HELD, "controller", offer))["sdp"] == "v=0"


@pytest.mark.parametrize("kind", RELAYS)
def test_each_relayed_type_keeps_its_name(kind: type[Offer | Answer | IceCandidate]) -> None:
    """To a v1 receiver, whatever the sender called it."""
    message = kind(payload={"candidate": "c"})
    name = kind.__struct_config__.tag

    assert read(translate_for_robot(ROBOT, HELD, "viewer", message))["type"] == name
    seeds = "candidate" if kind is IceCandidate else name
    assert read(translate_for_robot(SEED_ROBOT, HELD, "viewer", message))["type"] == seeds


def test_a_v1_robot_is_told_of_a_takeover_in_full() -> None:
    """By whom, by what right, how long that lasts, which session drives, at which epoch."""
    assert read(takeover_frame(ROBOT, HELD, "owner", 3_000)) == {
        "type": "takeover",
        "robotId": "r1",
        "by": {"userId": "ann", "name": "Ann"},
        "reason": "owner",
        "sessionId": SESSION,
        "epoch": 7,
        "rightSeconds": 59,
    }


def test_a_seed_robot_is_told_nothing_of_a_takeover() -> None:
    """It would hear nothing after that: it knows offers and candidates alone."""
    assert takeover_frame(SEED_ROBOT, HELD, "self", 3_000) is None


def test_a_seed_party_is_sent_nothing_unasked() -> None:
    """A robot or a client: either may stop at a frame that it does not know."""
    frame = Control(robot_id=R1, epoch=7)

    assert notices_to(ROBOT, frame) == [Notice(ROBOT, frame)]
    assert notices_to(HELD, frame) == [Notice(HELD, frame)]
    assert notices_to(SEED_ROBOT, frame) == []
    assert notices_to(SEED_HELD, frame) == []
