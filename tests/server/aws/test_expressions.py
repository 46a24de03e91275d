"""Rendering: each placeholder made and used, values as DynamoDB writes them, AND before OR."""

import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from robosignal.protocol.ids import RobotId
from robosignal.server.aws.dynamodb import DynamoStore
from robosignal.server.aws.expressions import Rendered, marshal, unmarshal, unmarshal_item
from robosignal.server.core.conditional_writes import (
    AddToSet,
    AllOf,
    AnyOf,
    Compare,
    Condition,
    Contains,
    Copy,
    Differs,
    Exists,
    Increment,
    Lacks,
    Missing,
    Put,
    Remove,
    RemoveFromSet,
    Size,
    Write,
    apply,
    evaluate,
)
from tests.server.core.aimed import ROBOT_WRITES, robot_cases
from tests.tables import ROBOTS

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

A, B, C = Exists(("a",)), Exists(("b",)), Missing(("c",))

paths = st.sampled_from([("n",), ("m",), ("m", "x"), ("m", "y.z"), ("m", "x", "deep"), ("s",)])
numbers = st.sampled_from([("n",), ("m", "x"), ("gone",)])
comparators = st.sampled_from(["=", "<", "<=", ">", ">="])
leaves: st.SearchStrategy[Condition] = st.one_of(
    st.builds(Exists, paths),
    st.builds(Missing, paths),
    st.builds(Compare, numbers, comparators, st.integers(0, 2)),
    st.builds(Differs, numbers, st.integers(0, 2)),
    st.builds(Contains, st.sampled_from([("s",), ("gone",)]), st.sampled_from("pq")),
    st.builds(Lacks, st.sampled_from([("s",), ("gone",)]), st.sampled_from("pq")),
    st.builds(Size, st.sampled_from([("m",), ("s",), ("gone",)]), comparators, st.integers(0, 2)),
)
conditions: st.SearchStrategy[Condition] = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda of: AllOf(tuple(of))),
        st.lists(inner, min_size=1, max_size=3).map(lambda of: AnyOf(tuple(of))),
    ),
    max_leaves=6,
)
some_items = st.fixed_dictionaries(
    {"robotId": st.just("r"), "ownerUserId": st.just("ann")},
    optional={
        "n": st.integers(0, 2),
        "m": st.fixed_dictionaries({}, optional={"x": st.integers(0, 2), "y.z": st.just("v")}),
        "s": st.sets(st.sampled_from("pq"), min_size=1),
    },
)


def text(condition: Condition) -> str:
    """Return a condition as it is rendered, with the attributes' names in place."""
    parameters = Rendered(Write("w", condition, (Put(("x",), 0),))).parameters
    names = parameters["ExpressionAttributeNames"]
    return re.sub(r"#\d+", lambda hold: names[hold[0]], parameters["ConditionExpression"])


@settings(max_examples=80, derandomize=True, deadline=None, database=None)
@given(condition=conditions, item=some_items)
def examine(
    client: "DynamoDBClient", store: DynamoStore, condition: Condition, item: dict[str, Any]
) -> None:
    """Put the item, write on this condition, and compare with what the condition means."""
    client.put_item(TableName=ROBOTS, Item={name: marshal(value) for name, value in item.items()})
    write = Write("w", AllOf((Exists(("robotId",)), condition)), (Put(("updatedAt",), 7),))

    store.write_robot(RobotId("r"), write)

    found = client.get_item(TableName=ROBOTS, Key={"robotId": {"S": "r"}})["Item"]
    assert ("updatedAt" in unmarshal_item(found)) == evaluate(condition, item)


def test_any_condition_means_to_dynamodb_what_it_means_here(
    dynamodb: "DynamoDBClient", dynamo_store: DynamoStore
) -> None:
    """Conditions of every shape, nested, over present, missing and nested attributes."""
    examine(dynamodb, dynamo_store)


def test_a_choice_within_a_conjunction_keeps_its_parentheses() -> None:
    """Also when its neighbour is always true and left out."""
    nested = AllOf((A, AllOf((AllOf(()), AnyOf((B, C))))))

    rendered = text(nested)

    assert rendered == "attribute_exists(a) AND (attribute_exists(b) OR attribute_not_exists(c))"


def test_a_choice_of_what_is_always_true_is_no_condition() -> None:
    """A true part makes the whole choice true, so nothing of it is left."""
    rendered = text(AllOf((A, AnyOf((AllOf(()), B)))))

    assert rendered == "attribute_exists(a)"


