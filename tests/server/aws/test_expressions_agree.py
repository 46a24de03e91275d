"""A write means the same to DynamoDB as to `apply`: every write, over generated items."""

from collections import Counter
from collections.abc import Callable
from inspect import getmembers, isfunction
from itertools import combinations
from types import ModuleType
from typing import TYPE_CHECKING, Any, get_type_hints

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from robosignal.protocol.ids import ConnectionId
from robosignal.server.aws.dynamodb import DynamoStore, connection_from_item
from robosignal.server.aws.expressions import marshal, unmarshal_item
from robosignal.server.core.conditional_writes import Write, apply
from robosignal.server.core.records import Code, Connection, robot_from_item
from robosignal.server.core.steps import ConditionFailed, Written
from robosignal.server.core.writes import (
    codes,
    connections,
    keys,
    lease,
    ownership,
    presence,
    viewers,
)
from robosignal.server.core.writes.attributes import STAMP
from tests.server.core.aimed import (
    CODE_WRITES,
    ROBOT_WRITES,
    ROW_WRITES,
    code_cases,
    robot_cases,
    row_cases,
)
from tests.server.core.generated import CLIENTS, CODE_HASHES, ROBOT
from tests.tables import CONNECTIONS, ROBOTS

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

Item = dict[str, Any]
Kind = Callable[..., Write]

# Derandomized: each run draws the same cases, so the counts of wins and losses are facts.
examined = settings(
    max_examples=25,
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow],
)


def named(kind: Kind) -> str:
    """Return a write's name for a test's id."""
    return f"{kind.__module__.rpartition('.')[2]}.{kind.__name__}"


def writes_of(module: ModuleType) -> set[Kind]:
    """Return the module's functions that make a write."""
    made_here = [
        each for _, each in getmembers(module, isfunction) if each.__module__ == module.__name__
    ]
    return {each for each in made_here if get_type_hints(each).get("return") is Write}


class Place:
    """One key of a table, read and written behind the store's back."""

    def __init__(self, client: "DynamoDBClient", table: str, key: str, value: str) -> None:
        self._client = client
        self._table = table
        self._key: Any = {key: {"S": value}}

    def put(self, item: Item | None) -> None:
        """Let this item stand here, or nothing."""
        if item is None:
            self._client.delete_item(TableName=self._table, Key=self._key)
            return
        stored = {name: marshal(value) for name, value in item.items()}
        self._client.put_item(TableName=self._table, Item=stored)

    def get(self) -> Item | None:
        """Return what is here, but for which write made it so."""
        found = self._client.get_item(TableName=self._table, Key=self._key).get("Item")
        return None if found is None else unstamped(unmarshal_item(found))


def unstamped(item: Item) -> Item:
    """Return an item without the stamp of its last write: each write has another."""
    return {name: each for name, each in item.items() if (name,) != STAMP}


def carried_out(write: Write, item: Item | None, **key: str) -> Item | None:
    """Return what `apply` makes of an item, which begins with its key; None for a refusal."""
    after = apply(write, item or {})
    return None if after is None else key | after


def overlap(write: Write) -> bool:
    """Say whether two of the update's paths meet: DynamoDB refuses such a one, moto may not."""
    paths = [update.path for update in write.then]
    return any(one[: len(two)] == two[: len(one)] for one, two in combinations(paths, 2))


def test_every_write_to_a_robot_is_examined() -> None:
    """A new write to a robot's item needs a way to draw it."""
    there_are = set().union(*map(writes_of, (keys, lease, ownership, presence, viewers)))

    assert there_are == set(ROBOT_WRITES)


def test_every_write_to_a_row_is_examined() -> None:
    """A new write to a connection's row needs a way to draw it."""
    there_are = writes_of(connections)

    assert there_are == set(ROW_WRITES)


def test_every_write_to_a_code_is_examined() -> None:
    """A new write to a code's item needs a way to draw it."""
    assert writes_of(codes) == set(CODE_WRITES)


@pytest.mark.parametrize("kind", ROBOT_WRITES, ids=named)
def test_a_write_to_a_robot_agrees(
    kind: Kind, dynamodb: "DynamoDBClient", dynamo_store: DynamoStore
) -> None:
    """The same outcome, the same item before and after; both outcomes occur."""
    place = Place(dynamodb, ROBOTS, "robotId", ROBOT)
    outcomes: Counter[type] = Counter()

    @examined
    @given(robot_cases(kind))
    def agrees(case: tuple[Item | None, Write]) -> None:
        item, write = case
        after = carried_out(write, item, robotId=ROBOT)
        before = None if item is None else robot_from_item(item)
        place.put(item)

        outcome = dynamo_store.write_robot(ROBOT, write)

        assert not overlap(write)
        expected_item = item if after is None else after
        assert place.get() == (expected_item and unstamped(expected_item))
        expected = (
            ConditionFailed(before) if after is None else Written(before, robot_from_item(after))
        )
        assert outcome == expected
        outcomes[type(outcome)] += 1

    agrees()

    assert min(outcomes[Written], outcomes[ConditionFailed]) > 0, outcomes


@pytest.mark.parametrize("kind", ROW_WRITES, ids=named)
def test_a_write_to_a_row_agrees(
    kind: Kind, dynamodb: "DynamoDBClient", dynamo_store: DynamoStore
) -> None:
    """The same outcome, the same row before and after; both outcomes occur."""
    outcomes: Counter[type] = Counter()

    @examined
    @given(row_cases(kind), st.sampled_from(CLIENTS))
    def agrees(case: tuple[Connection | None, Write], other: ConnectionId) -> None:
        row, write = case
        key = other if row is None else row.connection_id
        place = Place(dynamodb, CONNECTIONS, "connectionId", key)
        place.put(None)
        if row is not None:
            dynamo_store.add_connection(row)
        item = place.get()
        after = carried_out(write, item, connectionId=key)

        outcome = dynamo_store.write_connection(key, write)

        assert not overlap(write)
        assert place.get() == (item if after is None else after)
        assert outcome == (
            ConditionFailed(row) if after is None else Written(row, connection_from_item(after))
        )
        outcomes[type(outcome)] += 1

    agrees()

    assert min(outcomes[Written], outcomes[ConditionFailed]) > 0, outcomes


@pytest.mark.parametrize("kind", CODE_WRITES, ids=named)
def test_a_write_to_a_code_agrees(
    kind: Kind, dynamodb: "DynamoDBClient", dynamo_store: DynamoStore
) -> None:
    """The same outcome, the same item before and after; both outcomes occur."""
    key = f"#code:{CODE_HASHES[0]}"
    place = Place(dynamodb, ROBOTS, "robotId", key)
    outcomes: Counter[type] = Counter()

    @examined
    @given(code_cases(kind))
    def agrees(case: tuple[Item | None, Write]) -> None:
        item, write = case
        place.put(None if item is None else {"robotId": key} | item)
        after = carried_out(write, item)

        outcome = dynamo_store.write_code(CODE_HASHES[0], write)

        assert not overlap(write)
        expected = item if after is None else after
        assert place.get() == (expected and {"robotId": key} | expected)
        before = msgspec.convert(item, Code) if item else None
        assert outcome == (
            ConditionFailed(before)
            if after is None
            else Written(before, msgspec.convert(after, Code))
        )
        outcomes[type(outcome)] += 1

    agrees()

    assert min(outcomes[Written], outcomes[ConditionFailed]) > 0, outcomes
