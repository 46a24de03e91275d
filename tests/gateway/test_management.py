import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedOK

from robosignal.gateway.connections import OpenConnections
from robosignal.gateway.limits import Limits
from robosignal.protocol.limits import MESSAGE_BYTES
from tests.gateway.conftest import Serve
from tests.gateway.raw import dial
from tests.gateway.recorder import OK, Event, Recorder, Result, answers_ok

if TYPE_CHECKING:
    from mypy_boto3_apigatewaymanagementapi import ApiGatewayManagementApiClient

GONE = "JC1dgf9yoAMCK-g="


def management(endpoint: str) -> "ApiGatewayManagementApiClient":
    """Return AWS's own client for an endpoint."""
    return boto3.client(
        "apigatewaymanagementapi",
        endpoint_url=endpoint,
        region_name="eu-central-1",
        aws_access_key_id="none",
        aws_secret_access_key="nothing",
        config=Config(retries={"total_max_attempts": 1}),
    )


async def connection_of(handle: Recorder) -> str:
    """Return the id of the first connection."""
    event = await handle.event("$connect")
    return str(event["requestContext"]["connectionId"])


async def test_boto3_posts_to_a_connection(serve: Serve) -> None:
    """The id comes percent-encoded, the frame arrives as text."""
    handle = Recorder()
    gateway = await serve(handle)
    async with connect(gateway.websocket_url) as client:
        api, connection = management(gateway.management_url), await connection_of(handle)
        answer = await asyncio.to_thread(
            api.post_to_connection, ConnectionId=connection, Data="höllo".encode()
        )

        assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200
        assert await client.recv() == "höllo"


async def test_boto3_gets_a_connection(serve: Serve) -> None:
    """Every field that its model knows is filled, in its case."""
    handle = Recorder()
    gateway = await serve(handle)
    before = datetime.now(UTC)
    async with connect(gateway.websocket_url, user_agent_header="robot/1"):
        api, connection = management(gateway.management_url), await connection_of(handle)
        answer = await asyncio.to_thread(api.get_connection, ConnectionId=connection)

    assert answer["Identity"] == {"SourceIp": "127.0.0.1", "UserAgent": "robot/1"}
    # Both are cut to milliseconds.
    assert abs((answer["ConnectedAt"] - before).total_seconds()) < 5
    assert abs((answer["LastActiveAt"] - answer["ConnectedAt"]).total_seconds()) < 5


async def test_boto3_deletes_a_connection(serve: Serve) -> None:
    """The client sees 1000, the handler too; the call is a 204."""
    handle = Recorder()
    gateway = await serve(handle)
    async with connect(gateway.websocket_url) as client:
        api, connection = management(gateway.management_url), await connection_of(handle)
        answer = await asyncio.to_thread(api.delete_connection, ConnectionId=connection)
        with pytest.raises(ConnectionClosedOK) as closed:
            await client.recv()
    context = (await handle.event("$disconnect"))["requestContext"]

    assert answer["ResponseMetadata"]["HTTPStatusCode"] == 204
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1000
    assert (context["disconnectStatusCode"], context["disconnectReason"]) == (
        1000,
        "Connection Closed Normally",
    )


@pytest.mark.parametrize(
    "call",
    [
        lambda api: api.post_to_connection(ConnectionId=GONE, Data=b"x"),
        lambda api: api.get_connection(ConnectionId=GONE),
        lambda api: api.delete_connection(ConnectionId=GONE),
    ],
)
async def test_boto3_raises_gone_for_an_unknown_connection(
    serve: Serve, call: Callable[[Any], Any]
) -> None:
    """The modelled exception, which needs the error's type in a header."""
    api = management((await serve(answers_ok)).management_url)

    with pytest.raises(api.exceptions.GoneException):
        await asyncio.to_thread(call, api)


async def test_boto3_raises_gone_for_a_connection_that_has_left(serve: Serve) -> None:
    """Closed is gone."""
    handle = Recorder()
    gateway = await serve(handle)
    async with connect(gateway.websocket_url):
        connection = await connection_of(handle)
    await handle.event("$disconnect")
    api = management(gateway.management_url)

    with pytest.raises(api.exceptions.GoneException):
        await asyncio.to_thread(api.post_to_connection, ConnectionId=connection, Data=b"x")


