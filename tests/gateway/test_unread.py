"""Clients that do not read what they are sent: a bounded cost, and then the end."""

import asyncio
import socket
from contextlib import AsyncExitStack

from websockets.asyncio.client import connect

from robosignal.gateway.gateway import Gateway
from robosignal.gateway.limits import Limits
from robosignal.gateway.listener import BUFFER_BYTES
from robosignal.gateway.websocket import UNREAD_BYTES, UNSENT_BYTES
from robosignal.protocol.ids import ConnectionId
from tests.gateway.conftest import Serve
from tests.gateway.raw import TEXT, Raw, frame, upgraded
from tests.gateway.recorder import Event, Recorder, Result

REPLY = "x" * 56 * 1024
"""As long as a page of fifty robots."""

REQUESTS = 60
PATIENCE = 30


def lists(event: Event) -> Result:
    """Answer every message with a long reply."""
    return {"statusCode": 200, "body": REPLY} if "body" in event else {"statusCode": 200}


async def ask(raw: Raw, requests: int = REQUESTS) -> None:
    """Ask, all at once, and read nothing."""
    await raw.send(frame(TEXT, b"x") * requests)


def held_at_most(raw: Raw) -> int:
    """Return how many bytes of replies may be under way: at the client, in the kernel, in here."""
    client = raw.writer.get_extra_info("socket")
    received = client.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
    # asyncio's stream itself reads 64 KiB twice before it stops.
    return int(received) + 2 * 2**16 + 2 * BUFFER_BYTES + UNREAD_BYTES + 2 * len(REPLY)


async def test_who_does_not_read_is_asked_nothing_more_and_dropped(serve: Serve) -> None:
    """What was asked beyond that is never carried out; `$disconnect` runs."""
    handle = Recorder(lists)
    async with upgraded(await serve(handle, limits=Limits(unread_seconds=0.3))) as raw:
        await ask(raw)
        end = await handle.event("$disconnect")
        most = held_at_most(raw)

    assert end["requestContext"]["disconnectStatusCode"] == 1006
    assert len(handle.of("$default")) * len(REPLY) <= most < REQUESTS * len(REPLY)


async def test_who_reads_late_is_answered_everything(serve: Serve) -> None:
    """In order: what waits is carried out as the client reads."""
    handle = Recorder(lists)
    async with upgraded(await serve(handle)) as raw:
        await ask(raw)
        await handle.event("$default", 1)
        answers = [await raw.receive() for _ in range(REQUESTS)]
        await raw.send(frame(TEXT, b"y"))
        last = await raw.receive()

    assert {(opcode, len(payload)) for opcode, payload in (*answers, last)} == {(TEXT, len(REPLY))}
    assert len(handle.of("$default")) == REQUESTS + 1


async def test_connections_have_small_buffers_in_the_kernel(serve: Serve) -> None:
    """Set before the gateway listens; a kernel left to itself lets them grow to megabytes."""
    handle = Recorder(lists)
    gateway = await serve(handle)
    async with upgraded(gateway):
        (connection,) = gateway._context.connections  # noqa: SLF001 - no client can see it
        one = connection._transport.get_extra_info("socket")  # noqa: SLF001
        sizes = [
            one.getsockopt(socket.SOL_SOCKET, buffer)
            for buffer in (socket.SO_SNDBUF, socket.SO_RCVBUF)
        ]

    assert all(0 < size <= 2 * BUFFER_BYTES for size in sizes)


async def posted(gateway: Gateway, connection: ConnectionId, frames: int) -> int:
    """Post so many long frames to a connection; return how many it took."""
    sockets = gateway._context.open_connections  # noqa: SLF001 - as a handler's poster does
    taken = 0
    while taken < frames and sockets.post(connection, REPLY.encode()):
        taken += 1
        await asyncio.sleep(0)
    return taken


async def test_what_others_send_to_who_does_not_read_is_bounded(serve: Serve) -> None:
    """A page that reads nothing is dropped, however many robots of its user's send to it."""
    handle = Recorder(lists)
    gateway = await serve(handle)
    async with upgraded(gateway) as raw:
        connection = ConnectionId(
            (await handle.event("$connect"))["requestContext"]["connectionId"]
        )
        taken = await posted(gateway, connection, 1000)
        await handle.event("$disconnect")
        most = held_at_most(raw) + UNSENT_BYTES

    assert taken * len(REPLY) <= most


async def test_all_who_do_not_read_have_one_bound(serve: Serve) -> None:
    """Some of them go for the others; who reads goes on."""
    handle = Recorder(lists)
    limits = Limits(unread_bytes=3 * (UNREAD_BYTES + len(REPLY)))
    gateway = await serve(handle, limits=limits)
    async with AsyncExitStack() as stack, asyncio.timeout(PATIENCE):
        reading = await stack.enter_async_context(connect(gateway.websocket_url))
        for _ in range(10):
            await ask(await stack.enter_async_context(upgraded(gateway)))
        await handle.event("$disconnect", 6)
        await reading.send("x")
        answer = await reading.recv()
        waiting = sum(gateway._context.unread.values())  # noqa: SLF001 - no client can see it
        gone = [each["requestContext"]["connectionId"] for each in handle.of("$disconnect")]
        came = [each["requestContext"]["connectionId"] for each in handle.of("$connect")]

    assert answer == REPLY
    assert waiting <= limits.unread_bytes
    assert came[0] not in gone


async def test_those_who_let_most_pile_up_are_dropped_and_not_the_slow_one(serve: Serve) -> None:
    """Though it was the first who did not read: others cannot have it dropped by piling up more."""
    handle = Recorder(lists)
    limits = Limits(unread_bytes=2 * UNSENT_BYTES)
    gateway = await serve(handle, limits=limits)
    unread = gateway._context.unread  # noqa: SLF001 - no client can see it

    async def pile_up(unread_bytes: int) -> ConnectionId:
        before = set(unread)
        await stack.enter_async_context(upgraded(gateway))
        context = handle.of("$connect")[-1]["requestContext"]
        connection = ConnectionId(context["connectionId"])
        while not any(size >= unread_bytes for each, size in unread.items() if each not in before):
            if not await posted(gateway, connection, 1):
                break
        return connection

    async with AsyncExitStack() as stack, asyncio.timeout(PATIENCE):
        slow = await pile_up(UNREAD_BYTES)
        greedy = [await pile_up(UNSENT_BYTES - 2 * len(REPLY)) for _ in range(4)]
        await handle.event("$disconnect", 1)
        gone = {each["requestContext"]["connectionId"] for each in handle.of("$disconnect")}

    assert slow not in gone
    assert gone <= set(greedy)
