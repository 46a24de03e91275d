"""Conditions and updates on plain items: each kind, on what is there and on what is not."""

import copy
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from robosignal.server.core.conditional_writes import (
    AddToSet,
    AllOf,
    AnyOf,
    Comparator,
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
    Update,
    Write,
    apply,
    evaluate,
)
from tests.server.core.aimed import ROBOT_WRITES, robot_cases

ITEM: dict[str, Any] = {"n": 5, "m": {"x": {"y": 1}, "none": None}, "s": {"p", "q"}, "t": "text"}
ALWAYS, NEVER = Exists(("n",)), Missing(("n",))


@pytest.mark.parametrize(
    ("path", "there"),
    [
        (("n",), True),
        (("m", "x", "y"), True),
        (("m", "none"), True),
        (("gone",), False),
        (("m", "gone"), False),
        (("n", "x"), False),
        (("m", "x", "y", "z"), False),
    ],
)
def test_an_attribute_is_there_or_missing(path: tuple[str, ...], there: bool) -> None:  # noqa: FBT001 - an outcome
    """Null is there; nothing is below what is no map."""
    assert evaluate(Exists(path), ITEM) is there
    assert evaluate(Missing(path), ITEM) is not there


@pytest.mark.parametrize(
    ("how", "true_for"),
    [
        ("=", {5}),
        ("<", {6}),
        ("<=", {5, 6}),
        (">", {4}),
        (">=", {4, 5}),
    ],
)
def test_each_comparator_compares(how: Comparator, true_for: set[int]) -> None:
    """Five with four, five and six."""
    assert {each for each in (4, 5, 6) if evaluate(Compare(("n",), how, each), ITEM)} == true_for


@pytest.mark.parametrize("how", ["=", "<", "<=", ">", ">="])
def test_a_missing_attribute_compares_with_nothing(how: Comparator) -> None:
    """It is neither equal nor in any order, as in DynamoDB."""
    assert not evaluate(Compare(("gone",), how, 5), ITEM)


def test_a_missing_attribute_differs_from_everything() -> None:
    """And one that is there differs from every value but its own."""
    found = [evaluate(Differs(path, 5), ITEM) for path in (("gone",), ("t",), ("n",))]

    assert found == [True, True, False]


@pytest.mark.parametrize(
    ("condition", "true"),
    [
        (Contains(("s",), "p"), True),
        (Contains(("s",), "z"), False),
        (Contains(("gone",), "p"), False),
        (Contains(("t",), "t"), False),
        (Lacks(("s",), "p"), False),
        (Lacks(("s",), "z"), True),
        (Lacks(("gone",), "p"), True),
        (Lacks(("t",), "t"), True),
        (Size(("m",), "=", 2), True),
        (Size(("s",), "<", 2), False),
        (Size(("gone",), "=", 0), False),
        (AllOf(()), True),
        (AllOf((ALWAYS, ALWAYS)), True),
        (AllOf((ALWAYS, NEVER)), False),
        (AnyOf(()), False),
        (AnyOf((NEVER, ALWAYS)), True),
        (AnyOf((NEVER, NEVER)), False),
    ],
)
def test_sets_sizes_and_groups(condition: Condition, true: bool) -> None:  # noqa: FBT001 - an outcome
    """Members of sets, numbers of elements, and both ways to combine."""
    assert evaluate(condition, ITEM) is true


@pytest.mark.parametrize(
    ("update", "changed"),
    [
        (Put(("n",), 6), {"n": 6}),
        (Put(("new",), {}), {"new": {}}),
        (Put(("m", "x", "y"), 2), {"m": {"x": {"y": 2}, "none": None}}),
        (Put(("n",), 6, if_missing=True), {}),
        (Put(("new",), 6, if_missing=True), {"new": 6}),
        (Copy(("old",), ("n",)), {"old": 5}),
        (Copy(("old",), ("gone",)), {"old": None}),
        (Increment(("n",)), {"n": 6}),
        (Increment(("n",), start=0), {"n": 6}),
        (Increment(("new",), start=0), {"new": 1}),
        (Remove(("gone",)), {}),
        (Remove(("m", "none")), {"m": {"x": {"y": 1}}}),
        (AddToSet(("s",), "z"), {"s": {"p", "q", "z"}}),
        (AddToSet(("new",), "z"), {"new": {"z"}}),
        (RemoveFromSet(("s",), "p"), {"s": {"q"}}),
        (RemoveFromSet(("s",), "z"), {}),
        (RemoveFromSet(("gone",), "z"), {}),
    ],
)
def test_each_update_changes_what_it_names(update: Update, changed: dict[str, Any]) -> None:
    """And leaves all else as it was."""
    assert apply(Write("w", ALWAYS, (update,)), ITEM) == ITEM | changed


def test_a_dropped_attribute_is_gone() -> None:
    """And so is a set whose last member has left."""
    both = Write("w", ALWAYS, (Remove(("n",)), RemoveFromSet(("s",), "p")))

    assert apply(both, {"n": 1, "s": {"p"}}) == {}


def test_updates_read_the_item_as_it_was() -> None:
    """One keeps what another replaces, in whatever order they stand."""
    swap = (Put(("n",), 9), Copy(("before",), ("n",)), Increment(("m", "x", "y")), Remove(("t",)))

    assert apply(Write("w", ALWAYS, swap), ITEM) == {
        "n": 9,
        "before": 5,
        "m": {"x": {"y": 2}, "none": None},
        "s": {"p", "q"},
    }


def test_a_refused_write_has_no_result() -> None:
    """Not even an unchanged item."""
    assert apply(Write("w", NEVER, (Put(("n",), 1),)), ITEM) is None


def test_an_item_that_does_not_exist_begins_empty() -> None:
    """Even its key is missing to a condition, as in DynamoDB."""
    claim = Write("w", Missing(("id",)), (Put(("n",), 1),))

    assert apply(claim, {}) == {"n": 1}


@pytest.mark.parametrize(
    "update", [Increment(("gone",)), Put(("gone", "x"), 1), Remove(("gone", "x"))]
)
def test_what_dynamodb_calls_invalid_is_a_key_error(update: Update) -> None:
    """Such a write should never have passed its condition."""
    with pytest.raises(KeyError):
        apply(Write("w", ALWAYS, (update,)), ITEM)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(list(ROBOT_WRITES)).flatmap(robot_cases))
def test_no_write_changes_the_item_that_it_is_given(
    case: tuple[dict[str, Any] | None, Write],
) -> None:
    """What is in memory stays as it is until the write is on disk; nor does a result change."""
    item, write = case
    given = copy.deepcopy(item or {})

    after = apply(write, given)
    kept = copy.deepcopy(after)
    if after is not None:
        apply(write, after)

    assert given == (item or {})
    assert after == kept


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(st.sampled_from(list(ROBOT_WRITES)).flatmap(robot_cases))
def test_epoch_and_revision_never_fall(case: tuple[dict[str, Any] | None, Write]) -> None:
    """A change of holder raises the epoch; that and a change of connection raise the revision."""
    before, write = case
    after = apply(write, before or {})
    if before is None or after is None:
        return

    assert after.get("epoch", 0) >= before.get("epoch", 0)
    session = [item.get("controller", {}).get("sessionId") for item in (before, after)]
    connection = [item.get("connectionId") for item in (before, after)]
    if session[0] != session[1]:
        assert after["epoch"] == before.get("epoch", 0) + 1
    if session[0] != session[1] or connection[0] != connection[1]:
        # A robot's first revision is near the time, no matter who enrolled it before.
        assert after["rev"] == before.get("rev", after["rev"] - 1) + 1
