import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import aiohttp
import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedOK

from robosignal.gateway.gateway import Gateway, Limits
from robosignal.gateway.management import is_local
from robosignal.gateway.sockets import Sockets
from signaling.wire.limits import MESSAGE_BYTES
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
        aws_access_key_id="nobody",
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


async def asked(gateway: Gateway, method: str = "POST", **request: Any) -> tuple[int, str | None]:
    """Send a bare request to a connection; return the status and the error's type."""
    url = f"{gateway.management_url}/@connections/JC1dgf9yoAMCK-g%3D"
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, **request) as answer,
    ):
        return answer.status, answer.headers.get("x-amzn-ErrorType")


@pytest.mark.parametrize(
    "header",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Host": "evil.example"},
        {"Host": "localhost.evil.example"},
        {"Host": "127.0.0.1.evil.example:8080"},
        {"Host": "127.0.0.1"},
        {"Host": "localhost"},
        {"Host": "127.0.0.1:1"},
        {"X-Forwarded-For": "203.0.113.7"},
        {"x-forwarded-proto": "https"},
        {"X-Forwarded-Host": "a.example"},
        {"X-Forwarded-Port": "443"},
        {"X-Forwarded": "for=203.0.113.7"},
        {"Forwarded": "for=203.0.113.7"},
        {"Forwarded-For": "203.0.113.7"},
        {"Via": "1.1 proxy.example"},
        {"X-Real-IP": "203.0.113.7"},
        {"X-Client-IP": "203.0.113.7"},
        {"X-Original-URL": "/"},
        {"Client-IP": "203.0.113.7"},
        {"True-Client-IP": "203.0.113.7"},
        {"CF-Connecting-IP": "203.0.113.7"},
        {"Cf-Ray": "1"},
        {"CDN-Loop": "proxy"},
        {"Fastly-Client-IP": "203.0.113.7"},
        {"Fly-Client-IP": "203.0.113.7"},
        {"Sec-Fetch-Mode": "no-cors"},
    ],
    ids=str,
)
async def test_what_a_page_or_a_proxy_sends_is_forbidden(
    serve: Serve, header: dict[str, str]
) -> None:
    """Nobody checks signatures on one machine, so only its own programs may call."""
    assert await asked(await serve(answers_ok), headers=header) == (403, "ForbiddenException")


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"X-Amz-Date": "20270101T000000Z", "X-Amz-Content-SHA256": "0", "amz-sdk-request": "1"},
        {"X-Amzn-Trace-Id": "Root=1-67891233-abcdef012345678912345678"},
        {"Authorization": "AWS4-HMAC-SHA256 Credential=x", "User-Agent": "curl/8"},
    ],
    ids=str,
)
async def test_a_program_on_this_machine_may_call(serve: Serve, header: dict[str, str]) -> None:
    """The same request without those headers gets past the guard, also with AWS's own."""
    answer = await asked(await serve(answers_ok), headers=header)

    assert answer == (410, "GoneException")


async def bare(gateway: Gateway, version: str, *hosts: str) -> int:
    """Send a request of an HTTP version with these `Host` headers; return the status."""
    lines = [f"GET /prod/@connections/{GONE} HTTP/{version}", *(f"Host: {host}" for host in hosts)]
    async with dial(gateway) as raw:
        await raw.send(("\r\n".join(lines) + "\r\n\r\n").encode())
        return await raw.status()


async def test_a_proxy_that_speaks_http_1_0_is_forbidden(serve: Serve) -> None:
    """As some do by default, with our own address for a host and no header of theirs."""
    gateway = await serve(answers_ok)
    ours = f"127.0.0.1:{gateway.port}"

    assert [await bare(gateway, version, ours) for version in ("1.0", "1.1")] == [403, 410]


async def test_a_second_host_is_no_way_in(serve: Serve) -> None:
    """In whichever order."""
    gateway = await serve(answers_ok)
    ours = f"localhost:{gateway.port}"
    statuses = [await bare(gateway, "1.1", *hosts) for hosts in ((ours, "a"), ("a", ours))]

    assert 410 not in statuses
    assert await bare(gateway, "1.1", ours) == 410


async def test_a_body_that_never_comes_is_not_awaited_for_ever(serve: Serve) -> None:
    """Not even from a program of this machine: it has as long as for a request's head."""
    gateway = await serve(answers_ok, limits=Limits(handshake_seconds=0.2))
    async with dial(gateway) as raw:
        head = f"POST /prod/@connections/{GONE} HTTP/1.1\r\nHost: 127.0.0.1:{gateway.port}\r\n"
        await raw.send(f"{head}Content-Length: 10\r\n\r\nhalf".encode())
        answer = (await raw.ended()).decode()

    assert answer.startswith("HTTP/1.1 408 ")
    assert "x-amzn-ErrorType: RequestTimeoutException" in answer


async def test_another_verb_is_forbidden(serve: Serve) -> None:
    """There are three."""
    assert await asked(await serve(answers_ok), "PUT") == (403, "ForbiddenException")


async def test_a_body_that_is_not_utf8_is_a_bad_request(serve: Serve) -> None:
    """It could not be a text frame."""
    answer = await asked(await serve(answers_ok), data=b"\xff")

    assert answer == (400, "BadRequestException")


async def test_a_body_that_breaks_off_reaches_nobody(serve: Serve) -> None:
    """Half a frame is none."""
    sockets, handle = Sockets(), Recorder()
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


@pytest.mark.parametrize(
    ("remote", "host", "local"),
    [
        ("127.0.0.1", "127.0.0.1:8080", True),
        ("127.9.9.9", "localhost:8080", True),
        ("::1", "[::1]:8080", True),
        ("::ffff:127.0.0.1", "LOCALHOST:8080", True),
        ("192.168.1.5", "127.0.0.1:8080", False),
        ("::ffff:192.168.1.5", "127.0.0.1:8080", False),
        ("2001:db8::1", "[::1]:8080", False),
        (None, "127.0.0.1:8080", False),
        ("", "127.0.0.1:8080", False),
        ("127.0.0.1", "", False),
        ("127.0.0.1", "127.0.0.1", False),
        ("127.0.0.1", "127.0.0.1:8081", False),
        ("127.0.0.1", "127.0.0.1:8080\n", False),
        ("127.0.0.1", "192.168.1.5:8080", False),
    ],
)
def test_only_loopback_is_local(remote: str | None, host: str, *, local: bool) -> None:
    """Both the peer's address and the name and port that it calls us by."""
    assert is_local(remote, 8080, [("Host", host)]) is local


def test_a_second_host_is_never_local() -> None:
    """Whichever of the two somebody on the way went by."""
    ours = ("Host", "localhost:8080")

    assert is_local("127.0.0.1", 8080, [ours])
    assert not is_local("127.0.0.1", 8080, [ours, ("host", "a.example")])
    assert not is_local("127.0.0.1", 8080, [ours, ours])


def test_port_80_need_not_be_named() -> None:
    """Clients leave it out."""
    assert is_local("127.0.0.1", 80, [("Host", "localhost")])
    assert not is_local("127.0.0.1", None, [("Host", "localhost")])
