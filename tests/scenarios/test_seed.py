"""The seed conversation, in every spelling: a seed robot and a seed client understand each other.

Frames are compared whole: a seed library may stop at the first thing that it does not know.
"""

from typing import Any

import pytest

from tests.scenarios.seed import as_client_reads, as_robot_reads
from tests.world import Frame, Peer, World

SDP = "v=0\r\n"


@pytest.mark.parametrize("name", [{"robotId": "r1"}, {"from": "r1"}], ids=str)
@pytest.mark.parametrize("kind", ["register", "REGISTER", "Register"])
def test_a_seed_robot_registers_without_a_word(local_world: World, name: Frame, kind: str) -> None:
    """In either spelling, and in any case of letters; nothing is replied without an id."""
    robot = local_world.connect("owner", v1=False)

    reply = robot.send(type=kind, **name)

    assert (reply, robot.status, robot.frames) == (None, 200, [])
    assert local_world.item().connection_id == robot.connection_id


OFFERS: list[Frame] = [
    {"type": kind, **where, **body, **target}
    for kind in ("offer", "OFFER")
    for where in ({"to": "r1"}, {"robotId": "r1"})
    for body in ({"payload": {"sdp": SDP}}, {"sdp": SDP})
    for target in ({}, {"target": "robot"})
]


@pytest.mark.parametrize("offer", OFFERS, ids=str)
def test_an_offer_in_any_spelling_reaches_the_robot_in_both(
    seed_robot: Peer, seed_client: Peer, offer: Frame
) -> None:
    """`from` is the return address; the payload is there wrapped and at top level."""
    reply = seed_client.send(**offer)

    assert (reply, seed_client.status) == (None, 200)
    assert seed_robot.take() == [as_robot_reads(seed_client, "offer", sdp=SDP)]
    assert seed_client.frames == []


@pytest.mark.parametrize("body", [{"payload": {"sdp": SDP}}, {"sdp": SDP}], ids=["wrapped", "top"])
@pytest.mark.parametrize("address", ["to", "clientConnectionId"])
@pytest.mark.parametrize("more", [{}, {"target": "client"}, {"robotId": "r1"}], ids=str)
def test_an_answer_in_any_spelling_comes_back_to_the_client(
    seed_robot: Peer, seed_client: Peer, body: Frame, address: str, more: Frame
) -> None:
    """The robot names the connection that the offer came from."""
    seed_client.send(type="offer", robotId="r1", sdp=SDP)
    (offer,) = seed_robot.take()

    reply = seed_robot.send(type="Answer", **{address: offer["from"]}, **body, **more)

    assert (reply, seed_robot.status) == (None, 200)
    assert seed_client.take() == [as_client_reads(seed_client, "answer", sdp=SDP)]
    assert seed_robot.frames == []


CANDIDATES: list[tuple[Any, Frame]] = [
    ("candidate:1", {"candidate": "candidate:1", "sdpMLineIndex": 0}),
    *[({"candidate": "candidate:1", "sdpMid": "0"},) * 2],
    (None, {"candidate": "", "sdpMLineIndex": 0}),
    ("", {"candidate": "", "sdpMLineIndex": 0}),
]
SHAPES = ["text", "object", "null", "empty"]


@pytest.mark.parametrize(("candidate", "read"), CANDIDATES, ids=SHAPES)
@pytest.mark.parametrize("kind", ["candidate", "CANDIDATE"])
@pytest.mark.parametrize("wrapped", [True, False])
def test_a_candidate_in_any_spelling_arrives_as_an_object(
    seed_robot: Peer, seed_client: Peer, candidate: Any, read: Frame, kind: str, *, wrapped: bool
) -> None:
    """Both ways, the last one too: a robot of the seed's stops reading at any other."""
    body: Frame = {"payload": {"candidate": candidate}} if wrapped else {"candidate": candidate}
    seed_client.send(type="offer", robotId="r1", sdp=SDP)
    seed_robot.take()

    seed_client.send(type=kind, to="r1", **body)
    seed_robot.send(type=kind, to=seed_client.connection_id, **body)

    assert seed_robot.take() == [as_robot_reads(seed_client, "candidate", candidate=read)]
    assert seed_client.take() == [as_client_reads(seed_client, "candidate", candidate=read)]


