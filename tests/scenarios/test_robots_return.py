"""Robots come back: redials, new processes, two devices with one id."""

import pytest

from tests.scenarios.registering import register
from tests.world import ICE, World


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
        "control": {
            "epoch": had["epoch"],
            "sessionId": had["sessionId"],
            "rightSeconds": driver.seconds_left,
        },
        "sessions": [
            {
                "sessionId": had["sessionId"],
                "person": {"userId": "boss", "name": "Boss"},
                "role": "controller",
                "rightSeconds": driver.seconds_left,
            },
            {
                "sessionId": watching["sessionId"],
                "person": {"userId": "owner", "name": "Owner"},
                "role": "viewer",
                "rightSeconds": viewer.seconds_left,
            },
        ],
        "heartbeatSeconds": 120,
        "presenceSeconds": 300,
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

    held = {"sessionId": had["sessionId"], "rightSeconds": driver.seconds_left}
    assert again["control"] == {"epoch": had["epoch"], **held}
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
