"""What `signaling.ports.Store` promises, kept by both stores."""

from typing import TYPE_CHECKING, Any

import pytest
from msgspec import structs

from signaling.core.expressions import Compare, Drop, Exists, Join, Missing, Part, Put, Rise, Write
from signaling.core.records import Connection, Robot
from signaling.core.steps import Page, Refused, Watcher, Won
from signaling.core.writes import presence, rows
from signaling.core.writes.presence import Claim
from signaling.ports import Store
from signaling.wire.ids import ConnectionId, InstanceId, RobotId, SessionId, UserId
from tests.tables import ROBOTS

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

NOW = 1_800_000_000_000
ANN, BOB = UserId("ann"), UserId("bob")
C1, C2 = ConnectionId("c1="), ConnectionId("c2=")
R1 = RobotId("r1")


def row(connection: ConnectionId = C1, **fields: Any) -> Connection:
    """Return a row as `$connect` writes it."""
    plain = Connection(
        connection_id=connection, user_id=ANN, ts=NOW, expires_at=NOW + 1000, ttl=NOW // 1000
    )
    return structs.replace(plain, **fields)


def claim(owner: UserId = ANN, shard: str = "0", run: str = "run") -> Claim:
    """Return a robot's claim."""
    return Claim(
        row=row(ConnectionId(f"{owner}-{run}="), user_id=owner, dialect="v1"),
        instance_id=InstanceId(run),
        metadata=None,
        ice_restart=True,
        fleet_shard=shard,
        until=NOW + 300_000,
        now=NOW,
        force=False,
        provisioned=False,
    )


def claimed(store: Store, robot: str, **fields: Any) -> Robot:
    """Register a robot and return it."""
    outcome = store.write_robot(RobotId(robot), presence.register_anew(claim(**fields)))
    assert isinstance(outcome, Won)
    return outcome.after


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
        joined = Write("share", Exists(("ownerUserId",)), (Join(("operators",), user),))
        assert isinstance(store.write_robot(RobotId(robot), joined), Won)

    return shared


def pages(ask: Any, limit: int) -> list[Page]:
    """Follow a list to its end."""
    found: list[Page] = []
    after = None
    while not found or after is not None:
        found.append(ask(after, limit))
        after = found[-1].after
    return found


# Connections


def test_a_row_reads_back_whole(store: Store) -> None:
    """Every field, whether it was given or not."""
    full = row(
        name="Ann",
        groups=("drivers", "Admins"),
        kind="robot",
        dialect="v1",
        robot_id=R1,
        sessions=frozenset({SessionId("r1:x")}),
        watcher_user_id="ann",
    )
    store.add_connection(full)
    store.add_connection(row(C2))

    assert store.connection(C1) == full
    assert store.connection(C2) == row(C2)


def test_an_unknown_connection_has_no_row(store: Store) -> None:
    """Neither read finds one, and there is none to remove."""
    assert store.connection(C1) is None
    assert store.sender(C1) is None
    assert store.remove_connection(C1) is None


def test_removing_a_row_returns_it(store: Store) -> None:
    """The row as it was at its end, with what was noted on it meanwhile."""
    store.add_connection(row())
    store.write_connection(C1, rows.note_session(C1, SessionId("r1:x")))

    assert store.remove_connection(C1) == row(sessions=frozenset({SessionId("r1:x")}))
    assert store.connection(C1) is None
    assert store.remove_connection(C1) is None


def test_a_write_to_a_row_returns_it_before_and_after(store: Store) -> None:
    """Won says what the row was and what it became."""
    store.add_connection(row())

    outcome = store.write_connection(C1, rows.speak_v1(C1))

    assert outcome == Won(row(), row(dialect="v1"))
    assert store.connection(C1) == row(dialect="v1")


def test_a_refused_write_to_a_row_returns_it_as_it_is(store: Store) -> None:
    """Refused explains itself, and nothing has changed."""
    busy = row(sessions=frozenset({SessionId("r1:x")}))
    store.add_connection(busy)

    assert store.write_connection(C1, rows.speak_v1(C1)) == Refused(busy)
    assert store.connection(C1) == busy


@pytest.mark.parametrize(
    "write",
    [
        rows.speak_v1(C1),
        rows.note_robot(C1, R1),
        rows.note_session(C1, SessionId("r1:x")),
        rows.forget_session(SessionId("r1:x")),
        rows.watch(C1, "ann"),
        rows.unwatch(),
    ],
    ids=lambda write: write.name,
)
def test_no_write_makes_a_row(store: Store, write: Write) -> None:
    """A connection that is gone stays gone, whatever arrives late."""
    assert store.write_connection(C1, write) == Refused(None)
    assert store.connection(C1) is None


