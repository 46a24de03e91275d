"""Bye: a session ends by either end, and the other one is told."""

import pytest

from tests.scenarios.between import Between
from tests.world import World

VIEWER = {"role": "viewer"}


def test_a_holders_bye_frees_the_lease_and_tells_the_robot(world: World) -> None:
    """The epoch rises, so the robot obeys that session no more."""
    robot = world.robot("r1", "owner")
    driver = world.connect("owner")
    had = driver.offer()
    robot.take()

    ack = driver.ask(type="bye", sessionId=had["sessionId"])

    assert ack == {"type": "ack", "replyTo": "q"}
    assert robot.take() == [
        {
            "type": "peer-left",
            "robotId": "r1",
            "sessionId": had["sessionId"],
            "reason": "bye",
            "epoch": had["epoch"] + 1,
        }
    ]
    assert world.item().controller is None


def test_the_robots_bye_ends_the_holders_session(world: World) -> None:
    """The client is told, and the lease is free."""
    robot = world.robot("r1", "owner")
    driver = world.connect("owner")
    had = driver.offer()

    ack = robot.ask(type="bye", sessionId=had["sessionId"])

    assert ack == {"type": "ack", "replyTo": "q"}
    assert driver.take() == [
        {
            "type": "peer-left",
            "robotId": "r1",
            "sessionId": had["sessionId"],
            "reason": "bye",
            "epoch": had["epoch"] + 1,
        }
    ]
    assert world.connect("boss", groups=["ADMIN"]).offer()["role"] == "controller"


@pytest.mark.parametrize("by_robot", [False, True])
def test_a_viewers_session_ends_without_a_new_epoch(world: World, *, by_robot: bool) -> None:
    """The lease is not concerned: `peer-left` without an epoch, to the other end alone."""
    robot = world.robot("r1", "owner")
    driver = world.connect("owner")
    had = driver.offer()
    viewer = world.connect("owner")
    session = viewer.offer(role="viewer")["sessionId"]
    robot.take()
    sender, other = (robot, viewer) if by_robot else (viewer, robot)

    sender.ask(type="bye", sessionId=session)

    assert other.take() == [
        {"type": "peer-left", "robotId": "r1", "sessionId": session, "reason": "bye"}
    ]
    assert driver.take() == []
    item = world.item()
    assert (item.viewers, item.epoch) == ({}, had["epoch"])


@pytest.mark.parametrize("by_robot", [False, True])
def test_viewers_learn_that_control_is_free(local_world: World, *, by_robot: bool) -> None:
    """When the holder's session ends, a viewer may ask for the lease."""
    world = local_world
    robot = world.robot("r1", "owner")
    driver = world.connect("owner")
    had = driver.offer()
    viewer = world.connect("owner")
    viewer.offer(role="viewer")

    (robot if by_robot else driver).ask(type="bye", sessionId=had["sessionId"])

    assert viewer.take() == [{"type": "control", "robotId": "r1", "epoch": had["epoch"] + 1}]


def test_a_client_may_name_the_robot_instead_of_the_session(local_world: World) -> None:
    """A connection has one session with a robot, so `robotId` names it."""
    world = local_world
    robot = world.robot("r1", "owner")
    driver = world.connect("owner")
    driver.offer()

    driver.ask(type="bye", robotId="r1")

    assert robot.types() == ["offer", "peer-left"]


def test_no_client_ends_another_ones_session(local_world: World) -> None:
    """Neither another driver, nor another robot, nor a stranger; nothing changes."""
    world = local_world
    world.robot("r1", "owner")
    session = world.connect("owner").offer()["sessionId"]
    others = [
        world.connect("owner"),
        world.connect("boss", groups=["ADMIN"]),
        world.connect("stranger"),
        world.robot("r2", "owner"),
    ]
    before = world.stored()

    refused = [other.refused(type="bye", sessionId=session) for other in others]

    assert refused == [(404, "no_session")] * 4
    assert world.stored() == before


def test_a_bye_for_no_session_is_refused(local_world: World) -> None:
    """A robot that ends a session which is over already is told so."""
    world = local_world
    robot = world.robot("r1", "owner")
    driver = world.connect("owner")
    session = driver.offer()["sessionId"]
    driver.ask(type="bye", sessionId=session)

    refused = [
        robot.refused(type="bye", sessionId=session),
        driver.refused(type="bye", sessionId=session),
    ]

    assert refused == [(404, "no_session")] * 2


def test_an_ended_session_leaves_no_grace_behind(world: World) -> None:
    """After a bye, `$disconnect` touches no robot."""
    world.robot("r1", "owner")
    driver = world.connect("owner")
    driver.offer()
    driver.ask(type="bye", robotId="r1")
    before = world.item()

    driver.disconnect()

    assert world.item() == before


def test_a_bye_to_a_robot_whose_socket_is_gone_ends_the_session_all_the_same(world: World) -> None:
    """The post's 410 takes the robot offline; the bye has done its work."""
    robot = world.robot("r1", "owner")
    driver = world.connect("owner")
    driver.offer()
    robot.vanish()

    ack = driver.ask(type="bye", robotId="r1")

    assert ack["type"] == "ack"
    item = world.item()
    assert (item.controller, item.connection_id) == (None, None)


def test_who_says_bye_while_granted_control_leaves_it_free(
    crossing: World, between: Between
) -> None:
    """The session ends as the holder's that it is by then, and everyone is told."""
    robot = crossing.robot("r1", "owner")
    viewer, driver = crossing.connect("owner"), crossing.connect("owner")
    driver.offer()
    asking = viewer.offer(role="viewer")["sessionId"]
    robot.take()
    grant = {"type": "grant-control", "robotId": "r1", "sessionId": asking}
    between.before_robot = lambda: driver.ask(**grant)

    ack = viewer.ask(type="bye", sessionId=asking)

    assert ack["type"] == "ack"
    assert crossing.item().controller is None
    assert [(frame["type"], frame["epoch"]) for frame in robot.take()] == [
        ("control", 3),
        ("peer-left", 4),
    ]
    assert [frame["epoch"] for frame in driver.take() if frame["type"] == "control"] == [4]


def test_a_driver_that_the_robot_dismisses_while_it_releases_leaves(
    crossing: World, between: Between
) -> None:
    """The robot's bye ends the viewer that the driver has become."""
    robot = crossing.robot("r1", "owner")
    driver = crossing.connect("owner")
    session = driver.offer()["sessionId"]
    between.before_robot = lambda: driver.send(type="release-control", robotId="r1")

    ack = robot.ask(type="bye", sessionId=session)

    assert ack["type"] == "ack"
    assert (crossing.item().controller, crossing.item().viewers) == (None, {})
    assert driver.types() == ["peer-left"]
