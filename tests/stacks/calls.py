"""Records what the shipped adapters ask of AWS, on the way out.

It records the table, index and method of a call, and does not judge them.
"""

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import boto3

from robosignal.protocol.ids import ConnectionId
from robosignal.server.aws.management import ManagementPosts
from tests.tables import CONNECTIONS, ROBOTS
from tests.world import Outbox

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

ENDPOINT = "https://api1.execute-api.eu-central-1.amazonaws.com/prod"
TABLES = {CONNECTIONS: "connections", ROBOTS: "robots"}

Use = tuple[str, str]
"""An IAM action and what it is done to, such as `dynamodb:Query`, `robots/index/owners`."""


class Uses:
    """Every pair of an action and a resource that was used."""

    def __init__(self) -> None:
        self.seen: set[Use] = set()

    def watch(self, client: "DynamoDBClient") -> None:
        """Record what a DynamoDB client asks from now on."""
        client.meta.events.register("before-call.dynamodb", self._dynamodb)

    def forget(self, client: "DynamoDBClient") -> None:
        """Record it no more: other tests use the client as well."""
        client.meta.events.unregister("before-call.dynamodb", self._dynamodb)

    def _dynamodb(self, model: Any, params: Any, **_: Any) -> None:
        asked = json.loads(params["body"])
        tables = asked.get("RequestItems") or [asked["TableName"]]
        index = f"/index/{asked['IndexName']}" if "IndexName" in asked else ""
        for table in tables:
            self.seen.add((f"dynamodb:{model.name}", f"{TABLES[table]}{index}"))


class Posts(Outbox):
    """The shipped sender, up to the wire: what it asks of API Gateway is done by an outbox."""

    def __init__(self, uses: Uses) -> None:
        super().__init__()
        self._uses = uses
        client = boto3.client("apigatewaymanagementapi", endpoint_url=ENDPOINT)
        # botocore takes an answer from this hook; its stubs do not know that.
        hook: Any = self._answer
        client.meta.events.register("before-call.apigatewaymanagementapi", hook)
        self._shipped = ManagementPosts(client)

    def post(self, connection: ConnectionId, frame: bytes) -> bool:
        """Post as the Lambda does."""
        return self._shipped.post(connection, frame)

    def close(self, connection: ConnectionId) -> None:
        """Close as the Lambda does."""
        self._shipped.close(connection)

    def _answer(self, params: Any, **_: Any) -> tuple[Any, dict[str, Any]]:
        """Answer as the management API does: the call goes no further (botocore's hook)."""
        connection = ConnectionId(params["url_path"].rpartition("/")[2].replace("%3D", "="))
        self._uses.seen.add(("execute-api:ManageConnections", params["method"]))
        if params["method"] == "DELETE":
            super().close(connection)
            return SimpleNamespace(status_code=204), {}
        if super().post(connection, params["body"]):
            return SimpleNamespace(status_code=200), {}
        return SimpleNamespace(status_code=410), {"Error": {"Code": "GoneException"}}