def test_a_right_that_no_one_has_is_not_rendered() -> None:
    """An empty choice is always false: a write on it is our own mistake."""
    with pytest.raises(ValueError, match="can never hold"):
        text(AllOf((A, AnyOf(()))))


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(list(ROBOT_WRITES)).flatmap(robot_cases))
def test_every_placeholder_is_defined_and_used(case: tuple[object, Write]) -> None:
    """DynamoDB refuses a name or a value that no expression uses, and one that is not there."""
    made = Rendered(case[1]).parameters

    expressions = made["ConditionExpression"] + " " + made["UpdateExpression"]
    assert set(re.findall(r"#\d+", expressions)) == set(made["ExpressionAttributeNames"])
    assert set(re.findall(r":\d+", expressions)) == set(made.get("ExpressionAttributeValues", {}))
    for clause in ("SET", "REMOVE", "ADD", "DELETE"):
        assert made["UpdateExpression"].count(f"{clause} ") <= 1


def test_equal_values_share_a_placeholder() -> None:
    """A value that occurs twice is sent once."""
    made = Rendered(Write("w", Compare(("a",), "<", 5), (Put(("b",), 5),))).parameters

    assert made["ExpressionAttributeValues"] == {":0": {"N": "5"}}


def test_without_values_none_are_sent() -> None:
    """DynamoDB refuses an empty map of values."""
    made = Rendered(Write("w", A, (Remove(("b",)),))).parameters

    assert "ExpressionAttributeValues" not in made


def test_each_update_is_rendered_in_its_clause() -> None:
    """SET, REMOVE, ADD and DELETE, each once, whatever the order of the updates."""
    then = (
        Put(("a",), 1),
        Remove(("b",)),
        Put(("c",), 2, if_missing=True),
        Copy(("d",), ("e",)),
        Increment(("f",)),
        Increment(("g",), start=0),
        AddToSet(("h",), "x"),
        RemoveFromSet(("i",), "x"),
    )
    made = Rendered(Write("w", A, then)).parameters
    names, values = made["ExpressionAttributeNames"], made["ExpressionAttributeValues"]

    shown = re.sub(r"#\d+", lambda hold: names[hold[0]], made["UpdateExpression"])
    shown = re.sub(r":\d+", lambda hold: str(*values[hold[0]].values()), shown)

    assert shown == (
        "SET a = 1, c = if_not_exists(c, 2), d = if_not_exists(e, True), f = f + 1, "
        "g = if_not_exists(g, 0) + 1 REMOVE b ADD h ['x'] DELETE i ['x']"
    )


values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**60), 2**60) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
) | st.sets(st.text(min_size=1), min_size=1)


@settings(max_examples=100, deadline=None)
@given(values)
def test_values_come_back_as_they_went(value: object) -> None:
    """What is stored reads back equal, and of the same type: true is no 1."""
    found = unmarshal(marshal(value))

    assert repr(found) == repr(value) or (isinstance(value, set) and found == value)


def test_what_dynamodb_has_no_type_for_is_refused() -> None:
    """A float would come back as another number."""
    with pytest.raises(TypeError, match="cannot store float"):
        marshal(1.5)


def test_an_attribute_of_an_unknown_type_is_refused() -> None:
    """Nothing here writes binary data, so nothing reads it."""
    with pytest.raises(TypeError, match="type B"):
        unmarshal({"B": b"x"})


@pytest.mark.parametrize(
    ("then", "item"),
    [((Increment(("n",)),), {}), ((Put(("m", "x"), 1),), {}), ((Remove(("m", "x")),), {})],
    ids=["arithmetic on nothing", "a path below nothing", "a removal below nothing"],
)
def test_what_dynamodb_calls_invalid_is_a_key_error_here(
    dynamodb: "DynamoDBClient", then: Any, item: dict[str, Any]
) -> None:
    """Both fail loudly: a rule let a write through to an item that it does not fit."""
    write = Write("w", Missing(("gone",)), then)
    dynamodb.put_item(TableName=ROBOTS, Item={"robotId": {"S": "r"}})

    with pytest.raises(KeyError):
        apply(write, item)
    with pytest.raises(dynamodb.exceptions.ClientError, match="ValidationException"):
        dynamodb.update_item(
            TableName=ROBOTS, Key={"robotId": {"S": "r"}}, **Rendered(write).parameters
        )
