"""How a WebSocket ends, and what its `$disconnect` then says."""

import asyncio
from typing import NoReturn

import pytest
from websockets.asyncio.client import connect

from robosignal.gateway.connections import OpenConnections
from robosignal.gateway.limits import Limits
from tests.gateway.conftest import Serve
from tests.gateway.raw import CLOSE, CONT, PING, PONG, TEXT, Raw, frame, upgraded
from tests.gateway.recorder import OK, Event, Recorder, Result, answers_ok, echoes


async def send_for_ever(raw: Raw) -> NoReturn:
    """Send pings until the connection is gone."""
    while True:
        await raw.send(frame(PING))
        await asyncio.sleep(0.01)


@pytest.mark.parametrize(
    ("code", "reason", "told"),
    [
        (1000, "", (1000, "")),
        (1001, "", (1001, "")),
        (4321, "my own", (4321, "my own")),
    ],
)
async def test_the_disconnect_has_the_client_s_code_and_reason(
    serve: Serve, code: int, reason: str, told: tuple[int, str]
) -> None:
    """As the client closed, so the handler reads."""
    handle = Recorder()
    async with connect((await serve(handle)).websocket_url) as client:
        await client.close(code, reason)
    context = (await handle.event("$disconnect"))["requestContext"]

    assert (context["disconnectStatusCode"], context["disconnectReason"]) == told


async def test_a_close_without_a_status_is_1005(serve: Serve) -> None:
    """In API Gateway's words; the close is echoed as it came."""
    handle = Recorder()
    async with upgraded(await serve(handle)) as raw:
        await raw.send(frame(CLOSE))
        echoed = await raw.receive()
        context = (await handle.event("$disconnect"))["requestContext"]

    assert echoed == (CLOSE, b"")
    assert (context["disconnectStatusCode"], context["disconnectReason"]) == (
        1005,
        "Client-side close frame status not set",
    )


async def test_a_dropped_connection_disconnects_with_1006(serve: Serve) -> None:
    """No close frame came, and none was sent."""
    handle = Recorder()
    async with upgraded(await serve(handle)):
        pass
    context = (await handle.event("$disconnect"))["requestContext"]

    assert context["disconnectStatusCode"] == 1006


async def test_a_disconnect_runs_once(serve: Serve) -> None:
    """A close frame and then a dropped connection are one end."""
    handle = Recorder()
    gateway = await serve(handle)
    async with upgraded(gateway) as raw:
        await raw.send(frame(CLOSE, b"\x03\xe8"))
        await raw.receive()
    await gateway.stop()

    assert len(handle.of("$disconnect")) == 1


async def test_the_socket_is_gone_before_its_disconnect(serve: Serve) -> None:
    """A handler that posts from `$disconnect` learns that the connection is gone."""
    sockets = OpenConnections()
    posted: list[bool] = []

    def post(event: Event) -> Result:
        if event["requestContext"]["eventType"] == "DISCONNECT":
            posted.append(sockets.post(event["requestContext"]["connectionId"], b"x"))
        return OK

    handle = Recorder(post)
    async with connect((await serve(handle, sockets)).websocket_url):
        pass
    await handle.event("$disconnect")

    assert posted == [False]


async def test_a_message_and_a_close_in_one_segment_are_both_handled(serve: Serve) -> None:
    """The message first, though its reply is not read any more."""
    handle = Recorder(echoes)
    async with upgraded(await serve(handle)) as raw:
        await raw.send(frame(TEXT, b"last words") + frame(CLOSE, b"\x03\xe8"))
        code = await raw.close_code()
        await handle.event("$disconnect")

    routes = [event["requestContext"]["routeKey"] for event in handle.events]
    assert (code, routes) == (1000, ["$connect", "$default", "$disconnect"])


async def test_nothing_is_handled_after_the_server_has_closed(serve: Serve) -> None:
    """Once the handler closes a connection, what is still on its way is dropped."""
    sockets = OpenConnections()

    def close(event: Event) -> Result:
        if "body" in event:
            sockets.close(event["requestContext"]["connectionId"])
        return OK

    handle = Recorder(close)
    async with upgraded(await serve(handle, sockets)) as raw:
        await raw.send(frame(TEXT, b"1") + frame(TEXT, b"2"))
        code = await raw.close_code()
        await raw.send(frame(TEXT, b"3") + frame(CLOSE, b"\x03\xe8"))
        await handle.event("$disconnect")

    assert (code, [event["body"] for event in handle.of("$default")]) == (1000, ["1"])


