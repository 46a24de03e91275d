import asyncio
import json
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from robosignal.gateway.gateway import Gateway, Limits
from robosignal.gateway.sockets import Sockets
from tests.gateway.conftest import Serve
from tests.gateway.raw import TEXT, UPGRADE, dial, frame, request
from tests.gateway.recorder import OK, Event, Recorder, Result, answers_ok, echoes


async def refused(gateway: Gateway, path: str = "") -> InvalidStatus:
    """Try to connect; return the refusal."""
    with pytest.raises(InvalidStatus) as refusal:
        async with connect(gateway.websocket_url + path):
            pass
    return refusal.value


async def test_the_handler_s_status_refuses_the_upgrade(serve: Serve) -> None:
    """A rejection is an HTTP status with the handler's body, never a 101 and a close."""
    gateway = await serve(lambda _: {"statusCode": 401, "body": '{"code":"unauthorized"}'})
    response = (await refused(gateway)).response

    assert (response.status_code, response.body) == (401, b'{"code":"unauthorized"}')


async def test_a_handler_that_raises_refuses_with_502(serve: Serve) -> None:
    """What a crash looks like to a client."""

    def crash(event: Event) -> Result:
        raise LookupError(event["requestContext"]["eventType"])

    response = (await refused(await serve(crash))).response

    assert (response.status_code, json.loads(response.body)) == (
        502,
        {"message": "Internal server error"},
    )


async def test_a_malformed_result_refuses_with_502(serve: Serve) -> None:
    """A result that says neither yes nor no is a crash too."""
    response = (await refused(await serve(lambda _: {}))).response

    assert response.status_code == 502


async def test_a_handler_that_takes_too_long_refuses_with_504(serve: Serve) -> None:
    """In threads a call can be given up on."""
    release = asyncio.Event()
    loop = asyncio.get_running_loop()

    def dawdle(event: Event) -> Result:
        asyncio.run_coroutine_threadsafe(release.wait(), loop).result()
        return answers_ok(event)

    gateway = await serve(dawdle, in_threads=True, limits=Limits(integration_seconds=0.05))
    response = (await refused(gateway)).response
    release.set()

    assert response.status_code == 504


async def test_a_refused_connection_has_no_disconnect(serve: Serve) -> None:
    """Only what `$connect` let in can leave: the next event is the next client's."""
    answers = iter([{"statusCode": 403}, OK])
    handle = Recorder(lambda _: next(answers, OK))
    gateway = await serve(handle)
    await refused(gateway)
    async with connect(gateway.websocket_url):
        pass
    await handle.event("$disconnect")

    routes = [event["requestContext"]["routeKey"] for event in handle.events]
    assert routes == ["$connect", "$connect", "$disconnect"]


@pytest.mark.parametrize("path", ["/", "/dev", "/prod/", "/prod2", "/PROD", "/prod/x"])
async def test_another_path_is_forbidden_and_reaches_no_handler(serve: Serve, path: str) -> None:
    """The stage is the whole path."""
    handle = Recorder()
    gateway = await serve(handle)
    async with dial(gateway) as raw:
        await raw.send(request(path))
        status = await raw.status()

    assert (status, handle.events) == (403, [])


async def test_plain_http_on_the_stage_is_told_to_upgrade(serve: Serve) -> None:
    """A GET without an upgrade is 426."""
    async with dial(await serve(answers_ok)) as raw:
        await raw.send(request(headers={"Host": "127.0.0.1"}))

        assert await raw.status() == 426


@pytest.mark.parametrize(
    ("header", "value", "status"),
    [
        ("Sec-WebSocket-Key", "short", 400),
        ("Sec-WebSocket-Version", "8", 400),
        ("Connection", "keep-alive", 426),
        ("Host", "", 400),
        ("Content-Length", "5", 400),
        ("X-Long", "x" * 9000, 431),
    ],
)
async def test_a_malformed_upgrade_reaches_no_handler(
    serve: Serve, header: str, value: str, status: int
) -> None:
    """What RFC 6455, section 4.2.1, asks of a client is checked first."""
    handle = Recorder()
    async with dial(await serve(handle)) as raw:
        await raw.send(request(headers=UPGRADE | {header: value}))
        given = await raw.status()

    assert (given, handle.events) == (status, [])


async def test_a_url_over_4096_characters_is_refused(serve: Serve) -> None:
    """API Gateway takes no longer URL."""
    async with dial(await serve(answers_ok)) as raw:
        await raw.send(request("/prod?token=" + "x" * 4085))

        assert await raw.status() == 414


