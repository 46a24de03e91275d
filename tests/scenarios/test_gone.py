"""Who is gone: lost sockets, expired tokens, and what is cleaned up after them."""

from collections.abc import Callable

import pytest

from tests.world import Peer, World


def test_a_relay_to_a_gone_robot_takes_it_offline(world: World) -> None:
    """The sender is told at once, and the next reader sees it."""
    robot = world.robot("r1", "owner")
    driver = world.connect("owner")
    session = driver.offer()["sessionId"]
    robot.vanish()
    rev = world.item().rev

    told = driver.refused(type="ice-candidate", sessionId=session, candidate="c")

    assert told == (404, "robot_offline")
    item = world.item()
    assert (item.connection_id, item.presence_until, item.rev) == (None, 0, rev + 1)


def test_a_relay_to_a_gone_viewer_shortens_its_place(world: World) -> None:
    """The robot is told; the place lapses in 30 s."""
    robot = world.robot("r1", "owner")
    viewer = world.connect("owner")
    session = viewer.offer(role="viewer")["sessionId"]
    viewer.vanish()

    told = robot.refused(type="answer", sessionId=session, sdp="a")

    assert told == (410, "peer_gone")
    assert [place.until for place in world.item().viewers.values()] == [world.now + 30_000]


def test_a_relay_finds_a_robot_that_let_its_presence_lapse(local_world: World) -> None:
    """Presence is a hint: a relay always tries the post."""
    world = local_world
    robot = world.robot("r1", "owner")
    driver = world.connect("owner")
    world.pass_seconds(400)

    driver.offer()

    assert robot.types() == ["offer"]


def _offer(world: World, _robot: Peer) -> None:
    world.connect("owner").send(type="offer", robotId="r1", sdp="o")


def _view(world: World, _robot: Peer) -> None:
    world.connect("owner").send(type="offer", robotId="r1", sdp="o", role="viewer")


def _take_over(world: World, _robot: Peer) -> None:
    world.connect("boss", groups=["ADMIN"]).send(type="takeover", robotId="r1")


SITES: list[Callable[[World, Peer], None]] = [_offer, _view, _take_over]


@pytest.mark.parametrize("act", SITES, ids=["offer", "view", "takeover"])
def test_a_redial_between_the_write_and_its_post_survives_the_clean_up(
    local_world: World, act: Callable[[World, Peer], None]
) -> None:
    """A 410 ends the presence of that very socket, not of the one that came after it."""
    world = local_world
    robot = world.connect("owner")
    robot.ask(type="register", robotId="r1", instanceId="run1")
    robot.vanish()
    newer = world.connect("owner")
    redialed: list[bool] = []

    def redial() -> None:
        if not redialed:
            redialed.append(True)
            newer.ask(type="register", robotId="r1", instanceId="run1")

    world.outbox.before_post = redial
    act(world, robot)

    item = world.item()
    assert (item.connection_id, item.controller, item.viewers) == (newer.connection_id, None, {})


def test_a_resume_between_the_read_and_its_post_survives_the_clean_up(local_world: World) -> None:
    """A 410 of a client's older socket does not begin grace for its newer one."""
    world = local_world
    robot = world.robot("r1", "owner")
    old = world.connect("owner")
    session = old.offer()["sessionId"]
    new = world.connect("owner")
    old.vanish()
    resumed: list[bool] = []

    def resume() -> None:
        if not resumed:
            resumed.append(True)
            new.ask(type="resume", sessionId=session)

    world.outbox.before_post = resume
    robot.refused(type="answer", sessionId=session, sdp="a")

    holder = world.item().controller
    assert holder is not None
    assert (holder.connection_id, holder.lost) == (new.connection_id, None)


def test_a_gone_viewer_that_is_told_of_a_change_is_cleaned_up(world: World) -> None:
    """Notices find lost sockets as relays do, and the sender's message is carried out."""
    world.robot("r1", "owner")
    viewer = world.connect("owner")
    viewer.offer(role="viewer")
    viewer.vanish()

    ack = world.connect("boss", groups=["ADMIN"]).offer()

    assert ack["type"] == "ack"
    assert [place.until for place in world.item().viewers.values()] == [world.now + 30_000]


