"""Fixtures that many tests share, and what is printed when all have run.

moto is not thread-safe, so its store is used by one thread, and each test process has its own.
"""

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
import pytest
from hypothesis import HealthCheck, settings
from moto import mock_aws

from robosignal.gateway.store import LocalStore
from robosignal.server.aws.dynamodb import DynamoStore
from robosignal.server.ports import Store
from tests.tables import CONNECTIONS, ROBOTS, drop_tables, make_tables
from tests.tokens import signer
from tests.world import World

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

# The machines are noisy: an example that is slow to make or to run is no failure.
settings.register_profile(
    "robosignal",
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("robosignal")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how many tests of each layer passed, and every figure that a test recorded."""
    passed = terminalreporter.stats.get("passed", [])
    layers = Counter(_layer(report.nodeid) for report in passed)
    figures = [figure for report in passed for figure in report.user_properties]
    if not passed:
        return
    terminalreporter.section("passed by layer", sep="-")
    terminalreporter.line(", ".join(f"{layer} {count}" for layer, count in sorted(layers.items())))
    if figures:
        terminalreporter.section("measured", sep="-")
        for name, value in figures:
            terminalreporter.line(f"{name}: {value}")


def _layer(nodeid: str) -> str:
    """Return the folder of a test's file; for a file on top, its subject."""
    folder, *_ = nodeid.partition("::")[0].removeprefix("tests/").split("/")
    return folder.removeprefix("test_").removesuffix(".py")


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
