import json

import pytest

from robosignal.gateway.results import (
    Accepted,
    MalformedResult,
    Rejected,
    error_frame,
    read_connect_result,
    read_reply,
    status_phrase,
)


def test_any_2xx_lets_the_connection_in() -> None:
    """Without a subprotocol none is selected."""
    assert read_connect_result({"statusCode": 204}) == Accepted(None)


@pytest.mark.parametrize("name", ["Sec-WebSocket-Protocol", "sec-websocket-protocol"])
def test_the_subprotocol_is_the_one_that_the_handler_returned(name: str) -> None:
    """Header names are compared without regard to case."""
    result = {"statusCode": 200, "headers": {"X-Other": "1", name: "robosignal.v1"}}

    assert read_connect_result(result) == Accepted("robosignal.v1")


def test_another_status_keeps_the_connection_out_with_the_handler_s_body() -> None:
    """The client reads what the handler said."""
    assert read_connect_result({"statusCode": 401, "body": '{"a":1}'}) == Rejected(401, '{"a":1}')


def test_a_rejection_without_a_body_gets_a_short_one() -> None:
    """The status in words, as JSON."""
    assert read_connect_result({"statusCode": 403}) == Rejected(403, '{"message": "Forbidden"}')


@pytest.mark.parametrize(
    "result",
    [
        None,
        "yes",
        [],
        {},
        {"statusCode": "200"},
        {"statusCode": True},
        {"statusCode": 101},
        {"statusCode": 600},
        {"statusCode": 200, "headers": "no map"},
        {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "a, b"}},
        {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "a\r\nX-Evil: 1"}},
        {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": ["a"]}},
    ],
)
def test_a_verdict_that_makes_no_sense_is_malformed(result: object) -> None:
    """The gateway makes a 502 of these."""
    with pytest.raises(MalformedResult):
        read_connect_result(result)


@pytest.mark.parametrize(
    ("result", "frame"),
    [
        ({"statusCode": 200, "body": "hello"}, "hello"),
        ({"statusCode": 500, "body": "also sent"}, "also sent"),
        ({"statusCode": 200}, None),
        ({"statusCode": 200, "body": None}, None),
        ({"statusCode": 200, "body": ""}, None),
    ],
)
def test_a_reply_is_the_body_whatever_the_status(
    result: dict[str, object], frame: str | None
) -> None:
    """The client of a WebSocket never sees the status; without a body it sees nothing."""
    assert read_reply(result) == frame


@pytest.mark.parametrize("result", [None, {"body": "x"}, {"statusCode": 200, "body": {"a": 1}}])
def test_a_reply_that_makes_no_sense_is_malformed(result: object) -> None:
    """The gateway makes its own error frame of these."""
    with pytest.raises(MalformedResult):
        read_reply(result)


def test_the_gateway_s_own_frame_has_three_keys() -> None:
    """Clients know it by its lack of a `type`."""
    context = {"connectionId": "c", "requestId": "r", "stage": "prod"}

    assert json.loads(error_frame("Internal server error", context)) == {
        "message": "Internal server error",
        "connectionId": "c",
        "requestId": "r",
    }


def test_an_unregistered_status_has_no_words() -> None:
    """Any number that a handler returns can be sent."""
    assert status_phrase(499) == ""