def test_a_gone_robot_that_is_told_of_a_release_is_cleaned_up(world: World) -> None:
    """The release is kept; the robot is offline."""
    robot = world.robot("r1", "owner")
    driver = world.connect("owner")
    driver.offer()
    robot.vanish()

    ack = driver.ask(type="release-control", robotId="r1")

    assert ack["type"] == "ack"
    item = world.item()
    assert (item.connection_id, item.controller) == (None, None)


def test_a_sender_whose_row_is_gone_keeps_no_lease(world: World) -> None:
    """`$disconnect` ran while the offer did: the lease is given back and the robot is told."""
    robot = world.robot("r1", "owner")
    driver = world.connect("owner")
    driver.send(type="ready")
    world.outbox.before_post = lambda: world.store.remove_connection(driver.connection_id)

    refused = driver.refused(type="offer", robotId="r1", sdp="o")

    assert refused == (404, "no_session")
    assert world.item().controller is None
    assert [frame["type"] for frame in robot.take()] == ["offer", "peer-left"]


def test_a_viewer_whose_row_is_gone_keeps_no_place(world: World) -> None:
    """`$disconnect` ran while the offer did: the robot, which had it, is told of the end."""
    robot = world.robot("r1", "owner")
    viewer = world.connect("owner")
    world.outbox.before_post = lambda: world.store.remove_connection(viewer.connection_id)

    refused = viewer.refused(type="offer", robotId="r1", sdp="o", role="viewer")

    assert refused == (404, "no_session")
    assert world.item().viewers == {}
    assert robot.types() == ["offer", "peer-left"]


def test_a_viewer_whose_row_is_gone_is_not_granted_the_free_lease(world: World) -> None:
    """`$disconnect` ran while `request-control` did: the lease is given back."""
    robot = world.robot("r1", "owner")
    viewer = world.connect("owner")
    viewer.offer(role="viewer")
    robot.take()
    world.outbox.before_post = lambda: world.store.remove_connection(viewer.connection_id)

    refused = viewer.refused(type="request-control", robotId="r1")

    assert refused == (404, "no_session")
    assert (world.item().controller, world.item().viewers) == (None, {})
    assert robot.types() == ["control", "peer-left"]


def test_one_message_posts_to_whom_it_concerns_and_no_further(local_world: World) -> None:
    """A takeover with ten viewers: the robot, the displaced holder, and each viewer once."""
    world = local_world
    world.robot("r1", "owner")
    world.connect("owner").offer()
    for _ in range(10):
        world.connect("owner").offer(role="viewer")
    posts = world.outbox.posts

    world.connect("boss", groups=["ADMIN"]).ask(type="takeover", robotId="r1")

    assert world.outbox.posts - posts == 12


def test_a_relay_is_one_post(local_world: World) -> None:
    """However many watch."""
    world = local_world
    robot = world.robot("r1", "owner")
    session = world.connect("owner").offer()["sessionId"]
    world.connect("owner").offer(role="viewer")
    posts = world.outbox.posts

    robot.ask(type="answer", sessionId=session, sdp="a")

    assert world.outbox.posts - posts == 1


def test_a_connection_with_a_hundred_sessions_closes_cleanly(local_world: World) -> None:
    """Every place is shortened, however many there are."""
    watching = local_world.connect("owner")
    ids = [f"r{number}" for number in range(100)]
    for robot_id in ids:
        local_world.robot(robot_id, "owner")
        watching.ask(type="offer", robotId=robot_id, role="viewer", payload={"sdp": "o"})

    watching.disconnect()

    grace = local_world.now + 30_000
    for robot_id in ids:
        (viewer,) = local_world.item(robot_id).viewers.values()
        assert viewer.until == grace
