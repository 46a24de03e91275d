"""The list of robots: who sees which, in pages, and what is said of each."""

from typing import TYPE_CHECKING

import pytest

from robosignal.server.aws.dynamodb import DynamoStore
from tests.tables import ROBOTS
from tests.tokens import signer
from tests.world import Frame, Peer, World

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

OWNER = {"userId": "owner", "name": "Owner"}


def listed(peer: Peer, **message: object) -> list[Frame]:
    """Return one page of the list."""
    robots: list[Frame] = peer.ask(type="robots", **message)["robots"]
    return robots


def pages(peer: Peer, **message: object) -> list[list[str]]:
    """Return the ids of every page of the list."""
    found: list[list[str]] = []
    cursor: dict[str, str] = {}
    while True:
        reply = peer.ask(type="robots", **message, **cursor)
        found.append([entry["robotId"] for entry in reply["robots"]])
        if "cursor" not in reply:
            return found
        cursor = {"cursor": reply["cursor"]}


def test_an_owner_sees_all_that_is_said_of_a_robot(world: World) -> None:
    """Presence, the driver, the number of viewers, what the robot said of itself."""
    robot = world.connect("owner")
    robot.ask(type="register", robotId="r1", metadata={"model": "x1"}, iceRestart=False)
    world.connect("boss", groups=["ADMIN"]).offer()
    world.connect("owner").offer(role="viewer")

    (entry,) = listed(world.connect("owner"))

    assert entry == {
        "robotId": "r1",
        "online": True,
        "validForSeconds": 59,
        "rev": world.item().rev,
        "owner": OWNER,
        "relation": "owner",
        "controlledBy": {"userId": "boss", "name": "Boss"},
        "viewers": 1,
        "metadata": {"model": "x1"},
        "dialect": "v1",
        "iceRestart": False,
    }


def test_a_user_sees_their_own_robots_alone(world: World) -> None:
    """And no other's, asked for by name or not."""
    world.robot("r1", "owner")
    world.robot("r2", "other")
    peer = world.connect("owner")

    assert [entry["robotId"] for entry in listed(peer)] == ["r1"]
    assert [entry["robotId"] for entry in listed(peer, robotIds=["r2", "r1", "r9", "r1"])] == ["r1"]


def test_a_stranger_sees_nothing(world: World) -> None:
    """Nor whether a robot exists."""
    world.robot("r1", "owner")

    assert listed(world.connect("stranger"), robotIds=["r1", "r9"]) == []


def test_an_operator_sees_what_is_shared_with_them(local_world: World) -> None:
    """With the owner's id; the owner's name is not theirs to know from here."""
    world = local_world
    world.robot("r1", "owner")
    world.robot("r2", "owner")
    world.share("r1", "olga")

    (entry,) = listed(world.connect("olga"))

    assert (entry["robotId"], entry["relation"]) == ("r1", "operator")
    assert entry["owner"] == {"userId": "owner"}


def test_on_dynamodb_a_share_is_found_by_its_own_item(
    dynamodb: "DynamoDBClient", dynamo_store: DynamoStore
) -> None:
    """The share's item lists the robot, the robot's operators decide."""
    world = World(dynamo_store, signer())
    for robot_id in ("r1", "r2"):
        world.robot(robot_id, "owner")
        dynamodb.put_item(
            TableName=ROBOTS,
            Item={"robotId": {"S": f"{robot_id}#olga"}, "operatorUserId": {"S": "olga"}},
        )
    world.share("r1", "olga")

    assert [entry["robotId"] for entry in listed(world.connect("olga"))] == ["r1"]


def test_an_admin_sees_every_robot_only_when_asking_for_all(world: World) -> None:
    """Without `all` an admin's list is like anyone's."""
    world.robot("r1", "owner")
    world.robot("r2", "other")
    world.robot("r3", "boss")
    boss = world.connect("boss", groups=["Admin"])

    mine, every = listed(boss), listed(boss, all=True)

    assert [(entry["robotId"], entry["relation"]) for entry in mine] == [("r3", "owner")]
    assert sorted((entry["robotId"], entry["relation"]) for entry in every) == [
        ("r1", "admin"),
        ("r2", "admin"),
        ("r3", "owner"),
    ]


def test_only_an_admin_asks_for_all(local_world: World) -> None:
    """An owner of robots is refused like anyone."""
    local_world.robot("r1", "owner")

    assert local_world.connect("owner").refused(type="robots", all=True) == (403, "forbidden")


def test_a_long_list_comes_in_pages(world: World) -> None:
    """Fifty at a time, each robot once, nothing after the last."""
    ids = [f"r{n:03}" for n in range(60)]
    for robot_id in ids:
        world.enrol(robot_id, "owner")
    world.enrol("other", "other")

    found = pages(world.connect("owner"))

    assert [robot_id for page in found for robot_id in page] == ids
    assert [len(page) for page in found] == [50, 10]


def test_an_admins_list_of_all_comes_in_pages_too(local_world: World) -> None:
    """Through every shard of the fleet, each robot once."""
    ids = {f"r{n:03}" for n in range(120)}
    for robot_id in ids:
        local_world.enrol(robot_id, "owner")

    found = pages(local_world.connect("boss", groups=["ADMIN"]), all=True)

    listed_ids = [robot_id for page in found for robot_id in page]
    assert (len(listed_ids), set(listed_ids)) == (120, ids)
    assert max(len(page) for page in found) == 50


