"""The control lease: who gets it, who is refused, when it ends by itself. On both stores."""

from typing import TYPE_CHECKING

import pytest

from robosignal.protocol.limits import GRACE_SECONDS
from robosignal.server.aws.dynamodb import DynamoStore
from tests.tables import CONNECTIONS, ROBOTS
from tests.tokens import signer
from tests.world import World

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

OWNER = {"userId": "owner", "name": "Owner"}
BOSS = {"userId": "boss", "name": "Boss"}


def test_a_held_lease_tells_the_same_user_that_it_is_theirs(world: World) -> None:
    """The holder's own user, on another connection, is refused with `you: true`."""
    world.robot("r1", "owner")
    world.connect("owner").offer()

    refused = world.connect("owner").offer()

    assert refused == {
        "type": "error",
        "replyTo": "q",
        "code": "robot_busy",
        "message": "you drive this robot from another connection: take over, or view it",
        "robotId": "r1",
        "controlledBy": OWNER,
        "you": True,
    }


def test_a_lease_that_is_not_renewed_is_held_for_sixty_seconds(world: World) -> None:
    """At its last millisecond a lease is still held."""
    world.robot("r1", "owner")
    world.connect("owner").offer()
    boss = world.connect("boss", groups=["ADMIN"])
    world.now = world.item().controller.until  # type: ignore[union-attr]

    assert boss.refused(type="offer", robotId="r1", sdp="o") == (409, "robot_busy")


def test_a_lapsed_lease_goes_to_the_next_who_offers(world: World) -> None:
    """Past its end the lease is free; its former holder is told who drives now.

    The robot is told that their session ended, at the epoch at which it held: so it closes
    that peer, and cannot take it for news of the driver it has now.
    """
    robot = world.robot("r1", "owner")
    first = world.connect("owner")
    had = first.offer()
    robot.take()
    boss = world.connect("boss", groups=["ADMIN"])
    world.pass_seconds(60.001)

    won = boss.offer()

    assert (won["role"], won["epoch"]) == ("controller", had["epoch"] + 1)
    offer, left = robot.take()
    assert (offer["type"], offer["epoch"]) == ("offer", won["epoch"])
    assert left == {
        "type": "peer-left",
        "robotId": "r1",
        "sessionId": had["sessionId"],
        "reason": "evicted",
        "epoch": had["epoch"],
    }
    assert first.take() == [
        {
            "type": "control-lost",
            "robotId": "r1",
            "sessionId": had["sessionId"],
            "by": BOSS,
            "epoch": won["epoch"],
        }
    ]


def test_a_ping_renews_the_lease(world: World) -> None:
    """A holder who pings every 20 s holds past 60 s."""
    world.robot("r1", "owner")
    driver = world.connect("owner")
    session = driver.offer()["sessionId"]
    boss = world.connect("boss", groups=["ADMIN"])

    for _ in range(4):
        world.pass_seconds(20)
        assert driver.ask(type="ping", sessionId=session)["type"] == "pong"

    assert boss.refused(type="offer", robotId="r1", sdp="o") == (409, "robot_busy")


def test_a_holder_whose_lease_has_lapsed_gets_a_new_epoch_by_an_offer(world: World) -> None:
    """Between the lapse and the offer anyone could have driven, so the epoch rises."""
    robot = world.robot("r1", "owner")
    driver = world.connect("owner")
    had = driver.offer()
    robot.take()
    world.pass_seconds(61)

    again = driver.offer()

    assert again == {
        "type": "ack",
        "replyTo": "q",
        "sessionId": had["sessionId"],
        "role": "controller",
        "epoch": had["epoch"] + 1,
    }
    assert [frame["epoch"] for frame in robot.take()] == [had["epoch"] + 1]
    assert driver.take() == []


def test_an_offer_in_a_session_renegotiates_at_the_same_epoch(world: World) -> None:
    """A second offer of the holder's is relayed, and changes nothing."""
    robot = world.robot("r1", "owner")
    driver = world.connect("owner")
    had = driver.offer()
    robot.take()
    world.pass_seconds(1)
    before = world.stored()

    again = driver.offer(sessionId=had["sessionId"], pcId="pc2", payload={"sdp": "o2"})

    assert (again["role"], again["epoch"]) == ("controller", had["epoch"])
    assert robot.take() == [
        {
            "type": "offer",
            "robotId": "r1",
            "sessionId": had["sessionId"],
            "person": OWNER,
            "role": "controller",
            "epoch": had["epoch"],
            "right": {"drive": True, "owner": True, "rightSeconds": driver.seconds_left},
            "pcId": "pc2",
            "payload": {"sdp": "o2"},
        }
    ]
    assert world.stored() == before


