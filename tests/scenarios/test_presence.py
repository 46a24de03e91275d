"""How a robot is known to be online: lost sockets, late reports, renewals."""

from tests.scenarios.registering import register
from tests.world import World


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
    assert registered["control"] == {
        "epoch": had["epoch"],
        "sessionId": had["sessionId"],
        "rightSeconds": driver.seconds_left,
    }


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
        assert robot.ask(type="ping", robotId="r1")["type"] == "pong"

    (entry,) = world.connect("owner").ask(type="robots")["robots"]
    assert entry["online"]


def test_only_the_robot_renews_its_presence(world: World) -> None:
    """A ping that names somebody else's robot renews nothing."""
    world.robot("r1", "owner")
    driver = world.connect("owner")
    before = world.stored()

    assert driver.refused(type="ping", robotId="r1") == (404, "not_registered")
    assert world.stored() == before


def test_a_ping_that_names_a_robot_and_anothers_session_renews_neither(world: World) -> None:
    """One of the two is wrong; a refused ping changes nothing."""
    robot = world.robot("r1", "owner")
    driver = world.connect("owner")
    session = driver.offer()["sessionId"]
    world.pass_seconds(10)
    before = world.stored()

    refused = [
        robot.refused(type="ping", robotId="r1", sessionId=session),
        driver.refused(type="ping", robotId="r2", sessionId=session),
    ]

    assert refused == [(404, "no_session"), (404, "no_session")]
    assert world.stored() == before


def test_a_clients_ping_may_name_the_robot_of_its_session_too(world: World) -> None:
    """As every other message may."""
    world.robot("r1", "owner")
    driver = world.connect("owner")
    session = driver.offer()["sessionId"]
    world.pass_seconds(10)

    pong = driver.ask(type="ping", robotId="r1", sessionId=session)

    assert pong["role"] == "controller"
    holder = world.item().controller
    assert holder is not None
    assert holder.until == world.now + 60_000
