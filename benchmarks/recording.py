"""A recording of one event: what the handler asks of AWS, and what AWS answers.

Imports nothing of what makes recordings, so that a measured process does not either.
"""

from typing import Any

from msgspec import Struct

DYNAMODB, MANAGEMENT = "dynamodb", "apigatewaymanagementapi"

HANDLER, DEFAULTS, SETTINGS = "handler", "defaults", "settings"
"""What is compared: the handler; its calls alone; its calls with its own client settings."""


class Call(Struct, frozen=True):
    """One call to AWS, as boto3 is asked for it. Bytes are kept as text."""

    service: str
    operation: str
    parameters: dict[str, Any]


class Recording(Struct, frozen=True):
    """One event, its calls and their answers."""

    event: dict[str, Any]
    calls: list[Call]
    answers: dict[str, str]
    """DynamoDB's bodies, by `answer_key`."""
    jwks: dict[str, Any]
    """The keys with which the tokens' signatures are verified."""


def answer_key(operation: str, table: str) -> str:
    """Return the key of a call's answer."""
    return f"{operation} {table}"
