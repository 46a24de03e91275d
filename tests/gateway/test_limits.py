import asyncio
from contextlib import suppress
from typing import NoReturn

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, ConnectionClosedError

from robosignal.gateway.connections import OpenConnections
from robosignal.gateway.limits import Limits
from robosignal.protocol.ids import ConnectionId
from robosignal.protocol.limits import FRAME_BYTES, MESSAGE_BYTES
from robosignal.server.limits.limiter import Buckets, Unlimited
from tests.gateway.conftest import Serve
from tests.gateway.raw import BINARY, CLOSE, CONT, PING, PONG, TEXT, Raw, frame, upgraded
from tests.gateway.recorder import Recorder, answers_ok, echoes


async def ping_for_ever(client: ClientConnection) -> NoReturn:
    """Ping until the connection ends, well within the limits."""
    while True:
        await (await client.ping())
        await asyncio.sleep(0.05)


async def talk_for_ever(client: ClientConnection) -> NoReturn:
    """Send and receive until the connection ends."""
    while True:
        await client.send("x")
        await client.recv()


PART = b"x" * FRAME_BYTES


@pytest.mark.parametrize("size", [FRAME_BYTES - 1, FRAME_BYTES])
async def test_a_frame_up_to_32_kib_is_handled(serve: Serve, size: int) -> None:
    """The limit itself is allowed."""
    async with connect((await serve(echoes)).websocket_url) as client:
        await client.send("x" * size)

        assert len(await client.recv()) == size


async def test_a_frame_over_32_kib_closes_with_1009(serve: Serve) -> None:
    """One byte too many, and the handler reads the code too."""
    handle = Recorder()
    async with connect((await serve(handle)).websocket_url) as client, asyncio.timeout(5):
        await client.send("x" * (FRAME_BYTES + 1))
        with pytest.raises(ConnectionClosedError) as closed:
            await client.recv()
    context = (await handle.event("$disconnect"))["requestContext"]

    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, context["disconnectStatusCode"]) == (1009, 1009)


@pytest.mark.parametrize(
    ("last", "answered"), [(FRAME_BYTES - 1, True), (FRAME_BYTES, True), (FRAME_BYTES + 1, False)]
)
async def test_a_message_in_fragments_may_be_128_kib(
    serve: Serve, last: int, *, answered: bool
) -> None:
    """Three full frames and a last one, one byte under, at, and over the limit."""
    async with upgraded(await serve(echoes)) as raw:
        await raw.send(frame(TEXT, PART, fin=False) + frame(CONT, PART, fin=False))
        # Split so that no single frame is over its own limit.
        await raw.send(frame(CONT, PART, fin=False) + frame(CONT, b"y" * (last - 9), fin=False))
        await raw.send(frame(CONT, b"z" * 9))
        opcode, payload = await raw.receive()

    size = len(payload) if opcode == TEXT else int.from_bytes(payload[:2], "big")
    assert size == (MESSAGE_BYTES - FRAME_BYTES + last if answered else 1009)


async def test_a_message_in_fragments_is_one_event(serve: Serve) -> None:
    """Also with a ping in between, and a character cut in two."""
    handle = Recorder()
    async with upgraded(await serve(handle)) as raw:
        await raw.send(
            frame(TEXT, b"caf\xc3", fin=False) + frame(PING) + frame(CONT, b"\xa9 au lait")
        )
        event = await handle.event("$default")

    assert event["body"] == "café au lait"


async def test_endless_empty_fragments_close_with_1009(serve: Serve) -> None:
    """They weigh nothing, so they are counted."""
    async with upgraded(await serve(answers_ok)) as raw:
        await raw.send(frame(TEXT, fin=False) + frame(CONT, fin=False) * 1024)

        assert await raw.close_code() == 1009