def test_the_last_session_leaves_no_empty_set(store: Store) -> None:
    """A row whose sessions have ended is as if it had none: it may speak v1 still."""
    store.add_connection(row())
    store.write_connection(C1, rows.note_session(C1, SessionId("r1:x")))
    store.write_connection(C1, rows.forget_session(SessionId("r1:x")))

    assert store.write_connection(C1, rows.speak_v1(C1)) == Won(row(), row(dialect="v1"))


def test_a_sender_whose_dialect_may_change_is_read_as_it_is(store: Store) -> None:
    """A seed connection that asks for v1 speaks v1 from then on."""
    store.add_connection(row())
    assert store.sender(C1) == row()

    store.write_connection(C1, rows.speak_v1(C1))

    assert store.sender(C1) == row(dialect="v1")


@pytest.mark.parametrize("dialect", ["seed", "v1"])
def test_a_sender_from_memory_hides_no_removal(store: Store, dialect: str) -> None:
    """However often the sender was asked for, `connection` tells that the row is gone."""
    store.add_connection(row(dialect=dialect))
    store.sender(C1)
    store.remove_connection(C1)

    assert store.connection(C1) is None
    assert store.sender(C1) is None


# Watchers


def test_watchers_are_listed_until_they_leave(store: Store) -> None:
    """Each list has its own; unwatching takes one off, and so does the row's end."""
    for connection in (C1, C2, ConnectionId("c3=")):
        store.add_connection(row(connection))
        store.write_connection(connection, rows.watch(connection, "ann"))
    store.write_connection(C2, rows.watch(C2, "#admins"))

    assert set(store.watchers("ann")) == {
        Watcher(C1, NOW + 1000),
        Watcher(ConnectionId("c3="), NOW + 1000),
    }
    assert store.watchers("#admins") == (Watcher(C2, NOW + 1000),)

    store.write_connection(C1, rows.unwatch())
    store.remove_connection(ConnectionId("c3="))

    assert store.watchers("ann") == ()
    assert store.watchers("nobody") == ()


# Robots


def test_a_robot_begins_with_the_write_that_claims_it(store: Store) -> None:
    """There was nothing before; after, the item is as the write made it."""
    assert store.robot(R1) is None

    outcome = store.write_robot(R1, presence.register_anew(claim()))

    assert isinstance(outcome, Won)
    assert outcome.before is None
    assert (outcome.after.robot_id, outcome.after.owner_user_id) == (R1, ANN)
    assert (outcome.after.epoch, outcome.after.rev) == (1, 1)
    assert store.robot(R1) == outcome.after


def test_a_robot_is_removed_while_it_is_as_it_was(store: Store) -> None:
    """The condition holds, so nothing is left of it, in lists neither."""
    robot = claimed(store, "r1")

    assert store.remove_robot(R1, presence.unchanged_since(robot.rev))
    assert store.robot(R1) is None
    assert store.owned(ANN, None, 5) == Page((), None)


def test_a_robot_that_has_changed_is_not_removed(store: Store) -> None:
    """The condition refuses, and the item stays as it is."""
    robot = claimed(store, "r1")

    assert not store.remove_robot(R1, presence.unchanged_since(robot.rev + 1))
    assert store.robot(R1) == robot


def test_a_robot_that_does_not_exist_is_not_removed(store: Store) -> None:
    """There is nothing for which the condition could hold."""
    assert not store.remove_robot(R1, presence.unchanged_since(1))


def test_a_refused_claim_makes_no_robot(store: Store) -> None:
    """Where only enrolled robots may register, an unknown id stays unknown."""
    provisioned = structs.replace(claim(), provisioned=True)

    outcome = store.write_robot(R1, presence.register_anew(provisioned))

    assert isinstance(outcome, Refused)
    assert outcome.item is None
    assert store.robot(R1) is None


def test_a_refused_write_to_a_robot_returns_it_as_it_is(store: Store) -> None:
    """Refused explains itself, and nothing has changed."""
    robot = claimed(store, "r1")

    assert store.write_robot(R1, presence.register_anew(claim(BOB))) == Refused(robot)
    assert store.robot(R1) == robot


def test_a_write_sees_every_write_before_it(store: Store) -> None:
    """One after another, each on what the last one left."""
    claimed(store, "r1")
    rise = Write("rise", Exists(("epoch",)), (Rise(("epoch",)),))

    epochs = [
        outcome.after.epoch
        for outcome in (store.write_robot(R1, rise) for _ in range(3))
        if isinstance(outcome, Won)
    ]

    assert epochs == [2, 3, 4]


