"""A connection whose token has expired: it is told so, closed, and sent nothing more."""

from tests.world import World


def test_nothing_is_delivered_to_a_robot_whose_token_has_expired(world: World) -> None:
    """It is closed instead, and counts as gone."""
    robot = world.connect("owner", ttl_s=60)
    robot.send(type="register", robotId="r1", instanceId="run1")
    driver = world.connect("owner")
    session = driver.offer()["sessionId"]
    robot.take()
    world.pass_seconds(60)

    told = driver.refused(type="ice-candidate", sessionId=session, candidate="c")

    assert told == (404, "robot_offline")
    assert (robot.is_open, robot.frames) == (False, [])
    assert world.item().connection_id is None


def test_nothing_is_delivered_to_a_client_whose_token_has_expired(world: World) -> None:
    """It is closed instead; a holder's grace begins."""
    robot = world.robot("r1", "owner")
    driver = world.connect("owner", ttl_s=60)
    session = driver.offer()["sessionId"]
    world.pass_seconds(59.999)

    told = robot.refused(type="answer", sessionId=session, sdp="a")

    holder = world.item().controller
    assert told == (410, "peer_gone")
    assert (driver.is_open, driver.frames) == (False, [])
    assert holder is not None
    assert holder.lost == world.now


def test_a_sender_whose_token_has_expired_is_told_and_closed(world: World) -> None:
    """Nothing is relayed; the last frame says why, and how to come back."""
    robot = world.robot("r1", "owner")
    driver = world.connect("owner", ttl_s=60)
    session = driver.offer()["sessionId"]
    robot.take()
    world.pass_seconds(60)

    reply = driver.send(type="ice-candidate", sessionId=session, candidate="c", id="m1")

    assert (reply, driver.status, driver.is_open) == (None, 401, False)
    assert robot.take() == []
    assert driver.take() == [
        {
            "type": "error",
            "replyTo": "m1",
            "code": "token_expired",
            "message": "the token has expired: connect again with a new one",
        }
    ]


def test_a_seed_sender_whose_token_has_expired_is_closed_without_a_word(
    local_world: World,
) -> None:
    """Nothing unasked: no error without an id, to what may be a robot."""
    robot = local_world.connect("owner", v1=False, ttl_s=60)
    local_world.pass_seconds(60)

    robot.send(type="register", robotId="r1")

    assert (robot.status, robot.is_open, robot.frames) == (401, False, [])


def test_a_seed_page_whose_token_has_expired_is_told_and_closed(local_world: World) -> None:
    """In the seed's words, by the last frame before the close."""
    page = local_world.connect("owner", v1=False, ttl_s=60)
    local_world.pass_seconds(60)

    page.send(type="offer", robotId="r1", sdp="o")

    assert (page.status, page.is_open) == (401, False)
    assert [(frame["type"], frame["error"]) for frame in page.frames] == [
        ("error", "token_expired")
    ]


def test_an_expired_sender_is_refused_even_when_it_cannot_be_closed_now(
    local_world: World,
) -> None:
    """A busy management API postpones the closing, no more: the next message meets it again."""
    client = local_world.connect("owner", ttl_s=60)
    local_world.pass_seconds(60)
    local_world.outbox.busy = True

    client.send(type="robots")
    local_world.outbox.busy = False
    client.send(type="robots")

    assert (client.status, client.is_open) == (401, False)
    assert client.types() == ["error"]
