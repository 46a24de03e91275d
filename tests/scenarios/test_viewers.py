"""Viewers and changes of role: places, releasing, asking for the free lease."""

import pytest

from robosignal.server.core.request import Rules
from robosignal.server.ports import Store
from tests.tokens import signer
from tests.world import Peer, World


def watch(world: World, user: str = "owner") -> tuple[Peer, str]:
    """Open a viewer's session; return its connection and its id."""
    viewer = world.connect(user)
    return viewer, viewer.offer(role="viewer")["sessionId"]


def test_a_viewer_never_takes_the_lease(world: World) -> None:
    """A viewer's offer reaches the robot without an epoch; the free lease stays free."""
    robot = world.robot("r1", "owner")

    viewer, session = watch(world)

    assert robot.take() == [
        {
            "type": "offer",
            "robotId": "r1",
            "sessionId": session,
            "person": {"userId": "owner", "name": "Owner"},
            "role": "viewer",
            "right": {"drive": True, "owner": True, "rightSeconds": viewer.seconds_left},
            "payload": {"sdp": "o"},
        }
    ]
    item = world.item()
    assert (item.controller, item.epoch) == (None, 1)


def test_a_viewer_asks_for_the_free_lease_with_its_role(world: World) -> None:
    """`role: controller` from a viewer moves its own session to the lease."""
    robot = world.robot("r1", "owner")
    viewer, session = watch(world)
    robot.take()

    ack = viewer.offer(role="controller")

    assert (ack["sessionId"], ack["role"], ack["epoch"]) == (session, "controller", 2)
    assert [(frame["role"], frame["epoch"]) for frame in robot.take()] == [("controller", 2)]
    assert world.item().viewers == {}


def test_a_viewer_who_asks_for_a_held_lease_is_told_who_drives(world: World) -> None:
    """The offer is not relayed, and the viewer stays one."""
    robot = world.robot("r1", "owner")
    world.connect("boss", groups=["ADMIN"]).offer()
    viewer, _ = watch(world)
    robot.take()
    before = world.stored()

    refused = viewer.offer(role="controller")

    assert (viewer.status, refused["code"]) == (409, "robot_busy")
    assert refused["controlledBy"] == {"userId": "boss", "name": "Boss"}
    assert (world.stored(), robot.take()) == (before, [])


def test_a_viewers_plain_offer_renegotiates_as_viewer(world: World) -> None:
    """Without a role an offer in a session keeps the role that it has, free lease or not."""
    robot = world.robot("r1", "owner")
    viewer, session = watch(world)
    robot.take()

    ack = viewer.offer()

    assert (ack["sessionId"], ack["role"], ack["epoch"]) == (session, "viewer", 1)
    assert [frame["role"] for frame in robot.take()] == ["viewer"]
    assert world.item().controller is None


def test_releasing_frees_the_lease_and_keeps_the_session_as_a_viewer(world: World) -> None:
    """The robot and the other viewers are told; the releaser has the reply."""
    robot = world.robot("r1", "owner")
    driver = world.connect("owner")
    had = driver.offer()
    viewer, _ = watch(world)
    robot.take()
    viewer.take()

    ack = driver.ask(type="release-control", robotId="r1")

    free = {"type": "control", "robotId": "r1", "epoch": had["epoch"] + 1}
    assert ack == {"type": "ack", "replyTo": "q", "epoch": had["epoch"] + 1}
    assert (robot.take(), viewer.take(), driver.take()) == ([free], [free], [])
    item = world.item()
    assert item.controller is None
    assert had["sessionId"] in item.viewers


def test_a_released_lease_goes_to_the_next_who_offers(world: World) -> None:
    """The one who released is a viewer by then, and is told as such: by `control`."""
    world.robot("r1", "owner")
    driver = world.connect("owner")
    driver.offer()
    driver.ask(type="release-control", robotId="r1")

    won = world.connect("boss", groups=["ADMIN"]).offer()

    assert won["role"] == "controller"
    assert [(frame["type"], frame["epoch"]) for frame in driver.take()] == [
        ("control", won["epoch"])
    ]


def test_only_the_holder_releases(world: World) -> None:
    """A viewer, and a driver without a session, have nothing to release."""
    robot = world.robot("r1", "owner")
    world.connect("owner").offer()
    viewer, _ = watch(world)
    stray = world.connect("owner")
    robot.take()
    before = world.stored()

    refused = [each.refused(type="release-control", robotId="r1") for each in (viewer, stray)]

    assert refused == [(404, "no_session")] * 2
    assert (world.stored(), robot.take()) == (before, [])


