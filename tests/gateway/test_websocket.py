import asyncio
import json
import logging
from typing import NoReturn

import pytest
from websockets.asyncio.client import connect

from robosignal.gateway.gateway import Gateway, Limits
from robosignal.gateway.sockets import Sockets
from tests.gateway.conftest import Serve
from tests.gateway.raw import CLOSE, CONT, PING, PONG, TEXT, Raw, frame, upgraded
from tests.gateway.recorder import OK, Event, Recorder, Result, answers_ok, echoes


async def ask(gateway: Gateway, message: str) -> str:
    """Send one message; return the frame that answers it."""
    async with connect(gateway.websocket_url) as client, asyncio.timeout(5):
        await client.send(message)
        answer = await client.recv()
    assert isinstance(answer, str)
    return answer


def crash(event: Event) -> Result:
    """Raise on messages."""
    if "body" in event:
        raise LookupError(event["body"])
    return OK


async def send_for_ever(raw: Raw) -> NoReturn:
    """Send pings until the connection is gone."""
    while True:
        await raw.send(frame(PING))
        await asyncio.sleep(0.01)


async def test_the_body_of_a_result_is_the_reply(serve: Serve) -> None:
    """The route has a response, as on AWS with `return_response`."""
    assert await ask(await serve(echoes), "héllo") == "héllo"


async def test_a_result_without_a_body_sends_no_frame(serve: Serve) -> None:
    """The next frame that the client sees answers its next message."""

    def answer_b(event: Event) -> Result:
        return echoes(event) if event.get("body") == "b" else OK

    async with connect((await serve(answer_b)).websocket_url) as client:
        await client.send("a")
        await client.send("b")

        assert await client.recv() == "b"


async def test_a_handler_that_raises_sends_the_gateway_s_frame(serve: Serve) -> None:
    """Three keys, no `type`; the connection stays open."""
    handle = Recorder(crash)
    async with connect((await serve(handle)).websocket_url) as client:
        for _ in range(2):
            await client.send("x")
            answer = json.loads(await client.recv())
    context = handle.of("$default")[1]["requestContext"]

    assert answer == {
        "message": "Internal server error",
        "connectionId": context["connectionId"],
        "requestId": context["requestId"],
    }


@pytest.mark.parametrize("garbage", ["None", '"yes"', "[]", '{"statusCode":200,"body":1}'])
async def test_a_malformed_result_sends_the_gateway_s_frame(serve: Serve, garbage: str) -> None:
    """What API Gateway cannot read is our error, not the client's."""

    def answer(event: Event) -> Result:
        result: Result = json.loads(garbage.replace("None", "null")) if "body" in event else OK
        return result

    assert json.loads(await ask(await serve(answer), "x"))["message"] == "Internal server error"


