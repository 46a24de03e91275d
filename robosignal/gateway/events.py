"""The events that API Gateway's WebSocket API passes to a Lambda function."""

import time
from base64 import urlsafe_b64encode
from collections.abc import Iterable
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

from robosignal.protocol.ids import ConnectionId

Event = dict[str, Any]
Context = dict[str, Any]

ID_BYTES = 11
"""The entropy that `format_id` needs for an id of AWS's length."""

NOT_FORWARDED = frozenset({"connection", "upgrade"})


def format_id(entropy: bytes) -> str:
    """Return eleven bytes in the form of AWS's ids: 16 characters of URL-safe base64, the last `=`.

    In the same form as on AWS, an id that is not percent-encoded fails on a laptop too.
    """
    return urlsafe_b64encode(entropy).decode()


def connection_context(
    connection: ConnectionId,
    *,
    connected_at: int,
    source_ip: str,
    user_agent: str | None,
    domain: str,
    stage: str,
) -> Context:
    """Return what all events of one connection have in common; `connected_at` is in epoch ms."""
    identity = {"sourceIp": source_ip}
    if user_agent is not None:
        identity["userAgent"] = user_agent
    return {
        "messageDirection": "IN",
        "stage": stage,
        "connectedAt": connected_at,
        "identity": identity,
        "domainName": domain,
        "connectionId": connection,
        "apiId": "local",
    }


def connect_event(
    context: Context,
    headers: Iterable[tuple[str, str]],
    query: str,
    *,
    now: int,
    request_id: str,
) -> Event:
    """Return the event of a handshake; it has a query only if the URL had one."""
    event = _with_all_values("headers", "multiValueHeaders", _forward(headers))
    pairs = parse_qsl(query, keep_blank_values=True)
    if pairs:
        event |= _with_all_values("queryStringParameters", "multiValueQueryStringParameters", pairs)
    event["requestContext"] = _stamp(context, "CONNECT", "$connect", now, request_id)
    event["isBase64Encoded"] = False
    return event


def message_event(
    context: Context, body: str, *, now: int, request_id: str, message_id: str
) -> Event:
    """Return the event of one message. As on AWS, it has neither headers nor a query."""
    stamped = _stamp(context, "MESSAGE", "$default", now, request_id)
    stamped["messageId"] = message_id
    return {"requestContext": stamped, "body": body, "isBase64Encoded": False}


def disconnect_event(
    context: Context, host: str, *, code: int, reason: str, now: int, request_id: str
) -> Event:
    """Return the event of a connection's end, with the WebSocket close code and reason."""
    # Real events have just these four headers, three of them empty.
    headers = (("Host", host), ("x-api-key", ""), ("X-Forwarded-For", ""), ("x-restapi", ""))
    event = _with_all_values("headers", "multiValueHeaders", headers)
    stamped = _stamp(context, "DISCONNECT", "$disconnect", now, request_id)
    stamped["disconnectStatusCode"] = code
    stamped["disconnectReason"] = reason
    event["requestContext"] = stamped
    event["isBase64Encoded"] = False
    return event


def _stamp(context: Context, event_type: str, route: str, now: int, request_id: str) -> Context:
    return {
        **context,
        "routeKey": route,
        "eventType": event_type,
        "requestId": request_id,
        "extendedRequestId": request_id,
        "requestTime": _request_time(now // 1000),
        "requestTimeEpoch": now,
    }


@lru_cache(maxsize=4)
def _request_time(seconds: int) -> str:
    return time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(seconds))


def _forward(headers: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    kept = ((name, value) for name, value in headers if name.lower() not in NOT_FORWARDED)
    return [(_title_cased(name), value) for name, value in kept]


def _title_cased(name: str) -> str:
    return "-".join(part[:1].upper() + part[1:] for part in name.split("-"))


def _with_all_values(one: str, many: str, pairs: Iterable[tuple[str, str]]) -> Event:
    """Return both maps of AWS: the last value of each name, and all values."""
    every: dict[str, list[str]] = {}
    for name, value in pairs:
        every.setdefault(name, []).append(value)
    return {one: {name: values[-1] for name, values in every.items()}, many: every}