@pytest.mark.parametrize(("fin", "after"), [(True, TEXT), (False, CONT)])
async def test_a_binary_frame_closes_with_1003(serve: Serve, *, fin: bool, after: int) -> None:
    """API Gateway takes text alone; nothing reaches the handler."""
    handle = Recorder()
    async with upgraded(await serve(handle)) as raw:
        await raw.send(frame(BINARY, b"\x00", fin=fin) + frame(after, b"after"))
        code = await raw.close_code()
        ended = await handle.event("$disconnect")

    assert (code, handle.of("$default")) == (1003, [])
    assert ended["requestContext"]["disconnectStatusCode"] == 1003


@pytest.mark.parametrize("payload", [b"\xff", b"\xed\xa0\x80", b"\xc3"])
async def test_bad_utf8_closes_with_1007(serve: Serve, payload: bytes) -> None:
    """A stray byte, a lone surrogate, a cut character."""
    handle = Recorder()
    async with upgraded(await serve(handle)) as raw:
        await raw.send(frame(TEXT, payload))

        assert (await raw.close_code(), handle.of("$default")) == (1007, [])


@pytest.mark.parametrize(
    "bad",
    [
        frame(TEXT, b"x", masked=False),
        frame(TEXT, b"x", rsv=4),
        frame(3, b"x"),
        frame(CONT, b"x"),
        frame(PING, b"x" * 126),
        frame(PING, b"x", fin=False),
        frame(TEXT, b"x", fin=False) + frame(TEXT, b"y"),
        frame(CLOSE, b"x"),
    ],
)
async def test_a_protocol_error_closes_with_1002(serve: Serve, bad: bytes) -> None:
    """Unmasked, reserved, unexpected, too long: RFC 6455, sections 5.1 to 5.5."""
    async with upgraded(await serve(answers_ok)) as raw:
        await raw.send(bad)

        assert await raw.close_code() == 1002


async def test_the_close_survives_a_client_that_keeps_sending(serve: Serve) -> None:
    """What still arrives is read and dropped: a reset could eat the close frame."""
    async with upgraded(await serve(answers_ok)) as raw:
        await raw.send(frame(BINARY, b"x") + frame(TEXT, PART) * 2)
        code = await raw.close_code()
        await raw.send(frame(TEXT, PART) * 8)
        raw.writer.write_eof()

        assert (code, await raw.ended()) == (1003, b"")


@pytest.mark.parametrize("opcode", [PING, PONG])
async def test_a_flood_of_pings_or_pongs_closes_with_1008(serve: Serve, opcode: int) -> None:
    """No handler sees them, so no handler's limit bounds them."""
    handle = Recorder()
    gateway = await serve(handle, control_frames=Buckets(per_second=0.001))
    async with upgraded(gateway) as raw:
        await raw.send(frame(opcode) * 101)
        code = await raw.close_code()
        context = (await handle.event("$disconnect"))["requestContext"]

    assert (code, context["disconnectStatusCode"]) == (1008, 1008)


@pytest.mark.parametrize("opcode", [PING, PONG])
async def test_a_hundred_pings_or_pongs_at_once_are_taken(serve: Serve, opcode: int) -> None:
    """And counted for each connection alone; a close after them is one of the client's own."""
    gateway = await serve(echoes, control_frames=Buckets(per_second=0.001))
    async with upgraded(gateway) as one, upgraded(gateway) as two:
        for raw in (one, two):
            await raw.send(frame(opcode) * 100 + frame(CLOSE, (4000).to_bytes(2, "big")))

        assert [await one.close_code(), await two.close_code()] == [4000, 4000]


async def test_a_connection_that_has_ended_is_not_counted_any_longer(serve: Serve) -> None:
    """What is kept of its pings goes with it."""
    handle, controls = Recorder(), Buckets(per_second=0.001)
    gateway = await serve(handle, control_frames=controls)
    async with upgraded(gateway) as raw:
        await raw.send(frame(PING) * 101)
        await raw.close_code()
    connection = ConnectionId((await handle.event("$connect"))["requestContext"]["connectionId"])
    await gateway.stop()

    assert controls.strike(connection, 0) == 0


async def test_messages_are_not_counted_as_pings(serve: Serve) -> None:
    """Nor are fragments: they have limits of their own."""
    gateway = await serve(echoes, control_frames=Buckets(per_second=0.001))
    async with upgraded(gateway) as raw:
        await raw.send((frame(TEXT, b"x", fin=False) + frame(CONT, b"y")) * 200)
        echoed = [await raw.receive() for _ in range(200)]

    assert set(echoed) == {(TEXT, b"xy")}


