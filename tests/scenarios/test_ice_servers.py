"""Who is given a password for the TURN servers, until when, and what anybody else is told."""

import pytest

from robosignal.server.ice.turn import TurnServers
from robosignal.server.ports import Store
from tests.scenarios.shares import shares
from tests.tokens import signer
from tests.world import ICE, Frame, Peer, World

TURN = "turn:turn.example"


@pytest.fixture
def world(store: Store) -> World:
    """A backend with TURN servers, on each store in turn."""
    return World(store, signer(), ice=TurnServers((TURN,), lambda _now: "north", ICE))


def given(reply: Frame) -> str | None:
    """Return the user name that a reply gives for the TURN servers; None for the others alone."""
    fixed, rest = reply["iceServers"][: len(ICE)], reply["iceServers"][len(ICE) :]
    assert fixed == ICE
    assert reply.get("turn", False) is (rest == [])
    return rest[0]["username"] if rest else None


def until(reply: Frame) -> int:
    """Return when the password ends, in epoch seconds."""
    return int((given(reply) or "0:").partition(":")[0])


def asked(peer: Peer, **more: str) -> Frame:
    """Ask for ICE servers and return the reply."""
    reply = peer.ask(type="ice-servers", **more)
    assert (peer.status, reply["type"]) == (200, "ice-servers")
    return reply


def test_a_stranger_is_given_no_password(world: World, robot: Peer) -> None:
    """Neither in the welcome, nor for a robot of another, nor for one that does not exist."""
    eve = world.connect("eve")
    welcome = eve.ask(type="ready")
    replies = [asked(eve), asked(eve, robotId="r1"), asked(eve, robotId="none")]

    assert [given(each) for each in (welcome, *replies)] == [None] * 4
    assert replies[1] == {**replies[2], "replyTo": replies[1]["replyTo"]}
    assert robot.frames == []


@pytest.mark.parametrize(
    ("user", "groups"), [("owner", []), ("friend", []), ("boss", ["ADMINS"])], ids=str
)
def test_who_may_watch_the_robot_is_given_one_before_the_offer(
    world: World, robot: Peer, user: str, groups: list[str]
) -> None:
    """Owner, operator and admin: without a session, since candidates are gathered before it."""
    assert robot.is_open
    shares(world.connect("owner"), "friend")
    peer = world.connect(user, groups=groups)

    assert given(peer.ask(type="ready")) is None
    assert given(asked(peer)) is None
    assert given(asked(peer, robotId="r1")) == f"{world.now // 1000 + 3600}:{user}"


def test_who_was_unshared_is_given_no_more(world: World, robot: Peer) -> None:
    """Not even for the session that they had."""
    assert robot.is_open
    owner, friend = world.connect("owner"), world.connect("friend")
    shares(owner, "friend")
    friend.offer()
    before = given(asked(friend))
    owner.ask(type="unshare", robotId="r1", userId="friend")

    assert before is not None
    assert (given(asked(friend)), given(asked(friend, robotId="r1"))) == (None, None)


def test_it_ends_with_the_share(world: World, robot: Peer) -> None:
    """As the password of whom the robot is shared with until then, as a viewer."""
    assert robot.is_open
    owner = world.connect("owner")
    until = world.now + 600_000
    owner.ask(type="share", robotId="r1", userId="friend", role="viewer", until=until)
    friend = world.connect("friend")
    offered = given(asked(friend, robotId="r1"))
    friend.ask(type="accept-share", robotId="r1")

    assert offered is None
    assert given(asked(friend, robotId="r1")) == f"{until // 1000}:friend"
    world.pass_seconds(601)
    assert given(asked(friend, robotId="r1")) is None


def test_a_session_counts_for_who_names_no_robot(world: World, robot: Peer) -> None:
    """As clients ask that know no better."""
    assert robot.is_open
    owner = world.connect("owner")
    before = given(asked(owner))
    owner.offer()

    assert (before, given(asked(owner))) == (None, f"{world.now // 1000 + 3600}:owner")


def test_a_robot_is_given_one_as_it_registers(world: World) -> None:
    """And a fresh one later, whether or not it names itself."""
    robot = world.connect("owner")
    before = [given(robot.ask(type="ready")), given(asked(robot))]
    registered = robot.ask(type="register", robotId="r1")

    assert before == [None, None]
    assert given(registered) is not None
    assert given(asked(robot)) == given(asked(robot, robotId="r1")) == given(registered)


def test_a_claim_that_is_refused_gives_nothing(world: World, robot: Peer) -> None:
    """The id is another's."""
    assert robot.is_open
    eve = world.connect("eve")
    refused = eve.refused(type="register", robotId="r1")

    assert (refused, given(asked(eve))) == ((409, "owned_by_another"), None)


@pytest.mark.parametrize(("rest_s", "serves_s"), [(6, 6), (3599, 3599), (3600, 3600), (7200, 3600)])
def test_a_password_ends_with_the_token(
    world: World, robot: Peer, rest_s: int, serves_s: int
) -> None:
    """Or after an hour, whichever comes first: so says the reply, and so says the name."""
    assert robot.is_open
    reply = asked(world.connect("owner", ttl_s=rest_s), robotId="r1")

    assert (reply["ttlSeconds"], until(reply)) == (serves_s, world.now // 1000 + serves_s)


def test_without_the_secret_no_one_is_given_one(store: Store) -> None:
    """A user who may have one is told that it is still to come, and to ask after a minute."""
    world = World(store, signer(), ice=TurnServers((TURN,), lambda _now: None, ICE))
    registered = world.connect("owner").ask(type="register", robotId="r1")
    reply = asked(world.connect("owner"), robotId="r1")

    assert (given(registered), given(reply), reply["ttlSeconds"]) == (None, None, 60)


def test_servers_for_everyone_need_no_right(store: Store) -> None:
    """Without a secret to share nothing is kept back, and nothing is looked up."""
    world = World(store, signer())
    reply = asked(world.connect("eve"), robotId="r1")

    assert (reply["iceServers"], "turn" in reply) == (ICE, False)
