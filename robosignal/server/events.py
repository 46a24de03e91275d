"""API Gateway's WebSocket events, and the results that it expects.

Only `$connect` has headers and a query. On AWS a message has neither, so none are read there.
Source: API Gateway developer guide, "WebSocket APIs: routes, mappings".
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct

from robosignal.protocol.ids import ConnectionId

Result = dict[str, Any]

SCHEDULED = {"source": "aws.events", "detail-type": "Scheduled Event"}
"""What a schedule's event contains (EventBridge user guide, "Scheduled events").

No client can send it: API Gateway writes the events, and a message is text in their `body`.
"""

Values = Mapping[str, Sequence[str]]
"""All values of each name, in order."""

NOTHING: Values = {}


class Incoming(Struct, frozen=True):
    """One event of the WebSocket API. Times are in epoch ms."""

    kind: Literal["CONNECT", "MESSAGE", "DISCONNECT"]
    connection_id: ConnectionId
    connected_at: int
    request_id: str
    requested_at: int | None
    body: str | None
    headers: Values
    query: Values


def is_scheduled(event: Mapping[str, Any]) -> bool:
    """Say whether the event comes from a schedule and not from a client."""
    return "requestContext" not in event and SCHEDULED.items() <= event.items()


def read_event(event: Mapping[str, Any]) -> Incoming:
    """Return the event. Raise KeyError if it is not one of API Gateway's."""
    context = event["requestContext"]
    kind = context["eventType"]
    connecting = kind == "CONNECT"
    return Incoming(
        kind=kind,
        connection_id=context["connectionId"],
        connected_at=context["connectedAt"],
        request_id=context["requestId"],
        requested_at=context.get("requestTimeEpoch"),
        body=event.get("body"),
        headers=_values(event, "multiValueHeaders", "headers") if connecting else NOTHING,
        query=(
            _values(event, "multiValueQueryStringParameters", "queryStringParameters")
            if connecting
            else NOTHING
        ),
    )


def _values(event: Mapping[str, Any], many: str, one: str) -> Values:
    """Return all values of each name; API Gateway also sends a map with only the last ones."""
    every: Values | None = event.get(many)
    if every:
        return every
    single: Mapping[str, str] = event.get(one) or {}
    return {name: (value,) for name, value in single.items()}


def make_result(status: int, body: bytes | None = None, subprotocol: str | None = None) -> Result:
    """Return a result. Without a body, API Gateway sends the client no frame."""
    found: Result = {"statusCode": status}
    if body is not None:
        found["body"] = body.decode()
    if subprotocol is not None:
        found["headers"] = {"Sec-WebSocket-Protocol": subprotocol}
    return found