def test_sets_of_a_robot_are_kept(store: Store) -> None:
    """Operators come and go one by one; the last takes the set along."""
    claimed(store, "r1")
    there = Exists(("ownerUserId",))
    for user in (ANN, BOB):
        store.write_robot(R1, Write("share", there, (Join(("operators",), user),)))
    store.write_robot(R1, Write("unshare", there, (Part(("operators",), ANN),)))
    robot = store.robot(R1)

    assert robot is not None
    assert robot.operators == frozenset({BOB})

    store.write_robot(R1, Write("unshare", there, (Part(("operators",), BOB),)))
    none_left = Write("mark", Missing(("operators",)), (Put(("updatedAt",), 7),))

    assert isinstance(store.write_robot(R1, none_left), Won)


def test_robots_come_in_the_order_asked(store: Store) -> None:
    """Those that exist; the missing are left out."""
    made = {robot: claimed(store, robot) for robot in ("a", "b", "c")}

    found = store.robots([RobotId(each) for each in ("c", "none", "a", "b")])

    assert found == [made["c"], made["a"], made["b"]]


def test_none_of_the_robots_asked_for_need_exist(store: Store) -> None:
    """An empty answer, no error."""
    assert store.robots([R1, RobotId("r2")]) == []


# Lists


def test_a_list_comes_in_pages(store: Store) -> None:
    """Every robot of the owner once, no page over its limit, and the last says so."""
    mine = [f"mine-{number}" for number in range(5)]
    for robot in mine:
        claimed(store, robot)
    claimed(store, "theirs", owner=BOB)

    found = pages(lambda after, limit: store.owned(ANN, after, limit), 2)

    assert sorted(robot for page in found for robot in page.robot_ids) == mine
    assert max(len(page.robot_ids) for page in found) == 2
    assert found[-1].after is None


def test_a_list_goes_on_after_a_robot_that_is_gone(store: Store) -> None:
    """A cursor is a place in the list, whoever else has come or gone."""
    for robot in ("a", "b", "c"):
        claimed(store, robot)
    first = store.owned(ANN, None, 1)
    gone = Write("transfer", Exists(("ownerUserId",)), (Put(("ownerUserId",), BOB),))
    store.write_robot(first.robot_ids[0], gone)

    rest = pages(lambda after, limit: store.owned(ANN, after or first.after, limit), 5)

    listed = [robot for page in rest for robot in page.robot_ids]
    assert sorted([*listed, first.robot_ids[0]]) == ["a", "b", "c"]


def test_a_list_of_nothing_is_one_empty_page(store: Store) -> None:
    """For each of the lists."""
    empty = Page((), None)

    assert store.owned(ANN, None, 5) == empty
    assert store.shared(ANN, None, 5) == empty
    assert store.fleet("0", None, 5) == empty


def test_shared_robots_are_listed_in_pages(store: Store, share: Any) -> None:
    """By their own ids; a user's own robots are not among them, nor another's."""
    for robot in ("s1", "s2", "s3", "own"):
        claimed(store, robot, owner=ANN if robot == "own" else BOB)
    for robot in ("s1", "s2", "s3"):
        share(robot, ANN)
    share("own", BOB)

    found = pages(lambda after, limit: store.shared(ANN, after, limit), 2)

    assert sorted(robot for page in found for robot in page.robot_ids) == ["s1", "s2", "s3"]


def test_a_share_is_no_robot_of_anybody(store: Store, share: Any) -> None:
    """What lists shared robots stands in no other list."""
    claimed(store, "s1", owner=BOB, shard="3")
    share("s1", ANN)

    assert store.owned(ANN, None, 5).robot_ids == ()
    assert store.fleet("3", None, 5).robot_ids == ("s1",)
    assert store.owned(BOB, None, 5).robot_ids == ("s1",)


def test_the_fleet_is_listed_by_shard(store: Store) -> None:
    """Each robot in the shard of its claim, which a later claim does not move."""
    claimed(store, "a", shard="1")
    claimed(store, "b", shard="2")
    store.write_robot(RobotId("b"), presence.register_anew(claim(shard="1", run="later")))

    assert store.fleet("1", None, 5).robot_ids == ("a",)
    assert store.fleet("2", None, 5).robot_ids == ("b",)


def test_a_dropped_attribute_is_its_default_again(store: Store) -> None:
    """A robot whose socket is lost has no connection."""
    robot = claimed(store, "r1")
    connection = robot.connection_id
    same = Compare(("connectionId",), "=", connection)

    outcome = store.write_robot(R1, Write("lose", same, (Drop(("connectionId",)),)))

    assert outcome == Won(robot, structs.replace(robot, connection_id=None))


def test_a_connection_that_opens_twice_stays_what_it_has_become(store: Store) -> None:
    """An event delivered again does not undo what the connection has registered since."""
    store.add_connection(row())
    store.write_connection(C1, rows.note_robot(C1, R1))

    store.add_connection(row())

    again = store.connection(C1)
    assert again is not None
    assert again.robot_id == R1
