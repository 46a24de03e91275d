"""An emulated DynamoDB with the two tables, empty, in this process."""

from contextlib import contextmanager
from typing import TYPE_CHECKING

import boto3
from moto import mock_aws

from tests.tables import drop_tables, make_tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mypy_boto3_dynamodb import DynamoDBClient


@contextmanager
def emulate_dynamodb() -> "Iterator[DynamoDBClient]":
    """Yield a client of an emulated DynamoDB, until the block ends."""
    with mock_aws():
        make_tables(_client())
        try:
            yield _client()
        finally:
            # Others that emulate AWS in this process share its tables.
            drop_tables(_client())


def _client() -> "DynamoDBClient":
    return boto3.client(
        "dynamodb",
        region_name="eu-central-1",
        aws_access_key_id="bench",
        aws_secret_access_key="bench",  # noqa: S106 - it is not checked
    )