async def test_a_failing_disconnect_does_no_harm(serve: Serve) -> None:
    """The gateway serves on."""

    def fail(event: Event) -> Result:
        if event["requestContext"]["eventType"] == "DISCONNECT":
            raise LookupError
        return echoes(event)

    handle = Recorder(fail)
    gateway = await serve(handle)
    async with connect(gateway.websocket_url):
        pass
    await handle.event("$disconnect")
    async with connect(gateway.websocket_url) as client, asyncio.timeout(5):
        await client.send("x")
        echo = await client.recv()

    assert echo == "x"


async def test_pings_are_answered_and_reach_no_handler(serve: Serve) -> None:
    """Control frames never become events."""
    handle = Recorder()
    async with upgraded(await serve(handle)) as raw:
        await raw.send(frame(PING, b"hello"))

        assert await raw.receive() == (PONG, b"hello")
        assert handle.of("$default") == []


async def test_the_first_to_close_names_the_code(serve: Serve) -> None:
    """The client's answer to our close does not overrule it."""
    sockets, handle = OpenConnections(), Recorder()
    async with upgraded(await serve(handle, sockets)) as raw:
        event = await handle.event("$connect")
        sockets.close(event["requestContext"]["connectionId"])
        await raw.close_code()
        await raw.send(frame(CLOSE, (4000).to_bytes(2, "big")))
        context = (await handle.event("$disconnect"))["requestContext"]

    assert context["disconnectStatusCode"] == 1000


async def test_a_client_that_does_not_answer_a_close_is_dropped(serve: Serve) -> None:
    """Its `$disconnect` runs then, with the code of the close."""
    sockets, handle = OpenConnections(), Recorder()
    gateway = await serve(handle, sockets, limits=Limits(closing_seconds=0.05))
    async with upgraded(gateway):
        event = await handle.event("$connect")
        sockets.close(event["requestContext"]["connectionId"])
        context = (await handle.event("$disconnect"))["requestContext"]

    assert context["disconnectStatusCode"] == 1000


async def test_a_client_that_keeps_its_half_open_is_dropped(serve: Serve) -> None:
    """After a fault it may not hold on to the connection for ever."""
    gateway = await serve(answers_ok, limits=Limits(closing_seconds=0.05))
    async with upgraded(gateway) as raw, asyncio.timeout(5):
        await raw.send(frame(CONT))
        await raw.close_code()
        with pytest.raises(ConnectionError):
            await send_for_ever(raw)


async def test_a_client_that_never_answers_a_close_is_ended(serve: Serve) -> None:
    """Stopping does not wait for a client that keeps its half of the connection."""
    handle = Recorder()
    gateway = await serve(handle, limits=Limits(stopping_seconds=0.05))
    async with upgraded(gateway):
        await gateway.stop()

    context = handle.of("$disconnect")[0]["requestContext"]
    assert (context["disconnectStatusCode"], context["disconnectReason"]) == (1001, "Going away")


async def test_a_client_that_never_answers_a_close_ends_without_a_failure(serve: Serve) -> None:
    """A caller that gave up waiting for it leaves nothing behind that breaks once it is gone."""
    failures: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, told: failures.append(told))
    gateway = await serve(answers_ok, limits=Limits(stopping_seconds=0.05))
    async with upgraded(gateway), upgraded(gateway):
        await gateway.stop()

    assert failures == []


async def test_nothing_is_echoed_to_another(serve: Serve) -> None:
    """Two clients, each with its own replies."""
    gateway = await serve(echoes)
    async with connect(gateway.websocket_url) as one, connect(gateway.websocket_url) as two:
        await one.send("1")
        await two.send("2")

        assert (await one.recv(), await two.recv()) == ("1", "2")


async def test_a_handler_may_post_to_others_before_it_replies(serve: Serve) -> None:
    """A frame to oneself leaves before the reply that its request gets."""
    sockets = OpenConnections()

    def post(event: Event) -> Result:
        if "body" in event:
            sockets.post(event["requestContext"]["connectionId"], b"posted")
        return echoes(event)

    async with connect((await serve(post, sockets)).websocket_url) as client:
        await client.send("reply")

        assert [await client.recv(), await client.recv()] == ["posted", "reply"]


async def test_a_stopped_gateway_answers_no_one(serve: Serve) -> None:
    """The listening socket is closed."""
    gateway = await serve(answers_ok)
    await gateway.stop()

    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(gateway.host, gateway.port)