async def test_only_the_returned_subprotocol_is_selected(serve: Serve) -> None:
    """Of those offered the client gets the one that the handler chose."""
    chosen = {"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "b"}}
    gateway = await serve(lambda _: chosen)
    offered = [Subprotocol(name) for name in ("a", "b", "bearer.t")]
    async with connect(gateway.websocket_url, subprotocols=offered) as client:
        assert client.subprotocol == "b"


async def test_no_subprotocol_is_selected_unless_the_handler_returns_one(serve: Serve) -> None:
    """An offer alone selects nothing; Chrome would then abort."""
    gateway = await serve(answers_ok)
    async with connect(gateway.websocket_url, subprotocols=[Subprotocol("a")]) as client:
        assert client.subprotocol is None


async def test_compression_is_not_agreed_to(serve: Serve) -> None:
    """The client offers `permessage-deflate`; API Gateway has none."""
    gateway = await serve(answers_ok)
    async with connect(gateway.websocket_url, compression="deflate") as client:
        assert client.protocol.extensions == []


async def test_the_query_reaches_connect_alone(serve: Serve) -> None:
    """A message event has no query, so a handler cannot come to rely on it."""
    handle = Recorder()
    gateway = await serve(handle)
    async with connect(gateway.websocket_url + "?token=t%3D1") as client:
        await client.send("x")
        message = await handle.event("$default")
    connected = await handle.event("$connect")

    assert connected["queryStringParameters"] == {"token": "t=1"}
    assert sorted(message) == ["body", "isBase64Encoded", "requestContext"]


async def test_nothing_can_be_posted_before_the_101(serve: Serve) -> None:
    """During `$connect` the connection does not exist yet; right after it does."""
    sockets = Sockets()
    posted: list[tuple[bool, bool]] = []

    def post(event: Event) -> Result:
        connection = event["requestContext"]["connectionId"]
        exists = sockets.facts(connection) is not None
        posted.append((exists, sockets.post(connection, b"hello")))
        return OK

    gateway = await serve(post, sockets)
    async with connect(gateway.websocket_url) as client:
        await client.send("now")
        received = await client.recv()

    assert (posted[:2], received) == ([(False, False), (True, True)], "hello")


async def test_frames_sent_while_connect_runs_are_kept(serve: Serve) -> None:
    """A client need not wait for the 101 to send; order is kept."""
    release = asyncio.Event()

    async def slow(event: Event) -> None:
        del event
        await release.wait()

    gateway = await serve(echoes, prepare=slow)
    async with dial(gateway) as raw:
        await raw.send(request() + frame(TEXT, b"early"))
        await raw.send(frame(TEXT, b"later"))
        release.set()

        assert await raw.status() == 101
        assert [await raw.receive(), await raw.receive()] == [(TEXT, b"early"), (TEXT, b"later")]


async def test_prepare_is_awaited_before_connect_alone(serve: Serve) -> None:
    """It sees `$connect` before the handler does, and no other event."""
    order: list[str] = []

    async def prepare(event: Event) -> None:
        order.append("prepare " + event["requestContext"]["routeKey"])

    def handle(event: Event) -> Result:
        order.append(event["requestContext"]["routeKey"])
        return echoes(event)

    async with connect((await serve(handle, prepare=prepare)).websocket_url) as client:
        await client.send("x")
        await client.recv()

    assert order[:3] == ["prepare $connect", "$connect", "$default"]


async def test_prepare_that_raises_refuses_with_502(serve: Serve) -> None:
    """The handler is not asked then."""
    handle = Recorder()

    async def prepare(event: Event) -> None:
        raise OSError(event["isBase64Encoded"])

    refusal = await refused(await serve(handle, prepare=prepare))

    assert (refusal.response.status_code, handle.events) == (502, [])


async def test_one_client_too_many_is_throttled(serve: Serve) -> None:
    """The bound on sockets answers 429; a place that is freed can be taken."""
    handle = Recorder()
    gateway = await serve(handle, limits=Limits(sockets=1))
    async with connect(gateway.websocket_url):
        assert (await refused(gateway)).response.status_code == 429
    await handle.event("$disconnect")

    async with connect(gateway.websocket_url):
        assert len(handle.of("$connect")) == 2


async def test_a_half_open_handshake_is_closed_in_time(serve: Serve) -> None:
    """A head that never ends costs nobody more than the limit."""
    gateway = await serve(answers_ok, limits=Limits(handshake_seconds=0.05))
    async with dial(gateway) as raw:
        await raw.send(request()[:-2])

        assert await raw.ended() == b""


async def test_a_silent_connection_is_closed_in_time(serve: Serve) -> None:
    """So is one that sends nothing at all."""
    gateway = await serve(answers_ok, limits=Limits(handshake_seconds=0.05))
    async with dial(gateway) as raw:
        assert await raw.ended() == b""


async def test_a_head_over_16_kib_is_refused(serve: Serve) -> None:
    """The front reads no more than it can hold."""
    async with dial(await serve(answers_ok)) as raw:
        await raw.send(b"GET /prod HTTP/1.1\r\n" + b"X-Pad: " + b"x" * 16384)

        assert await raw.status() == 431


async def test_a_client_that_leaves_during_connect_still_disconnects(serve: Serve) -> None:
    """`$connect` has written its row by then, so somebody must be told."""
    entered, release = asyncio.Event(), asyncio.Event()

    async def slow(event: Event) -> None:
        del event
        entered.set()
        await release.wait()

    handle = Recorder()
    async with dial(await serve(handle, prepare=slow)) as raw:
        await raw.send(request())
        await entered.wait()
    release.set()
    ended = await handle.event("$disconnect")

    assert ended["requestContext"]["disconnectStatusCode"] == 1006


async def test_a_connection_s_id_has_aws_s_shape_and_never_changes(serve: Serve) -> None:
    """One id on all three events, 16 characters of URL-safe base64 that end in `=`."""
    handle = Recorder()
    async with connect((await serve(handle)).websocket_url) as client:
        await client.send("x")
    await handle.event("$disconnect")
    ids: set[Any] = {event["requestContext"]["connectionId"] for event in handle.events}
    (only,) = ids

    assert (len(only), only[-1], len(handle.events)) == (16, "=", 3)