CURSORS = ["x", "!!!", "bnVsbA", "W10", "WyJmb28iXQ", "\u00e9", "A" * 1025]


@pytest.mark.parametrize("cursor", CURSORS)
def test_a_cursor_that_no_reply_gave_is_a_bad_message(local_world: World, cursor: str) -> None:
    """Never an internal error."""
    assert local_world.connect("owner").refused(type="robots", cursor=cursor) == (
        400,
        "bad_message",
    )


def test_a_cursor_of_another_question_is_a_bad_message(local_world: World) -> None:
    """A cursor of an admin's `all` continues no list of one's own."""
    for n in range(60):
        local_world.enrol(f"r{n:03}", "boss")
    boss = local_world.connect("boss", groups=["ADMIN"])
    cursor = boss.ask(type="robots", all=True)["cursor"]

    assert boss.refused(type="robots", cursor=cursor) == (400, "bad_message")


def test_a_robot_that_lets_its_presence_lapse_is_offline(world: World) -> None:
    """Judged at the moment of reading; nothing has to be written for it."""
    world.robot("r1", "owner")
    world.connect("owner").offer()
    before = world.item()
    world.pass_seconds(300)

    (entry,) = listed(world.connect("owner"))

    assert (entry["online"], entry["validForSeconds"]) == (False, 0)
    assert "controlledBy" not in entry
    assert world.item() == before


def test_a_robot_whose_token_has_expired_is_offline(local_world: World) -> None:
    """Nothing can be delivered to it any more."""
    robot = local_world.connect("owner", ttl_s=60)
    robot.ask(type="register", robotId="r1")
    local_world.pass_seconds(61)

    (entry,) = listed(local_world.connect("owner"))

    assert not entry["online"]


def test_a_seed_robot_is_online_without_pings(local_world: World) -> None:
    """While its socket's lifetime lasts and no post to it has failed."""
    robot = local_world.connect("owner", v1=False, ttl_s=10_000)
    robot.send(type="register", robotId="r1")
    local_world.pass_seconds(7000)
    online = listed(local_world.connect("owner"))
    local_world.pass_seconds(200)

    assert [entry["online"] for entry in online] == [True]
    assert [entry["online"] for entry in listed(local_world.connect("owner"))] == [False]


def test_what_is_said_of_an_idle_robot_holds_until_its_presence_lapses(local_world: World) -> None:
    """In whole seconds, rounded down."""
    local_world.robot("r1", "owner")
    local_world.pass_seconds(100.5)

    (entry,) = listed(local_world.connect("owner"))

    assert entry["validForSeconds"] == 199


def test_a_lapsed_lease_names_no_driver(local_world: World) -> None:
    """Nor does a lapsed viewer count."""
    robot = local_world.robot("r1", "owner")
    local_world.connect("owner").offer()
    local_world.connect("owner").offer(role="viewer")
    for _ in range(4):
        local_world.pass_seconds(100)
        robot.ask(type="ping", robotId="r1")

    (entry,) = listed(local_world.connect("owner"))

    assert "controlledBy" not in entry
    assert (entry["online"], entry["viewers"]) == (True, 0)


def test_rev_rises_with_connection_and_holder_and_not_with_renewals(world: World) -> None:
    """A reader who has seen a higher rev ignores a lower one."""
    owner = world.connect("owner")
    robot = world.connect("owner")
    seen: list[int] = []

    def look() -> None:
        seen.append(listed(owner)[0]["rev"])

    robot.ask(type="register", robotId="r1", instanceId="run1")
    look()
    session = owner.offer()["sessionId"]
    look()
    owner.ask(type="ping", sessionId=session)
    robot.ask(type="ping", robotId="r1")
    look()
    world.connect("owner").offer(role="viewer")
    look()
    owner.ask(type="release-control", robotId="r1")
    look()
    robot.disconnect()
    look()
    world.connect("owner").ask(type="register", robotId="r1", instanceId="run1")
    look()

    assert [rev - seen[0] for rev in seen] == [0, 1, 1, 1, 2, 3, 4]


def test_a_list_says_who_may_still_be_obeyed_after_the_lease_lapsed(world: World) -> None:
    """Nothing tells the robot of a lapse, so it obeys the last driver until the right ends."""
    robot = world.robot("r1", "owner")
    world.connect("owner", ttl_s=120).offer()
    admin = world.connect("boss", groups=["ADMINS"])

    def entry() -> Frame:
        robot.ask(type="ping", robotId="r1")
        (found,) = admin.ask(type="robots", robotIds=["r1"])["robots"]
        return {name: found.get(name) for name in ("controlledBy", "notRenewed")}

    driving = entry()
    world.pass_seconds(61)
    lapsed = entry()
    world.pass_seconds(60)
    ended = entry()

    person = {"userId": "owner", "name": "Owner"}
    assert driving == {"controlledBy": person, "notRenewed": None}
    assert lapsed == {"controlledBy": None, "notRenewed": person}
    assert ended == {"controlledBy": None, "notRenewed": None}
