"""Giving a robot to another owner. On both stores."""

from tests.scenarios.shares import evicted, listed, shares
from tests.world import Peer, World

SDP = {"sdp": "o"}


def test_a_new_owner_has_the_robot_and_the_old_one_has_not(
    world: World, robot: Peer, owner: Peer
) -> None:
    """Sessions and presence end; operators stay, but for the new owner."""
    shares(owner, "olga", "bob")
    session = owner.offer()["sessionId"]
    robot.take()

    ack = owner.ask(type="transfer", robotId="r1", userId="bob")

    left = evicted(session, epoch=3)
    assert ack == {"type": "ack", "replyTo": "q"}
    assert (owner.take(), robot.take()) == ([left], [left])
    item = world.item()
    assert item.owner_user_id == "bob"
    assert item.operators == {"olga"}
    assert (item.connection_id, item.controller, item.epoch) == (None, None, 3)
    assert listed(owner) == []
    assert listed(world.connect("bob")) == [("r1", "owner")]
    assert listed(world.connect("olga")) == [("r1", "operator")]
    assert owner.refused(type="register", robotId="r1")[1] == "forbidden"
    assert world.connect("owner").refused(type="register", robotId="r1")[1] == "owned_by_another"
    assert robot.refused(type="ping", robotId="r1") == (404, "not_registered")


def test_giving_a_robot_to_its_owner_changes_nothing(
    world: World, robot: Peer, owner: Peer
) -> None:
    """Nor does repeating it."""
    before = world.stored()

    assert owner.ask(type="transfer", robotId="r1", userId="owner")["type"] == "ack"
    assert (world.stored(), robot.frames) == (before, [])


def test_a_seed_robot_that_is_given_away_is_closed(world: World) -> None:
    """It can be told nothing."""
    robot = world.robot("r1", "owner", v1=False)

    world.connect("owner").ask(type="transfer", robotId="r1", userId="bob")

    assert not robot.is_open