async def test_a_failure_is_logged_without_the_message(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    """The log names the route and the ids, never the body."""

    def fail(event: Event) -> Result:
        return {} if "body" in event else OK

    await ask(await serve(fail), "s3cret")
    (record,) = [record for record in caplog.records if record.name == "robosignal.gateway"]

    assert "$default" in record.getMessage()
    assert "s3cret" not in caplog.text


async def test_no_token_is_logged_even_at_debug(
    serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    """The libraries beneath log whole heads at DEBUG; here they do not."""
    caplog.set_level(logging.DEBUG)
    gateway = await serve(crash)
    headers = {"Authorization": "Bearer s3cret"}
    # The client's own logger is the one that may know: it is silenced.
    silent = logging.getLogger("silent")
    silent.setLevel(logging.CRITICAL)
    async with connect(
        gateway.websocket_url + "?token=s3cret", additional_headers=headers, logger=silent
    ) as client:
        await client.send("x")
        await client.recv()

    assert "s3cret" not in caplog.text


async def test_a_call_that_takes_too_long_is_answered_with_a_timeout(serve: Serve) -> None:
    """In threads, as on AWS after 29 seconds."""
    release = asyncio.Event()
    loop = asyncio.get_running_loop()

    def dawdle(event: Event) -> Result:
        if "body" in event:
            asyncio.run_coroutine_threadsafe(release.wait(), loop).result()
        return OK

    gateway = await serve(dawdle, in_threads=True, limits=Limits(integration_seconds=0.05))
    answer = json.loads(await ask(gateway, "x"))
    release.set()

    assert answer["message"] == "Endpoint request timed out"


async def test_calls_in_threads_overlap(serve: Serve) -> None:
    """The second message is answered while the first is still being handled."""
    release = asyncio.Event()
    loop = asyncio.get_running_loop()

    def handle(event: Event) -> Result:
        if event.get("body") == "slow":
            asyncio.run_coroutine_threadsafe(release.wait(), loop).result()
        return echoes(event)

    gateway = await serve(handle, in_threads=True)
    async with connect(gateway.websocket_url) as client, asyncio.timeout(5):
        await client.send("slow")
        await client.send("fast")
        first = await client.recv()
        release.set()

        assert (first, await client.recv()) == ("fast", "slow")


async def test_every_message_has_ids_of_its_own(serve: Serve) -> None:
    """Request and message ids never repeat; the connection's stays."""
    handle = Recorder()
    async with connect((await serve(handle)).websocket_url) as client:
        for _ in range(3):
            await client.send("x")
        await handle.event("$default", 3)
    contexts = [event["requestContext"] for event in handle.of("$default")]

    assert len({context["requestId"] for context in contexts}) == 3
    assert len({context["messageId"] for context in contexts}) == 3


@pytest.mark.parametrize(
    ("code", "reason", "told"),
    [
        (1000, "", (1000, "")),
        (1001, "", (1001, "")),
        (4321, "my own", (4321, "my own")),
    ],
)
async def test_the_disconnect_bears_the_client_s_code_and_reason(
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
    """A handler that posts from `$disconnect` learns that nobody is there."""
    sockets = Sockets()
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
    """The message first, though nobody reads its reply any more."""
    handle = Recorder(echoes)
    async with upgraded(await serve(handle)) as raw:
        await raw.send(frame(TEXT, b"last words") + frame(CLOSE, b"\x03\xe8"))
        code = await raw.close_code()
        await handle.event("$disconnect")

    routes = [event["requestContext"]["routeKey"] for event in handle.events]
    assert (code, routes) == (1000, ["$connect", "$default", "$disconnect"])


async def test_nothing_is_handled_after_the_server_has_closed(serve: Serve) -> None:
    """Once the handler closes a connection, what is still on its way is dropped."""
    sockets = Sockets()

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


async def test_a_failing_disconnect_harms_nobody(serve: Serve) -> None:
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

    assert await ask(gateway, "x") == "x"


async def test_pings_are_answered_and_reach_no_handler(serve: Serve) -> None:
    """Control frames never become events."""
    handle = Recorder()
    async with upgraded(await serve(handle)) as raw:
        await raw.send(frame(PING, b"hello"))

        assert await raw.receive() == (PONG, b"hello")
        assert handle.of("$default") == []


async def test_whoever_closes_first_names_the_code(serve: Serve) -> None:
    """The client's answer to our close does not overrule it."""
    sockets, handle = Sockets(), Recorder()
    async with upgraded(await serve(handle, sockets)) as raw:
        event = await handle.event("$connect")
        sockets.close(event["requestContext"]["connectionId"])
        await raw.close_code()
        await raw.send(frame(CLOSE, (4000).to_bytes(2, "big")))
        context = (await handle.event("$disconnect"))["requestContext"]

    assert context["disconnectStatusCode"] == 1000


async def test_a_client_that_does_not_answer_a_close_is_dropped(serve: Serve) -> None:
    """Its `$disconnect` runs then, with the code of the close."""
    sockets, handle = Sockets(), Recorder()
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


async def test_nothing_is_echoed_to_another(serve: Serve) -> None:
    """Two clients, each with its own replies."""
    gateway = await serve(echoes)
    async with connect(gateway.websocket_url) as one, connect(gateway.websocket_url) as two:
        await one.send("1")
        await two.send("2")

        assert (await one.recv(), await two.recv()) == ("1", "2")


async def test_a_handler_may_post_to_others_before_it_replies(serve: Serve) -> None:
    """A frame to oneself leaves before the reply that its request gets."""
    sockets = Sockets()

    def post(event: Event) -> Result:
        if "body" in event:
            sockets.post(event["requestContext"]["connectionId"], b"posted")
        return echoes(event)

    async with connect((await serve(post, sockets)).websocket_url) as client:
        await client.send("reply")

        assert [await client.recv(), await client.recv()] == ["posted", "reply"]


async def test_a_stopped_gateway_answers_nobody(serve: Serve) -> None:
    """The listening socket is closed."""
    gateway = await serve(answers_ok)
    await gateway.stop()

    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection(gateway.host, gateway.port)
