"""The gateway against strangers: who hold connections, and who hope for a careless log."""

import asyncio
import gc
import logging
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import NoReturn

import pytest
from websockets.asyncio.client import connect

from robosignal.gateway.connections import OpenConnections
from robosignal.gateway.gateway import Gateway
from robosignal.gateway.limits import Limits
from robosignal.server.limits.limiter import Unlimited
from tests.gateway.conftest import Serve
from tests.gateway.raw import Raw, dial, frame, request
from tests.gateway.recorder import Event, Recorder, Result, answers_ok, echoes

STRANGERS = 20
PLACES = 2
HEALTH = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
EXPECTING = b"GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\nExpect: zzz\r\n\r\n"


def lets_friends_in(event: Event) -> Result:
    """Accept who says something in the query, and echo messages."""
    is_stranger = event["requestContext"]["routeKey"] == "$connect" and (
        "queryStringParameters" not in event
    )
    return {"statusCode": 401} if is_stranger else echoes(event)


@asynccontextmanager
async def dialled(gateway: Gateway, count: int) -> AsyncIterator[list[Raw]]:
    """Have so many connections that have each sent a handshake; none closes by itself."""
    async with AsyncExitStack() as stack:
        dialling = [await stack.enter_async_context(dial(gateway)) for _ in range(count)]
        for raw in dialling:
            await raw.send(request())
        yield dialling


async def test_strangers_take_no_place_of_those_let_in(serve: Serve) -> None:
    """Ten times as many refused connections as there are places, all held open."""
    gateway = await serve(lets_friends_in, limits=Limits(connections=PLACES))
    async with dialled(gateway, STRANGERS) as strangers:
        refusals = [await stranger.status() for stranger in strangers]
        async with connect(gateway.websocket_url + "?friend=1") as friend:
            await friend.send("here")
            echo = await friend.recv()

    assert (set(refusals), echo) == ({401}, "here")


async def test_handshakes_at_the_same_time_do_not_exceed_the_places(serve: Serve) -> None:
    """Whom `$connect` has let in too late is refused, and its `$disconnect` runs."""
    handle = Recorder()
    all_there, waiting = asyncio.Event(), []

    async def prepare(event: Event) -> None:
        waiting.append(event)
        if len(waiting) == PLACES + 3:
            all_there.set()
        await all_there.wait()

    gateway = await serve(handle, limits=Limits(connections=PLACES), prepare=prepare)
    async with dialled(gateway, PLACES + 3) as dialling:
        statuses = [await raw.status() for raw in dialling]
        ended = len(handle.of("$disconnect"))

    assert sorted(statuses) == [101] * PLACES + [429] * 3
    assert ended == 3


async def send_for_ever(raw: Raw, gateway: Gateway) -> NoReturn:
    """Send until the connection is gone; another's round trip is the pace."""
    while True:
        await raw.send(frame(9))
        async with dial(gateway) as other:
            await other.send(HEALTH)
            await other.ended()


async def test_a_refused_client_that_never_closes_is_dropped_soon(serve: Serve) -> None:
    """Far sooner than one that was let in: a stranger keeps no file open for long."""
    gateway = await serve(lets_friends_in, limits=Limits(closing_seconds=60))
    loop = asyncio.get_running_loop()
    async with dialled(gateway, 1) as (stranger,), asyncio.timeout(5):
        await stranger.status()
        refused_at = loop.time()
        with pytest.raises(ConnectionError):
            await send_for_ever(stranger, gateway)

    assert loop.time() - refused_at < 2


@pytest.mark.parametrize("count", [1, 2])
async def test_an_expectation_that_is_not_met_ends_the_connection(serve: Serve, count: int) -> None:
    """Answered once, hardened as any: a second head behind the first is not looked at."""
    async with dial(await serve(answers_ok)) as raw:
        await raw.send(EXPECTING * count)
        answer = await raw.ended()

    assert answer.startswith(b"HTTP/1.1 417 ")
    assert answer.count(b"HTTP/1.1") == answer.count(b"Connection: close") == 1
    assert b"\r\nContent-Security-Policy: default-src 'self';" in answer


@pytest.mark.parametrize(
    "head",
    [
        "GET /prod?token=s3cret HTTP/9.9\r\nHost: a\r\n\r\n",
        "GET /prod?token=s3cret HTTP/9.9\r\nHost: a\r\nUpgrade: websocket\r\n\r\n",
        "GET /prod?token=s3cret\x01 HTTP/1.1 x\r\nHost: a\r\n\r\n",
        "GET /prod HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer s3cret\x01\r\n\r\n",
    ],
    ids=["version", "version of an upgrade", "request line", "header"],
)
async def test_an_unreadable_head_leaves_no_token_in_the_log(
    serve: Serve, caplog: pytest.LogCaptureFixture, head: str
) -> None:
    """Parsers quote what they stumble on; neither texts, arguments nor tracebacks get out."""
    caplog.set_level(logging.DEBUG)
    for library in ("aiohttp", "aiohttp.server", "aiohttp.web", "aiohttp.access", "websockets"):
        caplog.set_level(logging.DEBUG, library)
    async with dial(await serve(answers_ok)) as raw:
        await raw.send(head.encode())
        answer = await raw.ended()

    assert answer.startswith((b"HTTP/1.1 400 ", b"HTTP/1.0 400 "))
    assert "s3cret" not in caplog.text
    assert [record for record in caplog.records if "s3cret" in repr(vars(record))] == []


