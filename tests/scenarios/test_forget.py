"""Forgetting a robot: all trace of it goes, and everyone concerned hears of it."""

from robosignal.protocol.ids import RobotId
from tests.world import Peer, World


def test_the_owner_forgets_a_robot_and_its_id_is_free_again(world: World) -> None:
    """Nothing is left of it: another user may claim the id, at the first epoch."""
    world.robot("r1", "owner")
    owner = world.connect("owner")

    owner.ask(type="forget", robotId="r1")

    assert owner.status == 200
    assert world.store.robot(RobotId("r1")) is None
    taken = world.connect("eve").ask(type="register", robotId="r1")
    assert taken["control"] == {"epoch": 1}


def test_a_driver_of_a_forgotten_robot_is_told(world: World) -> None:
    """The session ends with reason evicted."""
    world.robot("r1", "owner")
    driver = world.connect("boss", groups=["ADMINS"])
    session = driver.offer()["sessionId"]

    world.connect("owner").ask(type="forget", robotId="r1")

    assert driver.take() == [
        {
            "type": "peer-left",
            "robotId": "r1",
            "sessionId": session,
            "reason": "evicted",
            "epoch": 3,
        }
    ]


def test_watchers_hear_that_a_forgotten_robot_is_offline(world: World) -> None:
    """The last news of a robot is that it has gone."""
    world.robot("r1", "owner")
    watcher = world.connect("owner")
    watcher.ask(type="watch")
    rev = world.item().rev

    world.connect("owner").ask(type="forget", robotId="r1")

    (told,) = watcher.take()
    assert (told["type"], told["online"], told["rev"]) == ("presence", False, rev + 1)


def test_a_robots_next_life_is_newer_than_the_forgotten_one(world: World) -> None:
    """A watcher keeps the highest `rev`, and must not take what follows for old news."""
    world.robot("r1", "owner")
    for _ in range(5):
        world.connect("owner").offer()
        world.connect("owner").ask(type="takeover", robotId="r1")
    before = world.item().rev
    world.connect("owner").ask(type="forget", robotId="r1")
    world.pass_seconds(1)

    world.robot("r1", "owner")

    assert world.item().rev > before + 1


def test_the_robot_is_told_of_every_session_that_forget_ends(world: World) -> None:
    """A viewer's peer connection ends as the driver's does."""
    robot = world.robot("r1", "owner")
    viewing = world.connect("owner").offer(role="viewer")["sessionId"]
    robot.take()

    world.connect("owner").ask(type="forget", robotId="r1")

    (left,) = robot.take()
    assert (left["type"], left["sessionId"], left["reason"]) == ("peer-left", viewing, "evicted")


def test_the_robot_stops_obeying_the_evicted_driver(world: World) -> None:
    """It hears at once that the holder's session has ended, at a higher epoch."""
    robot = world.robot("r1", "owner")
    session = world.connect("owner").offer()["sessionId"]
    robot.take()

    world.connect("owner").ask(type="forget", robotId="r1")

    (left,) = robot.take()
    assert (left["type"], left["sessionId"]) == ("peer-left", session)
    assert (left["reason"], left["epoch"]) == ("evicted", 3)


def test_a_seed_robot_that_is_forgotten_is_closed(world: World) -> None:
    """It could not read a frame that tells it."""
    robot = world.robot("r1", "owner", v1=False)

    world.connect("owner").ask(type="forget", robotId="r1")

    assert not robot.is_open


def test_the_robot_itself_learns_by_its_next_ping(world: World) -> None:
    """Its presence is gone, so there is nothing to renew."""
    robot = world.robot("r1", "owner")

    world.connect("owner").ask(type="forget", robotId="r1")

    assert robot.refused(type="ping", robotId="r1") == (404, "not_registered")


def test_a_stranger_forgets_nothing_and_learns_nothing(world: World) -> None:
    """A robot of others and one that does not exist read the same."""
    world.robot("r1", "owner")
    before = world.stored()
    eve = world.connect("eve")
    after_connect = world.stored()

    answers = [eve.refused(type="forget", robotId=robot) for robot in ("r1", "r2")]

    assert answers == [(403, "forbidden"), (403, "forbidden")]
    assert world.stored() == after_connect != before


def test_a_robot_that_registers_meanwhile_is_not_lost(world: World) -> None:
    """The deletion is refused when anything has changed since the eviction; the asker retries."""
    world.robot("r1", "owner")
    world.connect("boss", groups=["ADMINS"]).offer()
    late, owner = world.connect("owner"), world.connect("owner")
    world.outbox.before_post = lambda: _register_once(world, late)

    refused = owner.refused(type="forget", robotId="r1")

    assert refused == (503, "try_again")
    assert world.store.robot(RobotId("r1")) is not None


def _register_once(world: World, late: Peer) -> None:
    world.outbox.before_post = lambda: None
    late.send(type="register", robotId="r1", instanceId="late")
