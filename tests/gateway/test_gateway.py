import asyncio
import gc
import threading
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosedOK

from robosignal.gateway.connections import OpenConnections
from robosignal.gateway.gateway import Gateway, PortTaken
from robosignal.gateway.limits import Limits
from robosignal.gateway.websocket import Connection
from tests.gateway.conftest import Serve
from tests.gateway.raw import dial, request
from tests.gateway.recorder import Event, Recorder, Result, answers_ok


def on(port: int, web: Path, host: str = "127.0.0.1") -> Gateway:
    """Return a gateway that has not started."""
    return Gateway(answers_ok, OpenConnections(), web=web, jwks=dict, host=host, port=port)


async def test_a_taken_port_is_said_clearly(serve: Serve, web_root: Path) -> None:
    """The command line makes one sentence of it."""
    port = (await serve(answers_ok)).port
    with pytest.raises(PortTaken) as taken:
        await on(port, web_root).start()

    assert taken.value.port == port
    assert str(taken.value) == f"port {port} of 127.0.0.1 is taken by another program"


async def test_a_port_is_free_again_after_stop(web_root: Path) -> None:
    """A restart takes the same port at once, though old connections linger in TIME_WAIT."""
    async with on(0, web_root) as first, connect(first.websocket_url):
        pass
    async with on(first.port, web_root) as second:
        assert second.port == first.port


async def test_a_gateway_that_never_started_stops(web_root: Path) -> None:
    """Nothing to do is no error."""
    gateway = on(0, web_root)
    await gateway.stop()

    assert gateway.port == 0


async def test_stopping_closes_clients_with_1001_and_runs_their_disconnects(serve: Serve) -> None:
    """When `stop` returns, every end has been handled."""
    handle = Recorder()
    gateway = await serve(handle)
    clients = [await connect(gateway.websocket_url) for _ in range(3)]
    await gateway.stop()
    codes = []
    for client in clients:
        with pytest.raises(ConnectionClosedOK):
            await client.recv()
        codes.append(client.close_code)

    assert codes == [1001, 1001, 1001]
    assert [
        event["requestContext"]["disconnectStatusCode"] for event in handle.of("$disconnect")
    ] == codes


async def test_stopping_waits_for_disconnects_in_threads(serve: Serve) -> None:
    """They too are over when `stop` returns."""
    ends: list[Event] = []
    loop = asyncio.get_running_loop()

    def handle(event: Event) -> Result:
        if event["requestContext"]["eventType"] == "DISCONNECT":
            asyncio.run_coroutine_threadsafe(asyncio.sleep(0.05), loop).result()
            ends.append(event)
        return answers_ok(event)

    gateway = await serve(handle, in_threads=True)
    async with connect(gateway.websocket_url):
        await gateway.stop()

    assert len(ends) == 1


async def test_a_client_let_in_while_stopping_is_disconnected(serve: Serve) -> None:
    """`$connect` has written its row, though the client's connection was cut off meanwhile."""
    entered, release = asyncio.Event(), threading.Event()
    loop = asyncio.get_running_loop()
    routes: list[str] = []

    def handle(event: Event) -> Result:
        routes.append(event["requestContext"]["routeKey"])
        if routes == ["$connect"]:
            loop.call_soon_threadsafe(entered.set)
            release.wait(5)
        return answers_ok(event)

    gateway = await serve(handle, in_threads=True)
    async with dial(gateway) as raw:
        await raw.send(request())
        await entered.wait()
        stopping = asyncio.create_task(gateway.stop())
        await raw.ended()
        release.set()
        await stopping

    assert routes == ["$connect", "$disconnect"]


async def test_stopping_cuts_half_open_handshakes_off(serve: Serve) -> None:
    """At once, not after their five seconds; also one that waits for keys."""

    async def never(event: Event) -> None:
        del event
        waiting.set()
        await asyncio.Event().wait()

    waiting = asyncio.Event()
    handle = Recorder()
    gateway = await serve(handle, prepare=never, limits=Limits(stopping_seconds=0.05))
    async with dial(gateway) as silent, dial(gateway) as asking:
        await silent.send(request()[:-2])
        await asking.send(request())
        await waiting.wait()
        await gateway.stop()

        assert (await silent.ended(), await asking.ended()) == (b"", b"")
        assert handle.events == []


async def test_half_open_handshakes_do_not_keep_others_out(serve: Serve) -> None:
    """Five hundred of them, and a client connects as if there were none."""
    gateway = await serve(answers_ok)
    writers = []
    for _ in range(500):
        _, writer = await asyncio.open_connection(gateway.host, gateway.port)
        writer.write(b"GET /prod HTTP/1.1\r\n")
        writers.append(writer)
    async with asyncio.timeout(1), connect(gateway.websocket_url) as client:
        assert client.response is not None
    for writer in writers:
        writer.transport.abort()


@pytest.mark.parametrize(
    ("host", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:8080/"),
        ("0.0.0.0", "http://127.0.0.1:8080/"),  # noqa: S104 - only a name here
        ("::1", "http://[::1]:8080/"),
        ("::", "http://[::1]:8080/"),
        ("robots.example", "http://robots.example:8080/"),
    ],
)
async def test_urls_can_be_opened(web_root: Path, host: str, url: str) -> None:
    """A wildcard is where to listen, not where to go; IPv6 is in brackets."""
    assert on(8080, web_root, host).url == url


async def test_a_connection_leaves_nothing_behind(serve: Serve) -> None:
    """After its end nothing holds it: not a timer, a task or a table."""
    handle = Recorder()
    gateway = await serve(handle)
    for _ in range(5):
        async with connect(gateway.websocket_url):
            pass
    await handle.event("$disconnect", 5)
    await gateway.stop()
    gc.collect()
    left = [held for held in gc.get_objects() if isinstance(held, Connection)]

    assert left == []