def test_role_viewer_from_the_holder_releases_and_renegotiates(world: World) -> None:
    """The robot hears that control is free before it gets the viewer's offer."""
    robot = world.robot("r1", "owner")
    driver = world.connect("owner")
    had = driver.offer()
    robot.take()

    ack = driver.offer(role="viewer")

    assert (ack["sessionId"], ack["role"]) == (had["sessionId"], "viewer")
    assert ack["epoch"] == had["epoch"] + 1
    frames = robot.take()
    assert [frame["type"] for frame in frames] == ["control", "offer"]
    assert frames[0] == {"type": "control", "robotId": "r1", "epoch": had["epoch"] + 1}
    assert frames[1]["role"] == "viewer"
    assert "epoch" not in frames[1]


@pytest.fixture
def small_world(store: Store) -> World:
    """A backend whose robots take two viewers."""
    return World(store, signer(), rules=Rules(viewers=2))


def test_a_viewer_too_many_is_refused(small_world: World) -> None:
    """When all places are taken the next viewer gets none, and the robot hears nothing."""
    robot = small_world.robot("r1", "owner")
    watch(small_world)
    watch(small_world)
    robot.take()
    third = small_world.connect("owner")
    before = small_world.stored()

    refused = third.refused(type="offer", robotId="r1", sdp="o", role="viewer")

    assert refused == (409, "too_many_viewers")
    assert (small_world.stored(), robot.take()) == (before, [])


def test_one_who_releases_may_be_over_the_limit_and_the_next_may_not(small_world: World) -> None:
    """Otherwise viewers by way of the lease would be without number; `bye` is always open."""
    small_world.robot("r1", "owner")
    watch(small_world)
    watch(small_world)
    first, second = small_world.connect("owner"), small_world.connect("owner")
    first.offer()
    first.ask(type="release-control", robotId="r1")
    second.offer()

    refused = second.refused(type="release-control", robotId="r1")

    assert refused == (409, "too_many_viewers")
    assert len(small_world.item().viewers) == 3
    second.ask(type="bye", robotId="r1")
    assert small_world.item().controller is None


def test_a_lapsed_place_goes_to_the_next_viewer(small_world: World) -> None:
    """A viewer that does not ping loses its place when somebody else wants it."""
    small_world.robot("r1", "owner")
    idle, lapsed = watch(small_world)
    pinging, kept = watch(small_world)
    small_world.pass_seconds(200)
    pinging.ask(type="ping", sessionId=kept)
    small_world.pass_seconds(101)

    _, session = watch(small_world)

    assert set(small_world.item().viewers) == {kept, session}
    assert idle.refused(type="ping", sessionId=lapsed) == (404, "no_session")


def test_a_lost_viewers_place_lapses_after_grace(small_world: World) -> None:
    """A viewer's lost socket shortens its place to 30 s."""
    small_world.robot("r1", "owner")
    gone, _ = watch(small_world)
    watch(small_world)
    gone.disconnect()
    small_world.pass_seconds(30.001)

    _, session = watch(small_world)

    assert session in small_world.item().viewers


def test_a_viewers_offer_that_finds_the_robot_gone_gives_the_place_back(world: World) -> None:
    """No place is held with a robot that cannot be reached."""
    robot = world.robot("r1", "owner")
    robot.vanish()

    refused = world.connect("owner").refused(type="offer", robotId="r1", sdp="o", role="viewer")

    assert refused == (404, "robot_offline")
    item = world.item()
    assert (item.viewers, item.connection_id) == ({}, None)


def test_a_seed_robot_takes_no_viewers(world: World) -> None:
    """It cannot know roles: viewing and releasing are forbidden, driving is not."""
    robot = world.robot("r1", "owner", v1=False)
    driver = world.connect("owner")
    driver.offer()
    robot.take()
    other = world.connect("owner")
    before = world.stored()

    refused = [
        other.refused(type="offer", robotId="r1", sdp="o", role="viewer"),
        driver.refused(type="offer", robotId="r1", sdp="o", role="viewer"),
        driver.refused(type="release-control", robotId="r1"),
    ]

    assert refused == [(403, "forbidden")] * 3
    assert (world.stored(), robot.take()) == (before, [])
