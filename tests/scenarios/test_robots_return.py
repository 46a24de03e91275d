"""Robots come back: redials, new processes, two devices with one id, other owners."""

import pytest

from signaling.core.request import Rules
from signaling.ports import Store
from signaling.wire.ids import RobotId
from tests.tokens import signer
from tests.world import ICE, Peer, World


def register(peer: Peer, robot_id: str = "r1", **more: object) -> dict[str, object]:
    """Register and return the reply."""
    return peer.ask(type="register", robotId=robot_id, **more)


def test_a_redial_keeps_the_sessions_and_lists_them(world: World) -> None:
    """The same instance finds its sessions; the older socket is told that it is replaced."""
    old, new = world.connect("owner"), world.connect("owner")
    register(old, instanceId="run1")
    driver, viewer = world.connect("boss", groups=["ADMIN"]), world.connect("owner")
    had = driver.offer()
    watching = viewer.offer(role="viewer")
    old.take()
    viewer.take()

    registered = register(new, instanceId="run1")

    assert registered == {
        "type": "registered",
        "replyTo": "q",
        "robotId": "r1",
        "control": {"epoch": had["epoch"], "sessionId": had["sessionId"]},
        "sessions": [
            {
                "sessionId": had["sessionId"],
                "person": {"userId": "boss", "name": "Boss"},
                "role": "controller",
            },
            {
                "sessionId": watching["sessionId"],
                "person": {"userId": "owner", "name": "Owner"},
                "role": "viewer",
            },
        ],
        "heartbeatSeconds": 120,
        "leaseSeconds": 300,
        "iceServers": ICE,
    }
    assert old.take() == [{"type": "replaced", "robotId": "r1", "instanceId": "run1"}]
    assert (driver.take(), viewer.take()) == ([], [])


def test_frames_go_to_the_newer_socket_after_a_redial(world: World) -> None:
    """The older one is not registered any more, and may drain."""
    old = world.connect("owner")
    register(old, instanceId="run1")
    driver = world.connect("owner")
    session = driver.offer()["sessionId"]
    old.take()
    new = world.connect("owner")
    register(new, instanceId="run1")
    old.take()

    driver.ask(type="ice-candidate", sessionId=session, candidate="c")
    refused = [
        old.refused(type="answer", sessionId=session, sdp="a"),
        old.refused(type="ping", robotId="r1"),
        old.refused(type="unregister", robotId="r1"),
    ]

    assert (new.types(), old.types(), driver.types()) == (["ice-candidate"], [], [])
    assert refused == [(404, "not_registered")] * 3


def test_a_new_process_ends_every_session(world: World) -> None:
    """Another instance: both sessions' clients are told, the epoch rises, none is listed."""
    old = world.connect("owner")
    register(old, instanceId="run1")
    driver, viewer = world.connect("owner"), world.connect("owner")
    had = driver.offer()
    watching = viewer.offer(role="viewer")["sessionId"]
    old.take()
    new = world.connect("owner")

    registered = register(new, instanceId="run2")

    left = {"type": "peer-left", "robotId": "r1", "reason": "restarted"}
    epoch = had["epoch"] + 1
    assert registered["control"] == {"epoch": epoch}
    assert registered["sessions"] == []
    assert driver.take() == [{**left, "sessionId": had["sessionId"], "epoch": epoch}]
    assert viewer.take() == [{**left, "sessionId": watching}]
    assert old.take() == [{"type": "replaced", "robotId": "r1", "instanceId": "run2"}]


def test_a_robot_that_names_no_instance_is_a_new_process_each_time(world: World) -> None:
    """Without an instance, another connection is another process."""
    register(world.connect("owner"))
    driver = world.connect("owner")
    driver.offer()

    registered = register(world.connect("owner"))

    assert registered["sessions"] == []
    assert driver.types() == ["peer-left"]


def test_registering_again_on_one_connection_changes_no_session(world: World) -> None:
    """A repeated `register` is harmless, with an instance or without."""
    robot = world.connect("owner")
    first = register(robot)
    driver = world.connect("owner")
    had = driver.offer()

    again = register(robot)

    assert again["control"] == {"epoch": had["epoch"], "sessionId": had["sessionId"]}
    assert (first["control"], driver.take()) == ({"epoch": 1}, [])


def test_a_seed_robots_older_socket_is_closed(world: World) -> None:
    """It could not read `replaced`, so it is sent nothing; its late `$disconnect` is harmless."""
    old = world.robot("r1", "owner", v1=False)

    new = world.robot("r1", "owner", v1=False)

    assert (old.is_open, old.frames) == (False, [])
    old.disconnect()
    assert world.item().connection_id == new.connection_id


@pytest.mark.parametrize("instance", ["run1", "run2"])
def test_an_older_connection_does_not_win_by_registering_later(world: World, instance: str) -> None:
    """A `register` that was slow on its way is refused, and changes nothing."""
    slow, quick = world.connect("owner"), world.connect("owner")
    register(quick, instanceId="run1")
    before = world.stored()

    refused = slow.refused(type="register", robotId="r1", instanceId=instance)

    assert refused == (404, "not_registered")
    assert (world.stored(), quick.take()) == (before, [])


