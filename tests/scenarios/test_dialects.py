"""Two dialects in one conversation: each end reads its own."""

import pytest

from tests.scenarios.seed import as_client_reads, as_robot_reads
from tests.world import Peer, World

SDP = "v=0\r\n"


def test_a_seed_client_drives_a_v1_robot(local_world: World) -> None:
    """The offer comes in v1, with session and epoch; the answer goes back as the seed's."""
    robot = local_world.robot("r1", "owner")
    client = local_world.connect("owner", v1=False)
    client.send(type="offer", to="r1", sdp=SDP)
    (offer,) = robot.take()

    robot.ask(type="answer", sessionId=offer["sessionId"], payload={"sdp": SDP})
    robot.ask(type="ice-candidate", sessionId=offer["sessionId"], payload={"candidate": "c"})

    assert offer == {
        "type": "offer",
        "robotId": "r1",
        "sessionId": offer["sessionId"],
        "person": {"userId": "owner", "name": "Owner"},
        "role": "controller",
        "epoch": 2,
        "right": {"drive": True, "owner": True, "rightSeconds": client.seconds_left},
        "payload": {"type": "offer", "sdp": SDP},
    }
    assert client.take() == [
        as_client_reads(client, "answer", sdp=SDP),
        as_client_reads(client, "candidate", candidate={"candidate": "c", "sdpMLineIndex": 0}),
    ]


REFUSAL = {"type": "error", "code": "too_large", "message": "offer fewer tracks"}


def test_a_robot_that_refuses_an_offer_tells_its_client_and_leaves_it_the_lease(
    local_world: World,
) -> None:
    """In an answer that holds the reason; session, epoch and holder are as before."""
    robot = local_world.robot("r1", "owner")
    client = local_world.connect("owner")
    session = client.offer("r1")["sessionId"]
    before = local_world.item()
    robot.ask(type="answer", sessionId=session, pcId="pc-1", payload=REFUSAL)
    (refusal,) = client.take()

    assert (refusal["type"], refusal["sessionId"], refusal["payload"]) == (
        "answer",
        session,
        REFUSAL,
    )
    assert local_world.item() == before


@pytest.mark.parametrize("payload", [REFUSAL, {"type": "error"}, {"type": "error", "code": 7}])
def test_a_seed_page_reads_a_robots_refusal_as_it_reads_the_servers(
    local_world: World, payload: dict[str, object]
) -> None:
    """Its page would fail on an answer without a description, and show nothing."""
    robot = local_world.robot("r1", "owner")
    client = local_world.connect("owner", v1=False)
    client.send(type="offer", to="r1", sdp=SDP)
    (offer,) = robot.take()
    robot.ask(type="answer", sessionId=offer["sessionId"], payload=payload)
    (told,) = client.take()

    assert (told["type"], set(told)) == ("error", {"type", "error", "message"})
    if payload == REFUSAL:
        assert (told["error"], told["message"]) == ("too_large", "offer fewer tracks")


def test_a_v1_client_drives_a_seed_robot(local_world: World, seed_robot: Peer) -> None:
    """The offer comes as the seed's; the answer goes back in v1, in the session."""
    client = local_world.connect("owner")
    had = client.offer(payload={"sdp": SDP}, pcId="pc1", seq=1)

    seed_robot.send(type="answer", to=client.connection_id, sdp=SDP)

    assert seed_robot.take() == [as_robot_reads(client, "offer", sdp=SDP)]
    assert client.take() == [
        {
            "type": "answer",
            "robotId": "r1",
            "sessionId": had["sessionId"],
            "role": "controller",
            "epoch": had["epoch"],
            "payload": {"type": "answer", "sdp": SDP},
        }
    ]


def test_a_v1_senders_candidate_is_a_whole_object_to_a_seed_robot(
    local_world: World, seed_robot: Peer
) -> None:
    """By the one word that the robot knows, however a v1 sender spells it."""
    client = local_world.connect("owner")
    client.offer()
    seed_robot.take()

    client.send(type="candidate", robotId="r1", candidate="c")

    read = {"candidate": "c", "sdpMLineIndex": 0}
    assert seed_robot.take() == [as_robot_reads(client, "candidate", candidate=read)]


def test_a_seed_robot_still_reaches_a_client_that_has_redialed(
    local_world: World, seed_robot: Peer
) -> None:
    """It goes on naming the connection that the offer came from."""
    old = local_world.connect("owner")
    session = old.offer()["sessionId"]
    new = local_world.connect("owner")
    new.ask(type="resume", sessionId=session)

    seed_robot.send(type="candidate", to=old.connection_id, candidate="c")

    assert (old.frames, new.types()) == ([], ["ice-candidate"])


def test_a_seed_viewer_of_a_v1_robot_is_told_nothing_but_relays(local_world: World) -> None:
    """A takeover beside it sends it no `control`."""
    world = local_world
    robot = world.robot("r1", "owner")
    viewer = world.connect("owner", v1=False)
    session = viewer.offer(role="viewer")["sessionId"]
    world.connect("boss", groups=["ADMIN"]).ask(type="takeover", robotId="r1")

    robot.ask(type="answer", sessionId=session, payload={"sdp": SDP})

    assert viewer.take() == [as_client_reads(viewer, "answer", sdp=SDP)]
