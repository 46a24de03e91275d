"""What a connection is once its handshake is accepted, and what happens meanwhile."""

import asyncio
from typing import Any

from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from robosignal.gateway.connections import OpenConnections
from robosignal.gateway.limits import Limits
from tests.gateway.conftest import Serve
from tests.gateway.raw import TEXT, dial, frame, request
from tests.gateway.recorder import OK, Event, Recorder, Result, answers_ok, echoes


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
    sockets = OpenConnections()
    posted: list[tuple[bool, bool]] = []

    def post(event: Event) -> Result:
        connection = event["requestContext"]["connectionId"]
        exists = sockets.info(connection) is not None
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


async def test_a_half_open_handshake_is_closed_in_time(serve: Serve) -> None:
    """A head that never ends costs no more than the limit."""
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
