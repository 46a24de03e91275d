"""One event, what the handler asks of AWS about it, and what AWS answers: values alone.

Who measures loads this, and nothing of what noted it.
"""

from typing import Any

from msgspec import Struct

DYNAMODB, MANAGEMENT = "dynamodb", "apigatewaymanagementapi"

HANDLER, DEFAULTS, SETTINGS = "handler", "defaults", "settings"
"""Who is compared: the handler; its calls alone; these with the handler's own client settings."""


class Call(Struct, frozen=True):
    """One call to AWS, as boto3 is asked for it. Bytes stand as text."""

    service: str
    operation: str
    parameters: dict[str, Any]


class Tape(Struct, frozen=True):
    """What was noted of one event."""

    event: dict[str, Any]
    calls: list[Call]
    answers: dict[str, str]
    """DynamoDB's bodies, by `answer_key`."""
    jwks: dict[str, Any]
    """The keys by which the tokens' signatures can be checked."""


def answer_key(operation: str, table: str) -> str:
    """Return by what the answer to a call is found."""
    return f"{operation} {table}"
