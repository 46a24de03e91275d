"""Takeover: by whom, from whom, and what everybody is told. On both stores."""

import pytest

from tests.world import World

OWNER = {"userId": "owner", "name": "Owner"}


@pytest.mark.parametrize(
    ("user", "groups", "reason"),
    [("owner", [], "owner"), ("boss", ["admins"], "admin"), ("olga", [], "self")],
)
def test_the_robot_is_told_by_what_right_it_was_taken_over(
    world: World, user: str, groups: list[str], reason: str
) -> None:
    """Owner, admin, and the holder's own user may; the robot learns which it was."""
    robot = world.robot("r1", "owner")
    world.share("r1", "olga")
    had = world.connect("olga").offer()
    robot.take()

    taker = world.connect(user, groups=groups)
    won = taker.ask(type="takeover", robotId="r1")

    assert won == {
        "type": "ack",
        "replyTo": "q",
        "sessionId": won["sessionId"],
        "epoch": had["epoch"] + 1,
    }
    assert robot.take() == [
        {
            "type": "takeover",
            "robotId": "r1",
            "by": {"userId": user, "name": user.title()},
            "reason": reason,
            "sessionId": won["sessionId"],
            "epoch": won["epoch"],
            "rightSeconds": taker.seconds_left,
        }
    ]


def test_an_operator_cannot_take_over_from_somebody_else(world: World) -> None:
    """Operators wait, or ask; nothing changes and no frame is sent."""
    robot = world.robot("r1", "owner")
    world.share("r1", "olga")
    driver = world.connect("owner")
    driver.offer()
    robot.take()
    olga = world.connect("olga")
    before = world.stored()

    assert olga.refused(type="takeover", robotId="r1") == (403, "forbidden")
    assert (world.stored(), robot.take(), driver.take()) == (before, [], [])


def test_the_displaced_session_drives_no_more(world: World) -> None:
    """After a takeover the former holder's messages and pings have no session."""
    robot = world.robot("r1", "owner")
    first = world.connect("owner")
    session = first.offer()["sessionId"]
    world.connect("boss", groups=["ADMIN"]).ask(type="takeover", robotId="r1")
    robot.take()

    refused = [
        first.refused(type="ice-candidate", sessionId=session, candidate="c"),
        first.refused(type="ping", sessionId=session),
        first.refused(type="bye", sessionId=session),
    ]

    assert refused == [(404, "no_session")] * 3
    assert robot.take() == []


def test_a_takeover_that_the_holder_repeats_changes_nothing(world: World) -> None:
    """From the holder's own connection the epoch is told as it is; no other client hears of it."""
    robot = world.robot("r1", "owner")
    driver = world.connect("owner")
    had = driver.offer()
    robot.take()
    world.pass_seconds(1)
    before = world.stored()

    again = driver.ask(type="takeover", robotId="r1")

    assert (again["sessionId"], again["epoch"]) == (had["sessionId"], had["epoch"])
    assert (world.stored(), robot.take(), driver.take()) == (before, [], [])


def test_a_free_lease_can_be_taken_over_too(world: World) -> None:
    """The robot is told; no driver was displaced."""
    robot = world.robot("r1", "owner")
    driver = world.connect("owner")

    won = driver.ask(type="takeover", robotId="r1")

    assert won["epoch"] == 2
    assert [(frame["type"], frame["reason"]) for frame in robot.take()] == [("takeover", "owner")]
    assert driver.take() == []


def test_a_viewer_who_takes_over_keeps_its_session(world: World) -> None:
    """The lease moves to the taker's own session, which leaves its viewer's place."""
    robot = world.robot("r1", "owner")
    first = world.connect("owner")
    first.offer()
    boss = world.connect("boss", groups=["ADMIN"])
    watching = boss.offer(role="viewer")
    robot.take()

    won = boss.ask(type="takeover", robotId="r1")

    assert won["sessionId"] == watching["sessionId"]
    assert world.item().viewers == {}
    assert first.types() == ["control-lost"]
    assert boss.take() == []


