from robosignal.gateway.events import (
    Context,
    connect_event,
    connection_context,
    disconnect_event,
    format_id,
    message_event,
)
from robosignal.protocol.ids import ConnectionId

NOW = 1_795_412_186_000

SHARED = {
    "messageDirection": "IN",
    "stage": "prod",
    "connectedAt": NOW - 5000,
    "identity": {"sourceIp": "127.0.0.1", "userAgent": "robot/1"},
    "domainName": "robots.example",
    "connectionId": "JC1dgf9yoAMCK-g=",
    "apiId": "local",
    "requestId": "r1",
    "extendedRequestId": "r1",
    "requestTime": "23/Nov/2026:05:36:26 +0000",
    "requestTimeEpoch": NOW,
}


def context(user_agent: str | None = "robot/1") -> Context:
    """Return the context of one connection."""
    return connection_context(
        ConnectionId("JC1dgf9yoAMCK-g="),
        connected_at=NOW - 5000,
        source_ip="127.0.0.1",
        user_agent=user_agent,
        domain="robots.example",
        stage="prod",
    )


def test_a_message_event_has_neither_headers_nor_query() -> None:
    """A MESSAGE event is its context, the raw body and nothing else."""
    event = message_event(context(), '{"a":1}', now=NOW, request_id="r1", message_id="m1")

    assert event == {
        "requestContext": {
            **SHARED,
            "routeKey": "$default",
            "eventType": "MESSAGE",
            "messageId": "m1",
        },
        "body": '{"a":1}',
        "isBase64Encoded": False,
    }


def test_a_connect_event_has_the_handshake_s_headers_and_query() -> None:
    """Both maps of both kinds; the last of repeated values is in the single map."""
    headers = [("host", "robots.example"), ("x-tag", "a"), ("X-Tag", "b"), ("Upgrade", "websocket")]
    event = connect_event(context(), headers, "t=1&t=2&e=", now=NOW, request_id="r1")

    assert event == {
        "headers": {"Host": "robots.example", "X-Tag": "b"},
        "multiValueHeaders": {"Host": ["robots.example"], "X-Tag": ["a", "b"]},
        "queryStringParameters": {"t": "2", "e": ""},
        "multiValueQueryStringParameters": {"t": ["1", "2"], "e": [""]},
        "requestContext": {**SHARED, "routeKey": "$connect", "eventType": "CONNECT"},
        "isBase64Encoded": False,
    }


def test_a_connect_event_without_a_query_has_no_query_maps() -> None:
    """Absent rather than null."""
    event = connect_event(context(), [], "", now=NOW, request_id="r1")

    assert not [key for key in event if "uery" in key]


def test_connection_and_upgrade_are_not_forwarded() -> None:
    """The two headers of the upgrade itself stay out, in any case."""
    headers = [("connection", "Upgrade"), ("UPGRADE", "websocket"), ("Sec-WebSocket-Key", "k")]
    event = connect_event(context(), headers, "", now=NOW, request_id="r1")

    assert event["headers"] == {"Sec-WebSocket-Key": "k"}


def test_header_names_are_title_cased() -> None:
    """A client that writes its headers in lower case arrives title-cased."""
    headers = [("authorization", "Bearer t"), ("sec-websocket-protocol", "a, b")]
    event = connect_event(context(), headers, "", now=NOW, request_id="r1")

    assert list(event["headers"]) == ["Authorization", "Sec-Websocket-Protocol"]


def test_a_disconnect_event_has_four_headers_and_the_close() -> None:
    """Three of the four are empty, as in real events."""
    event = disconnect_event(
        context(), "robots.example", code=1001, reason="", now=NOW, request_id="r1"
    )
    headers = {"Host": "robots.example", "x-api-key": "", "X-Forwarded-For": "", "x-restapi": ""}

    assert event == {
        "headers": headers,
        "multiValueHeaders": {name: [value] for name, value in headers.items()},
        "requestContext": {
            **SHARED,
            "routeKey": "$disconnect",
            "eventType": "DISCONNECT",
            "disconnectStatusCode": 1001,
            "disconnectReason": "",
        },
        "isBase64Encoded": False,
    }


def test_a_client_without_a_user_agent_has_none_in_its_identity() -> None:
    """The key is absent, not null."""
    event = message_event(context(None), "", now=NOW, request_id="r1", message_id="m1")

    assert event["requestContext"]["identity"] == {"sourceIp": "127.0.0.1"}


def test_an_event_does_not_change_the_context_of_the_next() -> None:
    """What is stamped on one event does not show on another."""
    shared = context()
    before = dict(shared)
    message_event(shared, "x", now=NOW, request_id="r1", message_id="m1")

    assert shared == before


def test_ids_look_like_those_of_api_gateway() -> None:
    """Eleven bytes make 16 characters of URL-safe base64, the last of which is `=`."""
    assert format_id(b"\xff" * 11) == "______________8="
