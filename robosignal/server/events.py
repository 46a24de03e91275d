"""Reads API Gateway's WebSocket events and writes the results that it expects.

Headers and query stand in `$connect` alone: on AWS a message has neither, so nothing here
reads them from one. Source: developer guide, "WebSocket APIs: routes, mappings".
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from msgspec import Struct

from robosignal.protocol.ids import ConnectionId

Result = dict[str, Any]

SCHEDULED = {"source": "aws.events", "detail-type": "Scheduled Event"}
"""What a rule's event says (EventBridge user guide, "Scheduled events"); no client's event has it.

The events of the WebSocket API are API Gateway's alone to write: a message is text in their `body`.
"""

Values = Mapping[str, Sequence[str]]
"""All the values of each name, in their order."""

NOTHING: Values = {}


class Incoming(Struct, frozen=True):
    """One event, as far as signaling needs it. Times are in epoch ms."""

    kind: Literal["CONNECT", "MESSAGE", "DISCONNECT"]
    connection_id: ConnectionId
    connected_at: int
    request_id: str
    requested_at: int | None
    body: str | None
    headers: Values
    query: Values


def is_scheduled(event: Mapping[str, Any]) -> bool:
    """Say whether a schedule, not a client, has invoked us."""
    return "requestContext" not in event and SCHEDULED.items() <= event.items()


def read_event(event: Mapping[str, Any]) -> Incoming:
    """Return what an event says. Raise KeyError if it is none of API Gateway's."""
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
    """Return the map of all values; the other one has the last of each name alone."""
    every: Values | None = event.get(many)
    if every:
        return every
    single: Mapping[str, str] = event.get(one) or {}
    return {name: (value,) for name, value in single.items()}


def result(status: int, body: bytes | None = None, subprotocol: str | None = None) -> Result:
    """Return a result. Without a body, API Gateway sends the client no frame."""
    found: Result = {"statusCode": status}
    if body is not None:
        found["body"] = body.decode()
    if subprotocol is not None:
        found["headers"] = {"Sec-WebSocket-Protocol": subprotocol}
    return found
