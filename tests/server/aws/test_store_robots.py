"""What `robosignal.server.ports.Store` promises of robots' items, kept by both stores."""

from msgspec import structs

from robosignal.protocol.ids import RobotId
from robosignal.server.core.conditional_writes import (
    AddToSet,
    Compare,
    Exists,
    Increment,
    Missing,
    Put,
    Remove,
    RemoveFromSet,
    Write,
)
from robosignal.server.core.records import Assertion
from robosignal.server.core.steps import ConditionFailed, Page, Written
from robosignal.server.core.writes import presence
from robosignal.server.ports import Store
from tests.server.aws.items import ANN, BOB, R1, claim, claimed


def test_a_robot_begins_with_the_write_that_claims_it(store: Store) -> None:
    """There was nothing before; after, the item is as the write made it."""
    assert store.robot(R1) is None

    outcome = store.write_robot(R1, presence.register_process(claim()))

    assert isinstance(outcome, Written)
    assert outcome.before is None
    assert (outcome.after.robot_id, outcome.after.owner_user_id) == (R1, ANN)
    assert (outcome.after.epoch, outcome.after.rev) == (1, claim().now + 1)
    assert store.robot(R1) == outcome.after


def test_a_check_tells_what_a_write_would_come_to_and_leaves_the_item(store: Store) -> None:
    """Whether it would make the item, change it, or be refused."""
    again, lost = (
        presence.register_process(claim()),
        presence.record_loss(claim().row.connection_id),
    )
    checked = [store.check_robot(R1, write) for write in (again, lost)]
    nothing = store.robot(R1)
    written_to_nothing = store.write_robot(R1, lost)
    written = [store.write_robot(R1, again)]
    checked += [store.check_robot(R1, write) for write in (again, lost)]
    stored = store.robot(R1)
    written += [store.write_robot(R1, write) for write in (again, lost)]

    assert checked[0] == written[0]
    assert checked[1] == written_to_nothing
    assert nothing is None
    assert checked[2:] == written[1:]
    assert isinstance(checked[3], Written)
    assert stored == checked[3].before


def test_a_robot_is_removed_while_it_is_as_it_was(store: Store) -> None:
    """The condition holds, so nothing is left of it, in lists neither."""
    robot = claimed(store, "r1")

    assert store.remove_robot(R1, presence.is_unchanged_since(robot.rev))
    assert store.robot(R1) is None
    assert store.list_owned(ANN, None, 5) == Page((), None)


def test_a_robot_that_has_changed_is_not_removed(store: Store) -> None:
    """The condition refuses, and the item stays as it is."""
    robot = claimed(store, "r1")

    assert not store.remove_robot(R1, presence.is_unchanged_since(robot.rev + 1))
    assert store.robot(R1) == robot


def test_a_robot_that_does_not_exist_is_not_removed(store: Store) -> None:
    """There is nothing for which the condition could hold."""
    assert not store.remove_robot(R1, presence.is_unchanged_since(1))


def test_a_refused_claim_makes_no_robot(store: Store) -> None:
    """A key that is not enrolled registers nothing: an unknown id stays unknown."""
    assertion = Assertion(robot_id=R1, kid="k", iat=1, jti="j")
    by_key = structs.replace(claim(), row=structs.replace(claim().row, assertion=assertion))

    outcome = store.write_robot(R1, presence.register_process(by_key))

    assert isinstance(outcome, ConditionFailed)
    assert outcome.item is None
    assert store.robot(R1) is None


def test_a_refused_write_to_a_robot_returns_it_as_it_is(store: Store) -> None:
    """Refused explains itself, and nothing has changed."""
    robot = claimed(store, "r1")

    assert store.write_robot(R1, presence.register_process(claim(BOB))) == ConditionFailed(robot)
    assert store.robot(R1) == robot


def test_a_write_sees_every_write_before_it(store: Store) -> None:
    """One after another, each on what the last one left."""
    claimed(store, "r1")
    rise = Write("rise", Exists(("epoch",)), (Increment(("epoch",)),))

    epochs = [
        outcome.after.epoch
        for outcome in (store.write_robot(R1, rise) for _ in range(3))
        if isinstance(outcome, Written)
    ]

    assert epochs == [2, 3, 4]


def test_sets_of_a_robot_are_kept(store: Store) -> None:
    """Operators come and go one by one; the last takes the set along."""
    claimed(store, "r1")
    there = Exists(("ownerUserId",))
    for user in (ANN, BOB):
        store.write_robot(R1, Write("share", there, (AddToSet(("operators",), user),)))
    store.write_robot(R1, Write("unshare", there, (RemoveFromSet(("operators",), ANN),)))
    robot = store.robot(R1)

    assert robot is not None
    assert robot.operators == frozenset({BOB})

    store.write_robot(R1, Write("unshare", there, (RemoveFromSet(("operators",), BOB),)))
    none_left = Write("mark", Missing(("operators",)), (Put(("updatedAt",), 7),))

    assert isinstance(store.write_robot(R1, none_left), Written)


def test_robots_come_in_the_order_asked(store: Store) -> None:
    """Those that exist; the missing are left out."""
    made = {robot: claimed(store, robot) for robot in ("a", "b", "c")}

    found = store.robots([RobotId(each) for each in ("c", "none", "a", "b")])

    assert found == [made["c"], made["a"], made["b"]]


def test_none_of_the_robots_asked_for_need_exist(store: Store) -> None:
    """An empty answer, no error."""
    assert store.robots([R1, RobotId("r2")]) == []


def test_a_dropped_attribute_is_its_default_again(store: Store) -> None:
    """A robot whose socket is lost has no connection."""
    robot = claimed(store, "r1")
    connection = robot.connection_id
    same = Compare(("connectionId",), "=", connection)

    outcome = store.write_robot(R1, Write("lose", same, (Remove(("connectionId",)),)))

    assert outcome == Written(robot, structs.replace(robot, connection_id=None))
