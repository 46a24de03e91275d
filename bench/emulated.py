"""An emulated DynamoDB with the two tables, empty, in this process."""

from contextlib import contextmanager
from typing import TYPE_CHECKING

import boto3
from moto import mock_aws

from tests.tables import make_tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb import DynamoDBClient


@contextmanager
def dynamodb() -> "Iterator[DynamoDBClient]":
    """Yield a client of it, until the block ends."""
    with mock_aws():
        client = boto3.client(
            "dynamodb",
            region_name="eu-central-1",
            aws_access_key_id="bench",
            aws_secret_access_key="bench",  # noqa: S106 - nobody checks it
        )
        make_tables(client)
        yield client
