"""Which handshakes are refused, and how."""

import asyncio
import json
import time
from email.utils import parsedate_to_datetime

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from robosignal.gateway.gateway import Gateway
from robosignal.gateway.limits import Limits
from robosignal.protocol.limits import TOKEN_CHARACTERS
from robosignal.server.events import read_event
from robosignal.server.identity.carriers import find_token
from tests.gateway.conftest import Serve
from tests.gateway.raw import UPGRADE, dial, request
from tests.gateway.recorder import OK, Event, Recorder, Result, answers_ok


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
    # By it, a robot corrects its clock; API Gateway sends it too.
    date = parsedate_to_datetime(response.headers["Date"])
    assert abs(date.timestamp() - time.time()) < 60


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
        ("X-Long", "x" * 10_240, 431),
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


async def test_a_url_longer_than_a_line_is_refused_as_well(serve: Serve) -> None:
    """However long it is, it is the URL that is too long."""
    async with dial(await serve(answers_ok)) as raw:
        await raw.send(request("/prod?token=" + "x" * 12_000))

        assert await raw.status() == 414


@pytest.mark.parametrize(("more", "status"), [(0, 101), (1, 431)])
async def test_line_and_values_may_have_10240_bytes(serve: Serve, more: int, status: int) -> None:
    """As API Gateway counts; the names of headers are not counted."""
    line, values = "GET /prod HTTP/1.1", "".join(UPGRADE.values())
    pad = 10_240 + more - len(line) - len(values)
    headers = UPGRADE | {"X-Pad-" + "y" * 3000: "x" * (pad // 2), "X-Rest": "x" * (pad - pad // 2)}
    async with dial(await serve(answers_ok)) as raw:
        await raw.send(request(headers=headers))

        assert await raw.status() == status


@pytest.mark.parametrize("length", [8148, TOKEN_CHARACTERS])
async def test_a_token_of_the_most_characters_arrives_whole(serve: Serve, length: int) -> None:
    """By either header; it is longer than the library reads in one line by itself."""
    handle, token = Recorder(), "t" * length
    gateway = await serve(handle)
    async with connect(
        gateway.websocket_url, additional_headers={"Authorization": f"Bearer {token}"}
    ):
        pass
    offered = [Subprotocol("robosignal.v1"), Subprotocol(f"bearer.{token}")]
    async with connect(gateway.websocket_url, subprotocols=offered):
        pass

    events = map(read_event, handle.of("$connect"))
    found = [find_token(event.headers, event.query).token for event in events]
    assert found == [token, token]


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
    gateway = await serve(handle, limits=Limits(connections=1))
    async with connect(gateway.websocket_url):
        assert (await refused(gateway)).response.status_code == 429
    await handle.event("$disconnect")

    async with connect(gateway.websocket_url):
        assert len(handle.of("$connect")) == 2
