"""Makes the two tables on moto as the stack lays them out."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

CONNECTIONS = "connections"
ROBOTS = "robots"

INDEXES = {"owners": "ownerUserId", "operators": "operatorUserId", "fleet": "fleetShard"}


def make_tables(client: "DynamoDBClient") -> None:
    """Create both tables, empty."""
    client.create_table(
        TableName=CONNECTIONS,
        KeySchema=[{"AttributeName": "connectionId", "KeyType": "HASH"}],
        AttributeDefinitions=[
            {"AttributeName": name, "AttributeType": "S"}
            for name in ("connectionId", "watcherUserId")
        ],
        GlobalSecondaryIndexes=[
            {
                "IndexName": "watchers",
                "KeySchema": [{"AttributeName": "watcherUserId", "KeyType": "HASH"}],
                "Projection": {"ProjectionType": "INCLUDE", "NonKeyAttributes": ["expiresAt"]},
            }
        ],
        BillingMode="PAY_PER_REQUEST",
    )
    names = ["robotId", *INDEXES.values()]
    indexes: list[Any] = [
        {
            "IndexName": index,
            "KeySchema": [{"AttributeName": key, "KeyType": "HASH"}],
            "Projection": {"ProjectionType": "KEYS_ONLY"},
        }
        for index, key in INDEXES.items()
    ]
    client.create_table(
        TableName=ROBOTS,
        KeySchema=[{"AttributeName": "robotId", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in names],
        GlobalSecondaryIndexes=indexes,
        BillingMode="PAY_PER_REQUEST",
    )


def drop_tables(client: "DynamoDBClient") -> None:
    """Delete both tables and what is in them."""
    client.delete_table(TableName=CONNECTIONS)
    client.delete_table(TableName=ROBOTS)