async def test_a_name_too_long_for_the_file_system_is_not_found(serve: Serve) -> None:
    """Not a failure of ours; and the response is as hardened as any."""
    async with dial(await serve(answers_ok)) as raw:
        await raw.send(b"GET /" + b"a" * 5000 + b".js HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        head, _, _ = (await raw.ended()).decode().partition("\r\n\r\n")

    assert head.startswith("HTTP/1.1 404 ")
    for name in ("Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy"):
        assert f"\r\n{name}: " in head


@asynccontextmanager
async def reset(gateway: Gateway, first: bytes, then: bytes) -> AsyncIterator[None]:
    """Have a connection that was answered once, sent more, and was reset before it was read."""
    client = socket.create_connection((gateway.host, gateway.port))
    loop = asyncio.get_running_loop()
    with client:
        client.settimeout(0)
        await loop.sock_sendall(client, first)
        async with asyncio.timeout(5):
            await loop.sock_recv(client, 4096)
        # Nothing else runs until the reset is on its way: the server reads all of it after that.
        client.settimeout(None)
        client.sendall(then)
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    yield


@pytest.mark.parametrize("unit", [frame(9, b"x"), frame(1, b"x")], ids=["pings", "messages"])
async def test_replies_to_a_client_that_has_left_do_not_fill_the_log(
    serve: Serve, caplog: pytest.LogCaptureFixture, unit: bytes
) -> None:
    """No reply is written to it: asyncio has a line for each write to a lost connection."""
    handle = Recorder(echoes)
    gateway = await serve(handle, control_frames=Unlimited())
    async with reset(gateway, request(), unit * 1000):
        await handle.event("$disconnect")

    assert caplog.messages == []


async def test_a_post_to_a_client_that_has_left_tells_so(serve: Serve) -> None:
    """As soon as a write has failed, though its `$disconnect` is still to come."""
    sockets = OpenConnections()
    posted: list[bool] = []

    def post(event: Event) -> Result:
        if "body" in event:
            posted.append(sockets.post(event["requestContext"]["connectionId"], b"x"))
        return {"statusCode": 200}

    handle = Recorder(post)
    async with reset(await serve(handle, sockets), request(), frame(1, b"x") * 100):
        await handle.event("$disconnect")

    assert posted != []
    assert set(posted[1:]) <= {False}


async def test_a_refusal_of_a_client_that_has_left_is_no_failure(serve: Serve) -> None:
    """A stranger who leaves could else have a traceback written for each handshake."""
    begun, has_left = asyncio.Event(), asyncio.Event()
    failures: list[dict[str, object]] = []

    async def prepare(event: Event) -> None:
        del event
        begun.set()
        await has_left.wait()

    handle = Recorder(lets_friends_in)
    gateway = await serve(handle, prepare=prepare)
    asyncio.get_running_loop().set_exception_handler(lambda _, told: failures.append(told))
    client = socket.create_connection((gateway.host, gateway.port))
    client.sendall(request())
    await begun.wait()
    client.close()
    has_left.set()
    await handle.event("$connect")
    await gateway.stop()
    # What a task raised that was never awaited is logged once the task is collected.
    gc.collect()

    assert failures == []


async def test_an_unreadable_request_is_refused_with_hardened_headers(
    serve: Serve,
) -> None:
    """The library answers it by itself, past the application's signals."""
    async with dial(await serve(answers_ok)) as raw:
        await raw.send(b"GARBAGE\r\n\r\n")
        head, _, _ = (await raw.ended()).decode().partition("\r\n\r\n")

    assert " 400 " in head.splitlines()[0]
    for name in ("Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy"):
        assert f"\r\n{name}: " in head


async def test_a_body_that_never_comes_keeps_no_file_open(serve: Serve) -> None:
    """It was not wanted: it is waited for only so long that its sender can read the answer."""
    gateway = await serve(answers_ok)
    loop = asyncio.get_running_loop()
    async with dial(gateway) as raw:
        await raw.send(b"GET /health HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n")
        asked_at = loop.time()
        answer = await raw.ended()

    assert answer.startswith(b"HTTP/1.1 200 ")
    assert loop.time() - asked_at < 3
