"""Who registers a robot: its owner, an admin by force, no one else; and who unregisters it."""

import pytest

from robosignal.protocol.ids import RobotId
from robosignal.server.core.request import Rules
from robosignal.server.ports import Store
from tests.device import DeviceKey
from tests.scenarios.registering import register
from tests.tokens import signer
from tests.world import World


def test_another_user_cannot_register_an_owned_robot(world: World) -> None:
    """The owner's robot still receives; nothing changed, and it never heard of it."""
    robot = world.robot("r1", "owner")
    thief = world.connect("thief")
    before = world.stored()

    refused = thief.refused(type="register", robotId="r1", instanceId="run9")

    assert refused == (409, "owned_by_another")
    assert (world.stored(), robot.take()) == (before, [])
    world.connect("owner").offer()
    assert (robot.types(), thief.types()) == (["offer"], [])


def test_an_admin_registers_by_force_and_the_owner_stays(world: World) -> None:
    """For a replaced device: presence moves, ownership does not."""
    old = world.robot("r1", "owner")
    admin = world.connect("boss", groups=["ADMIN"])

    registered = register(admin, instanceId="run9", force=True)

    assert registered["type"] == "registered"
    assert old.types() == ["replaced"]
    assert world.item().owner_user_id == "owner"
    assert world.item().connection_id == admin.connection_id


def test_only_an_admin_registers_by_force(world: World) -> None:
    """Not even the owner; nothing changes."""
    world.robot("r1", "owner")
    others = [world.connect("owner"), world.connect("thief")]
    before = world.stored()

    refused = [other.refused(type="register", robotId="r1", force=True) for other in others]

    assert refused == [(403, "forbidden")] * 2
    assert world.stored() == before


def test_an_admin_without_force_is_any_other_user(world: World) -> None:
    """An admin's own robot that has a taken id by mistake does not displace anyone."""
    world.robot("r1", "owner")
    admin = world.connect("boss", groups=["ADMIN"])

    assert admin.refused(type="register", robotId="r1") == (409, "owned_by_another")


def test_unregistering_ends_presence_and_sessions_and_keeps_the_owner(world: World) -> None:
    """The clients are told; the id is still the owner's."""
    robot = world.robot("r1", "owner")
    driver = world.connect("owner")
    had = driver.offer()

    ack = robot.ask(type="unregister", robotId="r1")

    assert ack == {"type": "ack", "replyTo": "q"}
    assert driver.take() == [
        {
            "type": "peer-left",
            "robotId": "r1",
            "sessionId": had["sessionId"],
            "reason": "unregistered",
            "epoch": had["epoch"] + 1,
        }
    ]
    assert driver.refused(type="offer", robotId="r1", sdp="o") == (404, "robot_offline")
    assert world.connect("thief").refused(type="register", robotId="r1") == (
        409,
        "owned_by_another",
    )


def test_a_robot_may_register_again_after_it_unregistered(world: World) -> None:
    """On the same connection, and with an epoch that did not fall."""
    robot = world.robot("r1", "owner")
    robot.ask(type="unregister", robotId="r1")
    epoch = world.item().epoch

    registered = register(robot, instanceId="run-0001")

    assert registered["control"] == {"epoch": epoch}


def test_no_user_unregisters_another_ones_robot(world: World) -> None:
    """Only the robot's current connection does, not even its owner's other one."""
    world.robot("r1", "owner")
    others = [world.connect("owner"), world.connect("boss", groups=["ADMIN"])]
    before = world.stored()

    refused = [other.refused(type="unregister", robotId="r1") for other in others]

    assert refused == [(404, "not_registered")] * 2
    assert world.stored() == before


def test_a_connection_registers_one_robot(world: World) -> None:
    """A second id on the same connection is refused, and claims nothing."""
    robot = world.robot("r1", "owner")
    before = world.stored()

    refused = robot.refused(type="register", robotId="r2")

    assert refused == (403, "forbidden")
    assert world.stored() == before


def test_a_connection_that_drives_does_not_register(world: World) -> None:
    """A client stays a client: nothing is claimed, no session is ended."""
    robot = world.robot("r1", "owner")
    driver = world.connect("owner")
    driver.offer()
    robot.take()
    before = world.stored()

    refused = [
        driver.refused(type="register", robotId="r1", instanceId="run9"),
        driver.refused(type="register", robotId="r2"),
    ]

    assert refused == [(403, "forbidden")] * 2
    assert (world.stored(), robot.take()) == (before, [])


@pytest.fixture
def enrolled_world(store: Store) -> World:
    """A backend where only an enrolled robot may register."""
    return World(store, signer(), rules=Rules(provisioned=True))


def test_an_id_that_is_not_enrolled_is_not_claimed(enrolled_world: World) -> None:
    """With the provisioned policy no user becomes an owner by coming first."""
    robot = enrolled_world.connect("owner")

    assert robot.refused(type="register", robotId="r1") == (403, "forbidden")
    assert enrolled_world.store.robot(RobotId("r1")) is None


def test_an_enrolled_robot_is_registered_by_its_own_key_alone(enrolled_world: World) -> None:
    """Enrolment gives it an owner, whose token registers it no more, nor an admin's by force."""
    key = DeviceKey()
    admin = enrolled_world.connect("boss", groups=["ADMINS"])
    admin.ask(type="enroll", robotId="r1", publicKey=key.jwk, ownerUserId="owner")

    refused = [
        enrolled_world.connect("thief").refused(type="register", robotId="r1"),
        enrolled_world.connect("owner").refused(type="register", robotId="r1"),
        admin.refused(type="register", robotId="r1", force=True),
    ]
    enrolled_world.device_robot(key)

    assert refused == [(403, "forbidden")] * 3
    assert enrolled_world.item().epoch == 1
