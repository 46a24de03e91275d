"""What answers a message: the handler's reply, or API Gateway's own frame."""

import asyncio
import json
import logging

import pytest
from websockets.asyncio.client import connect

from robosignal.gateway.gateway import Gateway
from robosignal.gateway.limits import Limits
from tests.gateway.conftest import Serve
from tests.gateway.recorder import OK, Event, Recorder, Result, echoes


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