async def test_boto3_raises_gone_during_connect(serve: Serve) -> None:
    """The handler's own thread posts to the connection that it is about to let in."""
    gone: list[bool] = []

    def post(event: Event) -> Result:
        if event["requestContext"]["eventType"] == "CONNECT":
            api = management(gateway.management_url)
            with pytest.raises(api.exceptions.GoneException):
                api.post_to_connection(
                    ConnectionId=event["requestContext"]["connectionId"], Data=b"x"
                )
            gone.append(True)
        return OK

    gateway = await serve(post, in_threads=True)
    async with connect(gateway.websocket_url):
        assert gone == [True]


async def test_a_handler_in_a_thread_reaches_its_own_gateway(serve: Serve) -> None:
    """As the Lambda does: boto3 in the handler, the frame at the client."""

    def post(event: Event) -> Result:
        if "body" in event:
            management(gateway.management_url).post_to_connection(
                ConnectionId=event["requestContext"]["connectionId"], Data=event["body"]
            )
        return OK

    gateway = await serve(post, in_threads=True)
    async with connect(gateway.websocket_url) as client, asyncio.timeout(5):
        await client.send("round trip")

        assert await client.recv() == "round trip"


async def test_boto3_raises_payload_too_large_over_128_kib(serve: Serve) -> None:
    """One byte too many."""
    api = management((await serve(answers_ok)).management_url)
    data = b"x" * (MESSAGE_BYTES + 1)

    with pytest.raises(api.exceptions.PayloadTooLargeException):
        await asyncio.to_thread(api.post_to_connection, ConnectionId=GONE, Data=data)


async def test_a_post_of_128_kib_is_delivered(serve: Serve) -> None:
    """The limit itself is allowed."""
    handle = Recorder()
    gateway = await serve(handle)
    async with connect(gateway.websocket_url) as client:
        api, connection = management(gateway.management_url), await connection_of(handle)
        data = b"x" * MESSAGE_BYTES
        await asyncio.to_thread(api.post_to_connection, ConnectionId=connection, Data=data)

        assert len(await client.recv()) == MESSAGE_BYTES


@pytest.mark.parametrize("malformed", ["x", "nonsense", "JC1dgf9yoAMCK-g", "JC1dgf9yoAM/K-g=", "="])
async def test_a_malformed_id_is_a_bad_request(serve: Serve, malformed: str) -> None:
    """Not in boto3's model, so it is a plain error with a code."""
    api = management((await serve(answers_ok)).management_url)
    with pytest.raises(ClientError) as refused:
        await asyncio.to_thread(api.post_to_connection, ConnectionId=malformed, Data=b"x")
    error = refused.value.response["Error"]

    assert (error["Code"], error["Message"]) == (
        "BadRequestException",
        f"Invalid connectionId: {malformed}",
    )


async def test_boto3_raises_forbidden_for_another_stage(serve: Serve) -> None:
    """A wrong stage looks like a lack of permission."""
    gateway = await serve(answers_ok)
    api = management(gateway.management_url.replace("/prod", "/dev"))

    with pytest.raises(api.exceptions.ForbiddenException):
        await asyncio.to_thread(api.get_connection, ConnectionId=GONE)


async def test_a_body_that_never_comes_is_not_awaited_for_ever(serve: Serve) -> None:
    """Not even from a program of this machine: it has as long as for a request's head."""
    gateway = await serve(answers_ok, limits=Limits(handshake_seconds=0.2))
    async with dial(gateway) as raw:
        head = f"POST /prod/@connections/{GONE} HTTP/1.1\r\nHost: 127.0.0.1:{gateway.port}\r\n"
        await raw.send(f"{head}Content-Length: 10\r\n\r\nhalf".encode())
        answer = (await raw.ended()).decode()

    assert answer.startswith("HTTP/1.1 408 ")
    assert "x-amzn-ErrorType: RequestTimeoutException" in answer


async def test_a_body_that_breaks_off_reaches_no_handler(serve: Serve) -> None:
    """Half a frame is none."""
    sockets, handle = OpenConnections(), Recorder()
    gateway = await serve(handle, sockets)
    host = f"127.0.0.1:{gateway.port}"
    async with connect(gateway.websocket_url) as client:
        connection = await connection_of(handle)
        async with dial(gateway) as raw:
            await raw.send(
                f"POST /prod/@connections/{connection} HTTP/1.1\r\n"
                f"Host: {host}\r\nContent-Length: 10\r\n\r\nhalf".encode()
            )
            raw.writer.write_eof()
            await raw.ended()
        async with dial(gateway) as raw:
            await raw.send(
                f"POST /prod/@connections/{connection} HTTP/1.1\r\n"
                f"Host: {host}\r\nContent-Length: 5\r\n\r\nwhole".encode()
            )
            await raw.ended()

        assert await client.recv() == "whole"
