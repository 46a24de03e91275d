"""What honest people and robots send at once passes, to however many peers; floods do not."""

from collections import Counter
from typing import Any

import pytest

from robosignal.gateway.store import LocalStore
from robosignal.protocol.limits import BURST, PEER_BURST, USER_BURST, USER_UNITS_PER_SECOND
from robosignal.protocol.messages import MESSAGES
from robosignal.server.limits.limiter import UNITS, Buckets
from tests.tokens import signer
from tests.world import Peer, World

VIEWERS = 10
CANDIDATES = 50


@pytest.fixture
def limited() -> World:
    """A backend with the limits that ship; no time passes unless a test says so."""
    return World(LocalStore(None), signer(), limiter=Buckets())


def audience(world: World) -> dict[str, Peer]:
    """Return a driver and ten viewers by their sessions with the robot."""
    peers = [world.connect("owner") for _ in range(VIEWERS + 1)]
    roles = ["controller"] + ["viewer"] * VIEWERS
    return {
        peer.offer(role=role)["sessionId"]: peer for peer, role in zip(peers, roles, strict=True)
    }


def codes(sender: Peer, messages: list[dict[str, Any]]) -> Counter[str]:
    """Send all these at one moment, while it is open; return how often each answer came."""
    replies = [sender.send(id="q", **each) for each in messages if sender.is_open]
    return Counter(str(each.get("code", each["type"])) if each else "closed" for each in replies)


@pytest.mark.parametrize("spelling", ["sessionId", "clientConnectionId", "to"])
def test_a_robot_may_trickle_to_its_whole_audience_at_once(limited: World, spelling: str) -> None:
    """An answer and fifty candidates to each of eleven peers, in turn or one after the other."""
    robot = limited.robot()
    peers = audience(limited)
    named = [
        session if spelling == "sessionId" else peer.connection_id
        for session, peer in peers.items()
    ]
    answers = [{"type": "answer", spelling: each, "sdp": "a"} for each in named]
    candidates = [
        {"type": "ice-candidate", spelling: each, "candidate": f"c{number}"}
        for each in named
        for number in range(CANDIDATES)
    ]
    told = codes(robot, answers + candidates)
    heard = [Counter(peer.types()) for peer in peers.values()]

    assert told == {"ack": (VIEWERS + 1) * (1 + CANDIDATES)}
    assert all(each["answer"] == 1 and each["ice-candidate"] == CANDIDATES for each in heard)
    assert robot.is_open


def test_a_page_may_trickle_to_each_of_its_robots(limited: World) -> None:
    """Two robots, seventy candidates to each, at one moment."""
    robots = [limited.robot(each) for each in ("r1", "r2")]
    page = limited.connect("owner")
    sessions = [page.offer(each)["sessionId"] for each in ("r1", "r2")]
    for robot in robots:
        robot.take()
    said = [
        {"type": "ice-candidate", "sessionId": each, "candidate": "c"}
        for _ in range(70)
        for each in sessions
    ]

    assert codes(page, said) == {"ack": 140}
    assert [len(robot.take()) for robot in robots] == [70, 70]


def test_a_flood_to_one_peer_is_stopped(limited: World) -> None:
    """Its own burst and the connection's; the third second over them closes the socket."""
    limited.robot()
    page = limited.connect("owner")
    session = page.offer()["sessionId"]
    candidate = {"type": "ice-candidate", "sessionId": session, "candidate": "c"}

    first = codes(page, [candidate] * 1000)
    for _ in range(2):
        limited.pass_seconds(1)
        codes(page, [candidate] * 1000)

    assert first["ack"] == PEER_BURST + BURST - 1
    assert not page.is_open


def test_who_reaches_no_one_has_no_more_room_for_it(limited: World) -> None:
    """Candidates to made-up sessions are messages like others, each another peer or not."""
    limited.robot()
    page = limited.connect("owner")
    session = page.offer()["sessionId"]
    made_up = [
        {"type": "ice-candidate", "sessionId": f"r1:{number:022}", "candidate": "c"}
        for number in range(200)
    ]
    told = codes(page, made_up)
    page.ask(type="bye", sessionId=session)
    ended = codes(page, [{"type": "ice-candidate", "sessionId": session, "candidate": "c"}] * 50)

    assert told == {"no_session": BURST - 1, "rate_limited": 101}
    assert ended == {"no_session": 1, "rate_limited": 49}


