"""API Gateway's events and the results that it takes."""

from typing import Any

import pytest

from robosignal.server.events import make_result, read_event


def event(kind: str, **fields: Any) -> dict[str, Any]:
    """Return an event as API Gateway sends it."""
    context = {
        "eventType": kind,
        "routeKey": "$default",
        "connectionId": "c1=",
        "connectedAt": 1_800_000_000_000,
        "requestId": "q1",
        "requestTimeEpoch": 1_800_000_000_500,
        "identity": {"sourceIp": "203.0.113.7"},
        "stage": "prod",
    }
    return {"requestContext": context, "isBase64Encoded": False, **fields}


def test_a_connect_has_its_headers_and_query() -> None:
    """Where a token may stand."""
    incoming = read_event(
        event("CONNECT", headers={"Host": "h"}, queryStringParameters={"token": "t"})
    )

    assert incoming.kind == "CONNECT"
    assert (incoming.connection_id, incoming.connected_at) == ("c1=", 1_800_000_000_000)
    assert (incoming.headers, incoming.query) == ({"Host": ("h",)}, {"token": ("t",)})


def test_a_connect_has_every_value_of_a_name() -> None:
    """The maps of single values keep the last one alone."""
    incoming = read_event(
        event(
            "CONNECT",
            headers={"Host": "h", "Origin": "b"},
            multiValueHeaders={"Host": ["h"], "Origin": ["a", "b"]},
            queryStringParameters={"token": "u"},
            multiValueQueryStringParameters={"token": ["t", "u"]},
        )
    )

    assert incoming.headers == {"Host": ["h"], "Origin": ["a", "b"]}
    assert incoming.query == {"token": ["t", "u"]}


def test_a_connect_without_a_query_has_an_empty_one() -> None:
    """API Gateway leaves the field out, or sends null."""
    left_out = read_event(event("CONNECT", headers={"Host": "h"}))
    null = read_event(event("CONNECT", headers=None, queryStringParameters=None))

    assert (left_out.query, null.query, null.headers) == ({}, {}, {})


@pytest.mark.parametrize("kind", ["MESSAGE", "DISCONNECT"])
def test_nothing_but_a_connect_is_read_for_a_token(kind: str) -> None:
    """On AWS a message has neither headers nor query; elsewhere they are not believed."""
    incoming = read_event(
        event(
            kind,
            headers={"Authorization": "x"},
            multiValueHeaders={"Authorization": ["x"]},
            queryStringParameters={"token": "t"},
            multiValueQueryStringParameters={"token": ["t"]},
        )
    )

    assert (incoming.headers, incoming.query) == ({}, {})


def test_a_message_has_its_body_and_request_id() -> None:
    """The frame's text as it came."""
    incoming = read_event(event("MESSAGE", body='{"type":"ping"}'))

    assert (incoming.kind, incoming.body, incoming.request_id) == (
        "MESSAGE",
        '{"type":"ping"}',
        "q1",
    )


def test_what_is_no_event_of_api_gateways_is_our_own_error() -> None:
    """Wired to another trigger, the Lambda fails loudly."""
    with pytest.raises(KeyError):
        read_event({"Records": []})


def test_a_result_without_a_body_sends_no_frame() -> None:
    """API Gateway would send an empty body as an empty frame."""
    assert make_result(200) == {"statusCode": 200}


def test_a_body_is_sent_as_text() -> None:
    """UTF-8, beyond ASCII too."""
    assert make_result(200, '{"name":"Zoë"}'.encode()) == {
        "statusCode": 200,
        "body": '{"name":"Zoë"}',
    }


def test_a_chosen_subprotocol_is_told() -> None:
    """In the one header that API Gateway takes from `$connect`'s result."""
    assert make_result(200, subprotocol="robosignal.v1") == {
        "statusCode": 200,
        "headers": {"Sec-WebSocket-Protocol": "robosignal.v1"},
    }
