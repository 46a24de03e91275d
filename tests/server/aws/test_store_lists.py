"""What `robosignal.server.ports.Store` promises of lists of robots, kept by both stores."""

from typing import TYPE_CHECKING, Any

import pytest

from robosignal.protocol.ids import RobotId, UserId
from robosignal.server.core.conditional_writes import AddToSet, Exists, Put, Write
from robosignal.server.core.steps import Page, Written
from robosignal.server.core.writes import presence
from robosignal.server.ports import Store
from tests.tables import ROBOTS

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
from tests.server.aws.items import ANN, BOB, claim, claimed, pages


@pytest.fixture
def share(store: Store, request: pytest.FixtureRequest) -> Any:
    """Share a robot with a user, as this store keeps it."""
    table: DynamoDBClient | None = None
    if "dynamodb" in request.node.callspec.id:
        table = request.getfixturevalue("dynamodb")

    def shared(robot: str, user: UserId) -> None:
        if table is not None:
            item: Any = {"robotId": {"S": f"{robot}#{user}"}, "operatorUserId": {"S": user}}
            table.put_item(TableName=ROBOTS, Item=item)
        joined = Write("share", Exists(("ownerUserId",)), (AddToSet(("operators",), user),))
        assert isinstance(store.write_robot(RobotId(robot), joined), Written)

    return shared


def test_a_list_comes_in_pages(store: Store) -> None:
    """Every robot of the owner once, no page over its limit, and the last says so."""
    mine = [f"mine-{number}" for number in range(5)]
    for robot in mine:
        claimed(store, robot)
    claimed(store, "theirs", owner=BOB)

    found = pages(lambda after, limit: store.list_owned(ANN, after, limit), 2)

    assert sorted(robot for page in found for robot in page.robot_ids) == mine
    assert max(len(page.robot_ids) for page in found) == 2
    assert found[-1].after is None


def test_a_list_goes_on_after_a_robot_that_is_gone(store: Store) -> None:
    """A cursor is a place in the list, whatever robots have come or gone."""
    for robot in ("a", "b", "c"):
        claimed(store, robot)
    first = store.list_owned(ANN, None, 1)
    gone = Write("transfer", Exists(("ownerUserId",)), (Put(("ownerUserId",), BOB),))
    store.write_robot(first.robot_ids[0], gone)

    rest = pages(lambda after, limit: store.list_owned(ANN, after or first.after, limit), 5)

    listed = [robot for page in rest for robot in page.robot_ids]
    assert sorted([*listed, first.robot_ids[0]]) == ["a", "b", "c"]


def test_a_list_of_nothing_is_one_empty_page(store: Store) -> None:
    """For each of the lists."""
    empty = Page((), None)

    assert store.list_owned(ANN, None, 5) == empty
    assert store.list_shared(ANN, None, 5) == empty
    assert store.list_fleet("0", None, 5) == empty


def test_shared_robots_are_listed_in_pages(store: Store, share: Any) -> None:
    """By their own ids; a user's own robots are not among them, nor another's."""
    for robot in ("s1", "s2", "s3", "own"):
        claimed(store, robot, owner=ANN if robot == "own" else BOB)
    for robot in ("s1", "s2", "s3"):
        share(robot, ANN)
    share("own", BOB)

    found = pages(lambda after, limit: store.list_shared(ANN, after, limit), 2)

    assert sorted(robot for page in found for robot in page.robot_ids) == ["s1", "s2", "s3"]


def test_a_share_is_no_robot_of_anybody(store: Store, share: Any) -> None:
    """What lists shared robots is in no other list."""
    claimed(store, "s1", owner=BOB, shard="3")
    share("s1", ANN)

    assert store.list_owned(ANN, None, 5).robot_ids == ()
    assert store.list_fleet("3", None, 5).robot_ids == ("s1",)
    assert store.list_owned(BOB, None, 5).robot_ids == ("s1",)


def test_the_fleet_is_listed_by_shard(store: Store) -> None:
    """Each robot in the shard of its claim, which a later claim does not move."""
    claimed(store, "a", shard="1")
    claimed(store, "b", shard="2")
    store.write_robot(RobotId("b"), presence.register_process(claim(shard="1", run="later")))

    assert store.list_fleet("1", None, 5).robot_ids == ("a",)
    assert store.list_fleet("2", None, 5).robot_ids == ("b",)