@pytest.mark.parametrize("wrong", [{"robotId": "r2"}, {"target": "client"}])
def test_a_refusal_between_buys_no_room(limited: World, wrong: dict[str, str]) -> None:
    """One refused relay for each hundred: the peer gets what it would have got without them."""
    limited.robot()
    page = limited.connect("owner")
    candidate = {"type": "ice-candidate", "sessionId": page.offer()["sessionId"], "candidate": "c"}
    told = codes(page, [*[candidate] * PEER_BURST, candidate | wrong] * 10)

    assert PEER_BURST < told["ack"] < PEER_BURST + BURST


def spend(peer: Peer) -> None:
    """Use up the room for messages."""
    told = codes(peer, [{"type": "unwatch"}] * (BURST + 1))
    assert told["rate_limited"] > 0


def test_what_ends_or_renews_is_refused_for_no_other_message(limited: World) -> None:
    """A client over its limit still renews, releases, leaves, comes back."""
    robot = limited.robot()
    page = limited.connect("owner")
    session = page.offer()["sessionId"]
    newer = limited.connect("owner")
    for each in (robot, page, newer):
        spend(each)

    assert robot.ask(type="ping", robotId="r1")["type"] == "pong"
    assert page.ask(type="ping", sessionId=session)["type"] == "pong"
    assert page.ask(type="release-control", robotId="r1")["type"] == "ack"
    assert newer.ask(type="resume", sessionId=session)["type"] == "ack"
    assert newer.ask(type="bye", sessionId=session)["type"] == "ack"
    assert robot.ask(type="register", robotId="r1", instanceId="run-0001")["type"] == "registered"
    assert robot.ask(type="unregister", robotId="r1")["type"] == "ack"


def test_pings_are_refused_for_their_own_number_and_keep_no_bye_out(limited: World) -> None:
    """Each kind has a rate of its own, so a page that pings too often can still leave."""
    limited.robot()
    page = limited.connect("owner")
    session = page.offer()["sessionId"]
    told = codes(page, [{"type": "ping", "sessionId": session}] * 150)

    assert told == {"pong": BURST, "rate_limited": 50}
    assert page.ask(type="bye", sessionId=session)["type"] == "ack"


def test_all_connections_of_a_user_have_one_bucket_of_units(limited: World) -> None:
    """Sixty that ask for lists, each within its own limit, get no more than one may."""
    pages = [limited.connect("mallory") for _ in range(60)]
    neighbour = limited.connect("ann")
    told = Counter[str]()
    for page in pages:
        told += codes(page, [{"type": "robots"}] * 40)

    assert told["robots"] == USER_BURST // UNITS[MESSAGES["robots"]]
    assert neighbour.ask(type="robots")["type"] == "robots"


@pytest.mark.parametrize("said", [{"type": "robots"}, {"type": "takeover", "robotId": "r1"}])
def test_below_fifty_messages_a_second_no_user_is_refused_for_the_rate(
    limited: World, said: dict[str, str]
) -> None:
    """From however many connections, and for as long as they like."""
    limited.robot()
    pages = [limited.connect("owner") for _ in range(49)]
    told = Counter[str]()
    for _ in range(120):
        for page in pages:
            told += codes(page, [said])
        limited.pass_seconds(1)

    assert told["rate_limited"] == 0
    assert 49 * max(UNITS.values()) < USER_UNITS_PER_SECOND


def test_a_user_over_the_limit_is_cut_off_as_a_connection_is(limited: World) -> None:
    """Connections are closed by their third strike, until the rest keep within the limit."""
    pages = [limited.connect("mallory") for _ in range(60)]
    for _ in range(12):
        for page in pages:
            codes(page, [{"type": "robots"}] * 40)
        limited.pass_seconds(1)

    assert sum(page.is_open for page in pages) <= 1
