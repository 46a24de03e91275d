"""Shares that cross what others do, and shares that are cut off."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from robosignal.protocol.ids import RobotId, UserId
from robosignal.server.aws.dynamodb import DynamoStore
from tests.scenarios.between import Between
from tests.scenarios.shares import listed, shares
from tests.tables import CONNECTIONS, ROBOTS
from tests.tokens import signer
from tests.world import World

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

SDP = {"sdp": "o"}


def test_control_that_is_granted_while_the_share_ends_ends_too(
    crossing: World, between: Between
) -> None:
    """And a place that is taken meanwhile."""
    robot = crossing.robot("r1", "owner")
    owner, driver = crossing.connect("owner"), crossing.connect("owner")
    shares(owner, "olga")
    driver.offer()
    olga, second = crossing.connect("olga"), crossing.connect("olga")
    asking = olga.offer(role="viewer")["sessionId"]

    def meanwhile() -> None:
        driver.ask(type="grant-control", robotId="r1", sessionId=asking)
        second.offer(role="viewer")

    between.before_robot = meanwhile
    owner.ask(type="unshare", robotId="r1", userId="olga")

    item = crossing.item()
    assert (item.operators, item.controller) == (frozenset(), None)
    assert [each.user_id for each in item.viewers.values()] == ["owner"]
    assert "peer-left" in olga.types()
    assert second.types() == ["peer-left"]
    assert robot.take()[-1]["type"] == "peer-left"


class _Late(DynamoStore):
    """A store in which something happens right before the note of a share is dropped."""

    before_drop: Callable[[], object] = staticmethod(lambda: None)

    def drop_share(self, robot: RobotId, user: UserId) -> None:
        """Drop the note, after what comes before it, once."""
        happening, self.before_drop = self.before_drop, lambda: None
        happening()
        super().drop_share(robot, user)


def test_a_share_that_crosses_an_unshare_is_listed(dynamodb: "DynamoDBClient") -> None:
    """Whichever of the two drops or makes the note last."""
    store = _Late(dynamodb, CONNECTIONS, ROBOTS)
    world = World(store, signer())
    world.robot("r1", "owner")
    owner, second = world.connect("owner"), world.connect("owner")
    shares(owner, "olga")
    store.before_drop = lambda: shares(second, "olga")

    owner.ask(type="unshare", robotId="r1", userId="olga")

    assert world.item().operators == {"olga"}
    assert listed(world.connect("olga")) == [("r1", "operator")]


def test_an_unshare_that_was_cut_off_is_finished_by_the_next(
    crossing: World, between: Between
) -> None:
    """A place that was taken between its look and its write, when AWS was too busy for more."""
    crossing.robot("r1", "owner")
    owner, olga = crossing.connect("owner"), crossing.connect("olga")
    shares(owner, "olga")

    def meanwhile() -> None:
        olga.offer(role="viewer")
        between.throttle(after=1)

    between.before_robot = meanwhile

    refused = owner.refused(type="unshare", robotId="r1", userId="olga")
    left_over = len(crossing.item().viewers)
    between.throttle(after=None)
    ack = owner.ask(type="unshare", robotId="r1", userId="olga")

    assert (refused, left_over) == ((503, "try_again"), 1)
    assert (ack["operators"], crossing.item().viewers) == ([], {})
    assert olga.types() == ["peer-left"]


def test_who_goes_to_and_fro_cannot_keep_the_share(crossing: World, between: Between) -> None:
    """The right goes first: after that control can be given up, and not taken again."""
    crossing.robot("r1", "owner")
    owner, olga = crossing.connect("owner"), crossing.connect("olga")
    shares(owner, "olga")
    olga.offer()

    def to_and_fro() -> None:
        held = crossing.item().controller is not None
        olga.ask(type="release-control" if held else "request-control", robotId="r1")
        between.before_robot = to_and_fro

    between.before_robot = to_and_fro
    ack = owner.ask(type="unshare", robotId="r1", userId="olga")

    assert ack["operators"] == []
    assert list(crossing.item().sessions()) == []


def test_many_notes_of_robots_that_are_shared_no_more_do_no_harm(
    dynamo_store: DynamoStore,
) -> None:
    """The list comes in short pages, and to an end."""
    world = World(dynamo_store, signer())
    bob = world.connect("bob")
    for number in range(49):
        world.robot(f"own{number:02}", "bob")
    for number in range(60):
        world.robot(f"past{number:02}", "eve")
        dynamo_store.note_share(RobotId(f"past{number:02}"), UserId("bob"))

    found, cursor, pages = [], None, 0
    while pages == 0 or cursor is not None:
        more: dict[str, Any] = {} if cursor is None else {"cursor": cursor}
        reply = bob.ask(type="robots", **more)
        found += reply["robots"]
        cursor, pages = reply.get("cursor"), pages + 1

    assert [each["relation"] for each in found] == ["owner"] * 49
    assert pages > 1
