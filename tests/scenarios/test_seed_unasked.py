"""What a seed end is not sent: nothing unasked, and errors only with an id."""

import pytest

from tests.scenarios.seed import as_robot_reads
from tests.world import Frame, Peer, World

SDP = "v=0\r\n"


@pytest.mark.parametrize("v1", [False, True])
def test_a_takeover_tells_a_seed_robot_nothing(
    local_world: World, seed_robot: Peer, *, v1: bool
) -> None:
    """It would hear nothing after; nor do the taker and the displaced seed holder hear anything."""
    holder = local_world.connect("owner", v1=False)
    holder.send(type="offer", to="r1", sdp=SDP)
    seed_robot.take()
    admin = local_world.connect("boss", groups=["ADMIN"], v1=v1)

    admin.ask(type="takeover", robotId="r1")

    holder_now = local_world.item().controller
    assert holder_now is not None
    assert holder_now.connection_id == admin.connection_id
    assert (seed_robot.frames, holder.frames, admin.frames) == ([], [], [])


def test_a_taker_finds_a_seed_robot_gone_with_the_offer(
    local_world: World, seed_robot: Peer
) -> None:
    """Nothing was sent to it before that: the offer is refused, and the robot is offline."""
    admin = local_world.connect("boss", groups=["ADMIN"])
    seed_robot.vanish()

    taken = admin.ask(type="takeover", robotId="r1")
    refused = admin.refused(type="offer", robotId="r1", payload={"sdp": SDP})

    assert (taken["type"], refused) == ("ack", (404, "robot_offline"))
    assert local_world.item().connection_id is None


def test_a_seed_driver_who_took_over_negotiates_with_its_next_offer(
    local_world: World, seed_robot: Peer
) -> None:
    """The offer after a takeover is in the taker's own session."""
    local_world.connect("owner", v1=False).send(type="offer", to="r1", sdp=SDP)
    admin = local_world.connect("boss", groups=["ADMIN"], v1=False)
    admin.send(type="takeover", robotId="r1")
    seed_robot.take()

    admin.send(type="offer", to="r1", sdp=SDP)

    assert seed_robot.take() == [as_robot_reads(admin, "offer", sdp=SDP)]


def test_nothing_unasked_reaches_a_seed_connection(local_world: World, seed_robot: Peer) -> None:
    """Release, bye, restart, redial, a changed lease: no seed end hears of any."""
    world = local_world
    client = world.connect("owner", v1=False)
    client.send(type="offer", to="r1", sdp=SDP)
    client.send(type="bye", robotId="r1")
    client.send(type="offer", to="r1", sdp=SDP)
    seed_robot.send(type="bye", to=client.connection_id)
    client.send(type="offer", to="r1", sdp=SDP)
    seed_robot.send(type="unregister", robotId="r1")
    world.robot("r1", "owner", v1=False)

    assert client.frames == []
    assert set(seed_robot.types()) == {"offer"}


OFFERS: list[tuple[Frame, str]] = [
    ({"type": "offer", "robotId": "r1"}, "bad_message"),
    ({"type": "OFFER", "to": "r1", "sdp": "x" * 50_000}, "too_large"),
    ({"type": "offer", "to": "no such id", "sdp": SDP}, "bad_message"),
    ({"type": "offer", "robotId": "r9", "sdp": SDP}, "forbidden"),
    ({"type": "takeover", "robotId": "r9"}, "forbidden"),
    ({"type": "release-control", "robotId": "r1"}, "no_session"),
    ({"type": "watch"}, "forbidden"),
]


@pytest.mark.parametrize(("message", "code"), OFFERS, ids=str)
def test_a_seed_page_is_told_why_it_was_refused(
    seed_robot: Peer, seed_client: Peer, message: Frame, code: str
) -> None:
    """Unasked, in the seed's words, whatever only a page sends: it waits for nothing then."""
    told = seed_client.send(**message)
    with_id = seed_client.ask(**message)

    assert told == {"type": "error", "error": code, "message": with_id["message"]}
    assert with_id["code"] == code
    assert (seed_client.frames, seed_robot.frames) == ([], [])