async def keep_sending(raw: Raw) -> int:
    """Send messages until the connection is gone; return how many bytes that took."""
    sent = 0
    with suppress(ConnectionError):
        while True:
            await raw.send(frame(TEXT, PART))
            sent += len(PART)
    return sent


@pytest.mark.parametrize("fails", [True, False], ids=["failed", "closed"])
async def test_a_client_that_is_told_to_go_and_sends_on_is_dropped(
    serve: Serve, *, fails: bool
) -> None:
    """Long before the time is up that it has for closing."""
    sockets, handle = OpenConnections(), Recorder()
    gateway = await serve(handle, sockets, limits=Limits(closing_seconds=3600))
    async with upgraded(gateway) as raw, asyncio.timeout(10):
        connection = (await handle.event("$connect"))["requestContext"]["connectionId"]
        if fails:
            await raw.send(frame(CONT))
        else:
            sockets.close(connection)
        await raw.close_code()
        sent = await keep_sending(raw)
        await handle.event("$disconnect")

    # The kernel holds some megabytes for both.
    assert 512 * 1024 < sent < 64 * 1024 * 1024
    assert handle.of("$default") == []


async def test_an_idle_connection_is_closed_with_1001_though_it_pings(serve: Serve) -> None:
    """Pings are answered, but they are no activity."""
    handle = Recorder()
    gateway = await serve(handle, limits=Limits(idle_seconds=0.2))
    async with connect(gateway.websocket_url) as client, asyncio.timeout(5):
        with pytest.raises(ConnectionClosed) as closed:
            await ping_for_ever(client)
    context = (await handle.event("$disconnect"))["requestContext"]

    assert closed.value.rcvd is not None
    assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1001, "Going away")
    assert (context["disconnectStatusCode"], context["disconnectReason"]) == (1001, "Going away")


@pytest.mark.parametrize("direction", ["in", "out"])
async def test_messages_keep_a_connection_from_idling(serve: Serve, direction: str) -> None:
    """Three times the idle time, with a message every few milliseconds, either way."""
    sockets, handle = OpenConnections(), Recorder()
    limits = Limits(idle_seconds=0.2)
    gateway = await serve(handle, sockets, limits=limits, control_frames=Unlimited())
    async with connect(gateway.websocket_url) as client:
        connection = (await handle.event("$connect"))["requestContext"]["connectionId"]
        until = asyncio.get_running_loop().time() + 0.6
        while asyncio.get_running_loop().time() < until:
            if direction == "in":
                await client.send("x")
                # The round trip is the pace.
                await (await client.ping())
            else:
                sockets.post(connection, b"x")
                await client.recv()

        assert sockets.info(connection) is not None


async def test_a_connection_is_closed_with_1001_at_the_end_of_its_life(serve: Serve) -> None:
    """However busy it is."""
    gateway = await serve(echoes, limits=Limits(lifetime_seconds=0.2))
    async with connect(gateway.websocket_url) as client, asyncio.timeout(5):
        with pytest.raises(ConnectionClosed) as closed:
            await talk_for_ever(client)

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1001


async def test_a_client_that_does_not_read_is_dropped(serve: Serve) -> None:
    """Its posts fail from then on, and its `$disconnect` runs."""
    sockets, handle = OpenConnections(), Recorder()
    async with upgraded(await serve(handle, sockets)) as raw:
        raw.writer.transport.pause_reading()  # type: ignore[attr-defined]
        connection = ConnectionId(
            (await handle.event("$connect"))["requestContext"]["connectionId"]
        )
        # More than the kernel can hold on both ends.
        posted = [sockets.post(connection, b"x" * MESSAGE_BYTES) for _ in range(200)]
        context = (await handle.event("$disconnect"))["requestContext"]

    assert (posted[0], posted[-1]) == (True, False)
    assert context["disconnectStatusCode"] == 1006
