"""A write that botocore repeats, because its answer was lost, knows its own doing."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest

from robosignal.server.aws.dynamodb import DynamoStore
from robosignal.server.core.steps import ConditionFailed, Written
from robosignal.server.core.writes import presence
from robosignal.server.ports import Store
from tests.server.aws.items import C2, R1, claim
from tests.server.aws.test_dynamodb import call_of
from tests.tables import CONNECTIONS, ROBOTS

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

UNTIL = 1_800_000_600_000


@contextmanager
def losing_an_answer(
    client: "DynamoDBClient", then: Callable[[], object]
) -> Iterator[list[dict[str, Any]]]:
    """Carry the next write out behind the client's back, and something else after it.

    So what the client sends is what it sends after a lost answer: the same call again.
    """
    lost: list[dict[str, Any]] = []

    def first_try(request: AWSPreparedRequest, **_: Any) -> None:
        name, parameters = call_of(request)
        if name == "UpdateItem" and not lost:
            lost.append(parameters)
            aside = boto3.client("dynamodb", region_name=client.meta.region_name)
            aside.update_item(**parameters)
            then()

    client.meta.events.register_first("before-send.dynamodb", first_try)
    yield lost
    client.meta.events.unregister("before-send.dynamodb", first_try)


def test_it_is_won_though_what_was_before_is_not_known(
    dynamodb: "DynamoDBClient", dynamo_store: DynamoStore
) -> None:
    """Everyone concerned is told, and the change is logged, as if the answer had come."""
    with losing_an_answer(dynamodb, lambda: None) as lost:
        outcome = dynamo_store.write_robot(R1, presence.register_process(claim()))

    assert len(lost) == 1
    assert isinstance(outcome, Written)
    assert (outcome.before, outcome.after) == (None, dynamo_store.robot(R1))


def test_a_renewal_between_the_two_hides_nothing(
    dynamodb: "DynamoDBClient", dynamo_store: DynamoStore, dynamo_aside: Store
) -> None:
    """A robot pings at any time."""

    def ping() -> object:
        return dynamo_aside.write_robot(R1, presence.renew(claim().row.connection_id, UNTIL))

    with losing_an_answer(dynamodb, ping):
        outcome = dynamo_store.write_robot(R1, presence.register_process(claim()))

    assert isinstance(outcome, Written)
    assert outcome.after.presence_until == UNTIL


def test_what_another_write_has_changed_since_is_refused(
    dynamodb: "DynamoDBClient", dynamo_store: DynamoStore, dynamo_aside: Store
) -> None:
    """The item tells how things stand, which is what the sender has to know."""

    def lose() -> object:
        return dynamo_aside.write_robot(R1, presence.record_loss(claim().row.connection_id))

    with losing_an_answer(dynamodb, lose):
        outcome = dynamo_store.write_robot(R1, presence.register_process(claim()))

    assert isinstance(outcome, ConditionFailed)
    assert outcome.item is not None
    assert outcome.item.connection_id is None


def test_anothers_write_is_not_taken_for_ones_own(dynamo_store: DynamoStore) -> None:
    """What is there was written by somebody else's try."""
    dynamo_store.write_robot(R1, presence.register_process(claim()))

    outcome = dynamo_store.write_robot(R1, presence.register_process(claim()))

    assert isinstance(outcome, ConditionFailed)
    assert isinstance(dynamo_store.write_robot(R1, presence.record_loss(C2)), ConditionFailed)


@pytest.fixture
def dynamo_aside(dynamodb: "DynamoDBClient") -> DynamoStore:
    """Another Lambda's store over the same tables."""
    region = dynamodb.meta.region_name
    return DynamoStore(boto3.client("dynamodb", region_name=region), CONNECTIONS, ROBOTS)