def test_a_seed_page_reads_that_the_robot_is_offline(seed_robot: Peer, seed_client: Peer) -> None:
    """Whether that is known before or found out with the offer."""
    seed_robot.vanish()

    found = seed_client.send(type="offer", to="r1", sdp=SDP)
    known = seed_client.send(type="offer", to="r1", sdp=SDP)

    assert [each and each["error"] for each in (found, known)] == ["robot_offline"] * 2


@pytest.mark.parametrize(("user", "shown"), [("owner", "Owner"), ("boss", "Boss")])
def test_a_seed_page_is_told_who_has_locked_the_robot(
    local_world: World, seed_robot: Peer, seed_client: Peer, *, user: str, shown: str
) -> None:
    """By name, also when it is the page's own user elsewhere; the robot is told nothing."""
    groups = ["ADMINS"] if user == "boss" else []
    local_world.connect(user, groups=groups).offer()
    seed_robot.take()

    told = seed_client.send(type="offer", to="r1", sdp=SDP)

    assert told == {"type": "session-locked", "robotId": "r1", "lockedBy": shown}
    assert seed_robot.frames == []


ERRORS: list[Frame] = [
    {"type": "answer", "robotId": "r1", "sdp": SDP},
    {"type": "candidate", "to": "r1", "candidate": 7},
    {"type": "candidate", "to": "r9", "candidate": "c"},
    {"type": "bye", "robotId": "r1"},
    {"type": "nonsense"},
    {"type": "register", "robotId": "no such id"},
    {"type": "register", "robotId": "r1", "metadata": 7},
    {"type": "unregister", "robotId": "r9"},
]


@pytest.mark.parametrize("message", ERRORS, ids=str)
def test_what_a_robot_may_send_as_well_is_refused_in_silence(
    seed_robot: Peer, seed_client: Peer, message: Frame
) -> None:
    """With the status for the log; with an id, one error frame as the reply."""
    silent = seed_client.send(**message)
    status = seed_client.status
    told = seed_client.ask(**message)

    assert silent is None
    assert status == seed_client.status >= 400
    assert told["type"] == "error"
    assert (seed_client.frames, seed_robot.frames) == ([], [])


@pytest.mark.parametrize("message", [*ERRORS, *(each for each, _ in OFFERS)], ids=str)
def test_a_seed_robot_is_told_of_no_refusal(
    local_world: World, seed_robot: Peer, message: Frame
) -> None:
    """Whatever it sends without an id: it stops reading at what it does not know."""
    local_world.robot("r2", "owner")

    reply = seed_robot.send(**message)

    assert reply is None
    assert seed_robot.status >= 400
    assert seed_robot.frames == []


def test_a_seed_robot_that_may_not_register_is_told_nothing(
    local_world: World, seed_robot: Peer
) -> None:
    """It is no robot yet, and no page either."""
    other = local_world.connect("stranger", v1=False)

    reply = other.send(type="register", **{"from": "r1"})

    assert (reply, other.status, other.frames, seed_robot.frames) == (None, 409, [], [])


def test_a_seed_connection_gets_the_replies_that_it_asks_for(local_world: World) -> None:
    """`ready`, `ping`, `ice-servers` and `robots` are answered even without an id."""
    client = local_world.connect("owner", v1=False)

    replies = [client.send(type=kind) for kind in ("ready", "ping", "ice-servers", "robots")]

    assert [reply and reply["type"] for reply in replies] == [
        "welcome",
        "pong",
        "ice-servers",
        "robots",
    ]


def test_a_seed_register_with_an_id_is_answered(local_world: World) -> None:
    """A robot that gives an id knows what `registered` is."""
    robot = local_world.connect("owner", v1=False)

    reply = robot.ask(type="register", robotId="r1")

    assert (reply["type"], reply["control"]) == ("registered", {"epoch": 1})