def test_a_lost_socket_leaves_thirty_seconds_of_grace(world: World) -> None:
    """In grace the lease is still held against others; after it, it is free."""
    world.robot("r1", "owner")
    driver = world.connect("owner")
    driver.offer()
    boss = world.connect("boss", groups=["ADMIN"])
    driver.disconnect()

    world.pass_seconds(30)
    in_grace = boss.refused(type="offer", robotId="r1", sdp="o")
    world.pass_seconds(0.001)
    after = boss.offer()

    assert in_grace == (409, "robot_busy")
    assert after["role"] == "controller"


def test_a_post_that_finds_the_holder_gone_begins_grace(world: World) -> None:
    """A 410 is proof: without any `$disconnect` the lease ends 30 s after it."""
    robot = world.robot("r1", "owner")
    driver = world.connect("owner")
    session = driver.offer()["sessionId"]
    boss = world.connect("boss", groups=["ADMIN"])
    driver.vanish()

    told = robot.refused(type="answer", sessionId=session, sdp="a")
    world.pass_seconds(30.001)
    after = boss.offer()

    assert told == (410, "peer_gone")
    assert after["role"] == "controller"


def test_a_second_report_of_a_lost_socket_does_not_lengthen_grace(world: World) -> None:
    """Grace counts from the first proof, however often the socket is found gone."""
    robot = world.robot("r1", "owner")
    driver = world.connect("owner")
    session = driver.offer()["sessionId"]
    boss = world.connect("boss", groups=["ADMIN"])
    driver.vanish()
    robot.send(type="answer", sessionId=session, sdp="a")

    world.pass_seconds(20)
    robot.send(type="answer", sessionId=session, sdp="a")
    driver.disconnect()
    world.pass_seconds(10.001)

    assert boss.offer()["role"] == "controller"


def test_a_late_disconnect_does_not_revive_a_lapsed_lease(world: World) -> None:
    """A `$disconnect` that comes after the lapse does not add thirty seconds."""
    world.robot("r1", "owner")
    driver = world.connect("owner")
    driver.offer()
    boss = world.connect("boss", groups=["ADMIN"])
    world.pass_seconds(61)

    driver.disconnect()

    assert boss.offer()["role"] == "controller"


def test_a_reloaded_page_takes_its_own_lease_in_grace_at_once(world: World) -> None:
    """The same user's offer in grace opens a new session with a new epoch."""
    robot = world.robot("r1", "owner")
    driver = world.connect("owner")
    had = driver.offer()
    driver.disconnect()
    robot.take()

    reloaded = world.connect("owner").offer()

    assert reloaded["sessionId"] != had["sessionId"]
    assert (reloaded["role"], reloaded["epoch"]) == ("controller", had["epoch"] + 1)
    assert robot.types() == ["offer", "peer-left"]


def test_another_user_cannot_take_a_lease_in_grace(world: World) -> None:
    """Grace is for the holder's own user alone."""
    world.robot("r1", "owner")
    driver = world.connect("owner")
    driver.offer()
    world.share("r1", "olga")
    driver.disconnect()

    assert world.connect("olga").refused(type="offer", robotId="r1", sdp="o") == (409, "robot_busy")


def test_a_late_ping_of_a_lost_socket_does_not_end_its_grace(world: World) -> None:
    """A 410 is proof: what the socket sent before comes late, and the same user takes over."""
    robot = world.robot("r1", "owner")
    driver = world.connect("owner")
    session = driver.offer()["sessionId"]
    driver.vanish()
    robot.send(type="answer", sessionId=session, sdp="a")
    grace = world.item().controller

    assert driver.refused(type="ping", sessionId=session) == (404, "no_session")
    assert world.item().controller == grace
    assert world.connect("owner").offer()["role"] == "controller"


@pytest.fixture
def elsewhere(dynamodb: "DynamoDBClient") -> DynamoStore:
    """The store of another execution environment, with a memory of its own."""
    return DynamoStore(dynamodb, CONNECTIONS, ROBOTS)