def test_other_viewers_learn_who_drives_now(world: World) -> None:
    """A takeover is told to every viewer but the taker."""
    world.robot("r1", "owner")
    world.connect("owner").offer()
    viewer = world.connect("owner")
    viewer.offer(role="viewer")
    boss = world.connect("boss", groups=["ADMIN"])

    won = boss.ask(type="takeover", robotId="r1")

    assert viewer.take() == [
        {
            "type": "control",
            "robotId": "r1",
            "epoch": won["epoch"],
            "sessionId": won["sessionId"],
            "person": {"userId": "boss", "name": "Boss"},
        }
    ]


def test_a_takeover_of_an_offline_robot_is_refused(world: World) -> None:
    """No session takes a lease on a robot that it cannot reach; nothing changes."""
    robot = world.robot("r1", "owner")
    world.connect("owner").offer()
    robot.disconnect()
    boss = world.connect("boss", groups=["ADMIN"])
    before = world.stored()

    assert boss.refused(type="takeover", robotId="r1") == (404, "robot_offline")
    assert world.stored() == before


def test_a_takeover_that_finds_the_robots_socket_gone_gives_the_lease_back(world: World) -> None:
    """The post is proof: the robot is offline, the lease free, the epoch risen twice."""
    robot = world.robot("r1", "owner")
    had = world.connect("owner").offer()
    robot.vanish()
    boss = world.connect("boss", groups=["ADMIN"])

    refused = boss.refused(type="takeover", robotId="r1")

    assert refused == (404, "robot_offline")
    item = world.item()
    assert (item.connection_id, item.controller) == (None, None)
    assert item.epoch == had["epoch"] + 2


def test_a_first_offer_that_finds_the_robots_socket_gone_gives_the_lease_back(world: World) -> None:
    """No session holds a robot that it cannot reach."""
    robot = world.robot("r1", "owner")
    robot.vanish()

    refused = world.connect("owner").refused(type="offer", robotId="r1", sdp="o")

    assert refused == (404, "robot_offline")
    item = world.item()
    assert (item.connection_id, item.controller, item.presence_until) == (None, None, 0)


def test_a_takeover_during_grace_tells_the_lost_holder_nothing(world: World) -> None:
    """A socket known to be lost is not posted to again."""
    robot = world.robot("r1", "owner")
    driver = world.connect("owner")
    driver.offer()
    driver.disconnect()
    robot.take()
    boss = world.connect("boss", groups=["ADMIN"])
    posts = world.outbox.posts

    boss.ask(type="takeover", robotId="r1")

    assert world.outbox.posts == posts + 1
    assert robot.types() == ["takeover"]


def test_a_former_admin_does_not_take_over_by_a_lapsed_lease(world: World) -> None:
    """Having held a robot once is no right to it: the group is gone, and so is the right."""
    world.robot("r1", "owner")
    world.connect("mallory", groups=["ADMINS"]).offer()
    world.pass_seconds(61)
    former = world.connect("mallory")

    assert former.refused(type="takeover", robotId="r1") == (403, "forbidden")


def test_a_takeover_of_ones_own_lapsed_lease_takes_it_again(world: World) -> None:
    """Else anybody's next offer would take what has just been taken over."""
    robot = world.robot("r1", "owner")
    world.share("r1", "olga")
    owner = world.connect("owner")
    had = owner.offer()
    robot.take()
    world.pass_seconds(61)

    won = owner.ask(type="takeover", robotId="r1")

    assert (won["sessionId"], won["epoch"]) == (had["sessionId"], had["epoch"] + 1)
    assert [(frame["type"], frame["epoch"]) for frame in robot.take()] == [("takeover", 3)]
    assert owner.frames == []
    refused = world.connect("olga").refused(type="offer", robotId="r1", payload={"sdp": "o"})
    assert refused == (409, "robot_busy")


def test_who_takes_over_and_asks_for_no_reply_is_told_all_the_same(world: World) -> None:
    """By a `control`, since no `ack` tells the epoch."""
    world.robot("r1", "owner")
    owner = world.connect("owner")

    assert owner.send(type="takeover", robotId="r1") is None
    (told,) = owner.take()
    assert (told["type"], told["epoch"], told["person"]) == ("control", 2, OWNER)
