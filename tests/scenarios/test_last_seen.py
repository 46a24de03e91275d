"""What a list tells of a robot that is offline: when it was last seen, and what keys it has."""

import pytest

from robosignal.protocol.limits import PRESENCE_SECONDS
from tests.device import DeviceKey
from tests.world import Frame, Peer, World


def listed(world: World, user: str = "owner") -> Frame:
    """Return the entry of the only robot in this user's list."""
    (entry,) = world.connect(user).ask(type="robots")["robots"]
    found: Frame = entry
    return found


def seen(world: World) -> int:
    """Return when the robot was last seen, by its owner's list."""
    return int(listed(world)["lastSeenAt"])


@pytest.fixture
def robot(world: World) -> Peer:
    """A robot that registered 100 s ago, and has renewed its presence just now."""
    robot = world.robot()
    world.pass_seconds(100)
    robot.ask(type="ping", robotId="r1")
    return robot


def test_a_robot_that_is_online_has_no_time(world: World, robot: Peer) -> None:
    """It is seen now."""
    assert robot.is_open
    assert "lastSeenAt" not in listed(world)


def test_a_lost_connection_keeps_the_last_renewal(world: World, robot: Peer) -> None:
    """However long after it the loss was noticed."""
    renewed = world.now
    world.pass_seconds(50)
    robot.disconnect()
    world.pass_seconds(86_400)

    assert seen(world) == renewed


def test_an_unregistered_robot_was_seen_too(world: World, robot: Peer) -> None:
    """As it last renewed."""
    renewed = world.now
    robot.ask(type="unregister", robotId="r1")
    world.pass_seconds(86_400)

    assert seen(world) == renewed


def test_lapsed_presence_tells_the_last_renewal(world: World, robot: Peer) -> None:
    """Its connection is still in the item, and no event will come."""
    renewed = world.now
    robot.vanish()
    world.pass_seconds(PRESENCE_SECONDS + 60)

    assert seen(world) == renewed


def test_a_later_eviction_does_not_move_the_time(world: World, robot: Peer) -> None:
    """A transfer of a robot that is offline has seen nothing."""
    robot.disconnect()
    world.pass_seconds(1)
    before = seen(world)
    world.pass_seconds(86_400)
    world.connect("owner").ask(type="transfer", robotId="r1", userId="next")

    assert listed(world, "next")["lastSeenAt"] == before


def test_a_robot_that_never_registered_was_never_seen(world: World) -> None:
    """It was only enrolled; robots with keys speak v1, so its control is not called advisory."""
    world.enroll(DeviceKey())

    entry = listed(world)
    assert not entry["online"]
    assert "lastSeenAt" not in entry
    assert entry["keys"] == {"count": 1}
    assert entry["dialect"] == "v1"


def test_keys_are_summed_up_for_owner_and_admins(world: World) -> None:
    """Operators see none of it."""
    key = DeviceKey()
    world.enroll(key)
    world.device_robot(key)
    used = world.now
    world.connect("owner").ask(type="share", robotId="r1", userId="friend")
    world.connect("friend").ask(type="accept-share", robotId="r1")

    assert listed(world)["keys"] == {"count": 1, "lastUsedAt": used}
    assert "keys" not in listed(world, "friend")


def test_a_seed_robot_was_seen_as_it_registered(world: World) -> None:
    """It never renews: how long its presence could last says nothing."""
    robot = world.robot(v1=False)
    registered = world.now
    world.pass_seconds(600)
    robot.disconnect()

    assert seen(world) == registered