@pytest.mark.parametrize("role", ["controller", "viewer"])
@pytest.mark.parametrize("seconds", [0, 45, 290])
@pytest.mark.parametrize("late", ["ping", "resume"])
def test_an_environment_that_remembers_a_lost_socket_renews_nothing(
    dynamo_store: DynamoStore, elsewhere: DynamoStore, role: str, seconds: int, late: str
) -> None:
    """Its end was handled in one, and what it sent before comes to another, which has its row."""
    world = World(dynamo_store, signer())
    world.robot("r1", "owner")
    page = world.connect("owner")
    session = page.offer(role=role)["sessionId"]
    world.run_on(elsewhere)
    assert page.ask(type="ping", sessionId=session)["type"] == "pong"
    world.pass_seconds(seconds)
    world.run_on(dynamo_store)
    page.disconnect()
    lost = world.item().all_sessions()

    world.run_on(elsewhere)

    assert page.refused(type=late, sessionId=session) == (404, "no_session")
    assert world.item().all_sessions() == lost
    assert lost[0].until <= world.now + GRACE_SECONDS * 1000


def test_an_environment_that_remembers_a_lost_robot_renews_nothing(
    dynamo_store: DynamoStore, elsewhere: DynamoStore
) -> None:
    """It is offline, until it registers on a connection that is there."""
    world = World(dynamo_store, signer())
    robot = world.robot("r1", "owner")
    world.run_on(elsewhere)
    assert robot.ask(type="ping", robotId="r1")["type"] == "pong"
    world.run_on(dynamo_store)
    robot.disconnect()
    world.run_on(elsewhere)

    pinged = robot.refused(type="ping", robotId="r1")
    registered = robot.refused(type="register", robotId="r1", instanceId="run-0001")

    assert (pinged, registered) == ((404, "not_registered"), (404, "not_registered"))
    assert world.item().connection_id is None


def test_a_viewer_whose_socket_is_lost_is_granted_nothing(world: World) -> None:
    """The robot would have no driver; once they are back they can be granted it."""
    robot, driver = world.robot("r1", "owner"), world.connect("owner")
    world.share("r1", "olga")
    viewer = world.connect("olga")
    driver.offer()
    session = viewer.offer(role="viewer")["sessionId"]
    viewer.disconnect()
    robot.take()
    grant = {"type": "grant-control", "robotId": "r1", "sessionId": session}

    refused = driver.refused(**grant)
    back = world.connect("olga")
    back.ask(type="resume", sessionId=session)

    assert (refused, robot.take()) == ((410, "peer_gone"), [])
    assert driver.ask(**grant)["type"] == "ack"


def test_an_operator_may_drive(world: World) -> None:
    """An operator takes the free lease."""
    robot = world.robot("r1", "owner")
    world.share("r1", "olga")

    ack = world.connect("olga").offer()

    assert ack["role"] == "controller"
    assert robot.take()[0]["person"] == {"userId": "olga", "name": "Olga"}


def test_a_robot_cannot_drive_another(world: World) -> None:
    """A robot's connection is refused, though its user may drive; nothing changes."""
    target = world.robot("r1", "owner")
    machine = world.robot("r2", "owner")
    before = world.stored()

    refused = [
        machine.refused(type="offer", robotId="r1", sdp="o"),
        machine.refused(type="offer", robotId="r1", sdp="o", role="viewer"),
        machine.refused(type="takeover", robotId="r1"),
    ]

    assert refused == [(403, "forbidden")] * 3
    assert (world.stored(), target.take()) == (before, [])


def test_a_robot_cannot_drive_itself(world: World) -> None:
    """An offer of the robot's own that names no session of a client opens none."""
    robot = world.robot("r1", "owner")
    before = world.stored()

    refused = [
        robot.refused(type="offer", robotId="r1", sdp="o"),
        robot.refused(type="takeover", robotId="r1"),
    ]

    assert refused == [(404, "no_session"), (403, "forbidden")]
    assert world.stored() == before


def test_a_seed_holder_holds_without_pings(local_world: World) -> None:
    """A seed connection never pings: its lease lasts as long as its socket can."""
    world = local_world
    world.robot("r1", "owner")
    world.connect("owner", v1=False).offer()
    world.pass_seconds(600)

    assert world.connect("boss", groups=["ADMIN"]).refused(type="offer", robotId="r1", sdp="o") == (
        409,
        "robot_busy",
    )


def test_a_seed_holders_lost_socket_leaves_grace_all_the_same(local_world: World) -> None:
    """What a seed holder has ends 30 s after its socket is lost."""
    world = local_world
    world.robot("r1", "owner")
    driver = world.connect("owner", v1=False)
    driver.offer()
    driver.disconnect()
    world.pass_seconds(30.001)

    assert world.connect("boss", groups=["ADMIN"]).offer()["role"] == "controller"
