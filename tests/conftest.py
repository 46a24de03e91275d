"""Fixtures that many tests share: both stores, and a world on each of them.

moto is not thread-safe, so its store is used by one thread, and each test process has its own.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws

from robosignal.gateway.store import LocalStore
from signaling.adapters.dynamodb import DynamoStore
from signaling.ports import Store
from tests.tables import CONNECTIONS, ROBOTS, drop_tables, make_tables
from tests.tokens import signer
from tests.world import World

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


@pytest.fixture(scope="session")
def moto_client() -> Iterator["DynamoDBClient"]:
    """A DynamoDB client on moto, without tables."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_ACCESS_KEY_ID", "testing")
        patch.setenv("AWS_SECRET_ACCESS_KEY", "testing")
        patch.setenv("AWS_DEFAULT_REGION", "eu-central-1")
        with mock_aws():
            yield boto3.client("dynamodb", region_name="eu-central-1")


@pytest.fixture
def dynamodb(moto_client: "DynamoDBClient") -> Iterator["DynamoDBClient"]:
    """A DynamoDB client on moto, with both tables, empty."""
    make_tables(moto_client)
    yield moto_client
    drop_tables(moto_client)


@pytest.fixture
def dynamo_store(dynamodb: "DynamoDBClient") -> DynamoStore:
    """The store on DynamoDB."""
    return DynamoStore(dynamodb, CONNECTIONS, ROBOTS)


@pytest.fixture
def local_store() -> Iterator[LocalStore]:
    """The store on one machine, in memory."""
    store = LocalStore(None)
    yield store
    store.close()


@pytest.fixture(params=["dynamodb", "local"])
def store(request: pytest.FixtureRequest) -> Store:
    """Each store in turn."""
    name = {"dynamodb": "dynamo_store", "local": "local_store"}[request.param]
    found: Store = request.getfixturevalue(name)
    return found


@pytest.fixture
def world(store: Store) -> World:
    """A backend on each store in turn."""
    return World(store, signer())


@pytest.fixture
def local_world(local_store: LocalStore) -> World:
    """A backend on the local store alone, for tests of rules that no store decides."""
    return World(local_store, signer())