@pytest.mark.parametrize("candidate", [each for each, _ in CANDIDATES], ids=SHAPES)
@pytest.mark.parametrize("kind", ["ice-candidate", "ICE-Candidate"])
@pytest.mark.parametrize("wrapped", [True, False])
def test_a_candidate_by_the_long_word_passes_between_seeds_as_it_came(
    seed_robot: Peer, seed_client: Peer, candidate: Any, kind: str, *, wrapped: bool
) -> None:
    """Both ways, with that word in lower case: who says it, knows it."""
    body: Frame = {"payload": {"candidate": candidate}} if wrapped else {"candidate": candidate}
    seed_client.send(type="offer", robotId="r1", sdp=SDP)
    seed_robot.take()

    seed_client.send(type=kind, to="r1", **body)
    seed_robot.send(type=kind, to=seed_client.connection_id, **body)

    word = kind.lower()
    assert seed_robot.take() == [as_robot_reads(seed_client, word, candidate=candidate)]
    assert seed_client.take() == [as_client_reads(seed_client, word, candidate=candidate)]


def test_an_offer_without_a_description_is_refused_before_a_seed_robot_reads_it(
    local_world: World, seed_robot: Peer
) -> None:
    """The robot would stop reading; nothing is taken and nothing is sent."""
    before = local_world.item()
    client = local_world.connect("owner")

    assert client.refused(type="offer", robotId="r1", payload={"x": 1}) == (400, "bad_message")
    assert client.refused(type="offer", robotId="r1", payload={"sdp": 7}) == (400, "bad_message")
    assert seed_robot.frames == []
    assert local_world.item() == before


def test_a_payload_passes_untouched(seed_robot: Peer, seed_client: Peer) -> None:
    """Whatever else it holds is relayed; what is beside it is not."""
    body = {"sdp": SDP, "type": "offer", "restart": [1, None, {"x": 1.5}]}

    seed_client.send(type="offer", robotId="r1", payload=body, junk="x", userId="boss")

    (frame,) = seed_robot.take()
    assert frame == {**as_robot_reads(seed_client, "offer", sdp=SDP), "payload": body}


def test_a_candidate_that_overtakes_its_offer_is_relayed(
    seed_robot: Peer, seed_client: Peer
) -> None:
    """A seed client cannot hold its candidates: the robot keeps them by their sender."""
    seed_client.send(type="candidate", to="r1", candidate="c")
    seed_client.send(type="offer", to="r1", sdp=SDP)

    assert seed_robot.take() == [
        as_robot_reads(seed_client, "candidate", candidate={"candidate": "c", "sdpMLineIndex": 0}),
        as_robot_reads(seed_client, "offer", sdp=SDP),
    ]


def test_an_early_candidate_opens_no_session(
    local_world: World, seed_robot: Peer, seed_client: Peer
) -> None:
    """It changes nothing: the lease stays free."""
    before = local_world.stored()

    seed_client.send(type="candidate", to="r1", candidate="c")

    assert seed_robot.types() == ["candidate"]
    assert local_world.stored() == before


def test_an_early_candidate_to_a_v1_robot_has_the_session_that_will_open(
    local_world: World,
) -> None:
    """The robot finds it again when the offer comes, and does not obey its sender: no epoch."""
    robot = local_world.robot("r1", "owner")
    client = local_world.connect("owner", v1=False)
    client.send(type="candidate", to="r1", candidate="c")
    client.send(type="offer", to="r1", sdp=SDP)

    early, offer = robot.take()

    assert early == {
        "type": "ice-candidate",
        "robotId": "r1",
        "sessionId": offer["sessionId"],
        "person": {"userId": "owner", "name": "Owner"},
        "role": "controller",
        "payload": {"candidate": "c", "sdpMLineIndex": 0},
    }


def test_an_early_candidate_of_one_who_could_not_drive_now_is_refused(
    local_world: World, seed_robot: Peer
) -> None:
    """Somebody else holds; or the sender is a stranger; or a robot; or speaks v1."""
    holder = local_world.connect("owner", v1=False)
    holder.send(type="offer", to="r1", sdp=SDP)
    seed_robot.take()
    busy = local_world.connect("owner", v1=False)
    stranger = local_world.connect("stranger", v1=False)

    assert busy.refused(type="candidate", to="r1", candidate="c") == (404, "no_session")
    assert stranger.refused(type="candidate", to="r1", candidate="c") == (403, "forbidden")
    assert seed_robot.frames == []


def test_an_early_candidate_of_a_robots_is_refused(local_world: World, seed_robot: Peer) -> None:
    """A robot's connection cannot drive, so no offer of its will follow."""
    other = local_world.robot("r2", "owner", v1=False)

    refused = other.refused(type="candidate", robotId="r1", candidate="c")

    assert refused == (404, "no_session")
    assert seed_robot.frames == []


def test_an_early_candidate_of_a_v1_clients_is_refused(
    local_world: World, seed_robot: Peer
) -> None:
    """A v1 client holds its candidates until its offer's `ack`."""
    client = local_world.connect("owner")

    refused = client.refused(type="ice-candidate", robotId="r1", candidate="c")

    assert refused == (404, "no_session")
    assert seed_robot.frames == []