def test_an_older_connection_may_register_once_the_newer_is_lost(world: World) -> None:
    """A socket that still lives is better than none."""
    older, newer = world.connect("owner"), world.connect("owner")
    register(newer, instanceId="run1")
    newer.disconnect()

    assert register(older, instanceId="run1")["type"] == "registered"


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
    """An admin's own robot that bears a taken id by mistake does not displace anyone."""
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


def test_nobody_unregisters_another_ones_robot(world: World) -> None:
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
    """A client stays a client: nothing is claimed, nobody is ended."""
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


def test_a_lost_socket_takes_the_robot_offline_and_keeps_its_sessions(world: World) -> None:
    """Media outlives signaling: the sessions wait for the redial."""
    robot = world.connect("owner")
    register(robot, instanceId="run1")
    driver = world.connect("owner")
    had = driver.offer()

    robot.disconnect()

    refused = driver.refused(type="ice-candidate", robotId="r1", candidate="c")
    registered = register(world.connect("owner"), instanceId="run1")
    assert refused == (404, "robot_offline")
    assert registered["control"] == {"epoch": had["epoch"], "sessionId": had["sessionId"]}


def test_a_late_and_a_repeated_disconnect_spare_the_newer_socket(world: World) -> None:
    """What `$disconnect` reports is that one socket, whenever it comes."""
    old = world.connect("owner")
    register(old, instanceId="run1")
    new = world.connect("owner")
    register(new, instanceId="run1")
    before = world.item()

    old.disconnect()
    old.disconnect()

    assert world.item() == before


def test_a_disconnect_of_an_unknown_connection_changes_nothing(world: World) -> None:
    """As after a refused `$connect`, or when the row has expired."""
    world.robot("r1", "owner")
    before = world.stored()

    result = world.event("DISCONNECT", world.dial())

    assert result == {"statusCode": 200}
    assert world.item() == before["r1"]


def test_a_ping_renews_presence(local_world: World) -> None:
    """A robot that pings every 120 s is online past 300 s."""
    world = local_world
    robot = world.robot("r1", "owner")

    for _ in range(3):
        world.pass_seconds(120)
        assert robot.send(type="ping", robotId="r1") == {"type": "pong"}

    (entry,) = world.connect("owner").ask(type="robots")["robots"]
    assert entry["online"]


def test_only_the_robot_renews_its_presence(world: World) -> None:
    """A ping that names somebody else's robot renews nothing."""
    world.robot("r1", "owner")
    driver = world.connect("owner")
    before = world.stored()

    assert driver.refused(type="ping", robotId="r1") == (404, "not_registered")
    assert world.stored() == before


def test_a_ping_that_names_a_robot_and_a_session_renews_neither(world: World) -> None:
    """No connection has both, so one of the two is wrong; a refused ping changes nothing."""
    robot = world.robot("r1", "owner")
    driver = world.connect("owner")
    session = driver.offer()["sessionId"]
    world.pass_seconds(10)
    before = world.stored()

    refused = [
        robot.refused(type="ping", robotId="r1", sessionId=session),
        driver.refused(type="ping", robotId="r1", sessionId=session),
    ]

    assert refused == [(404, "no_session"), (404, "not_registered")]
    assert world.stored() == before


@pytest.fixture
def enrolled_world(store: Store) -> World:
    """A backend where only an enrolled robot may register."""
    return World(store, signer(), rules=Rules(provisioned=True))


def test_an_id_that_is_not_enrolled_is_not_claimed(enrolled_world: World) -> None:
    """With the provisioned policy nobody becomes an owner by coming first."""
    robot = enrolled_world.connect("owner")

    assert robot.refused(type="register", robotId="r1") == (403, "forbidden")
    assert enrolled_world.store.robot(RobotId("r1")) is None


def test_an_enrolled_robot_is_registered_by_its_owner_alone(enrolled_world: World) -> None:
    """Enrolment gives an id an owner before its first connection."""
    enrolled_world.enrol("r1", "owner")

    refused = enrolled_world.connect("thief").refused(type="register", robotId="r1")
    registered = register(enrolled_world.connect("owner"))

    assert refused == (409, "owned_by_another")
    assert registered["control"] == {"epoch": 1}


def test_the_epoch_never_falls(world: World) -> None:
    """Through restarts, unregistering, lost sockets and takeovers it only rises."""
    epochs = []
    for instance in ("run1", "run2", "run2", "run3"):
        robot = world.connect("owner")
        register(robot, instanceId=instance)
        epochs.append(world.item().epoch)
        driver = world.connect("owner")
        driver.offer()
        epochs.append(world.item().epoch)
        world.connect("boss", groups=["ADMIN"]).ask(type="takeover", robotId="r1")
        epochs.append(world.item().epoch)
        robot.disconnect()
        epochs.append(world.item().epoch)

    assert epochs == sorted(epochs)
    assert len(epochs) == 16
