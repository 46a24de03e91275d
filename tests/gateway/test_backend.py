"""The whole backend on one machine, over real sockets."""

import asyncio
import json
import socket
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from robosignal.gateway.backend import Backend, BackendSettings, RemoteIssuer
from robosignal.gateway.gateway import PortTaken
from robosignal.gateway.store import LocalStore
from robosignal.server.core.steps import Page
from robosignal.server.entry import Signaling
from robosignal.server.settings import read_options


@pytest.fixture
async def local() -> AsyncIterator[Backend]:
    """A backend that keeps nothing, on a free port."""
    async with Backend(BackendSettings(port=0), read_options({})) as running:
        yield running


def dialed(local: Backend, token: str) -> connect:
    """Return a client of the v1 dialect, to be opened."""
    offered = [Subprotocol("robosignal.v1"), Subprotocol(f"bearer.{token}")]
    return connect(local.gateway.websocket_url, subprotocols=offered)


async def asked(client: ClientConnection, **message: object) -> dict[str, object]:
    """Send a message and return the next frame."""
    await client.send(json.dumps(message))
    frame: dict[str, object] = json.loads(await client.recv())
    return frame


async def test_a_client_is_welcomed_by_its_own_name(local: Backend) -> None:
    """The identity is the token's, signed and verified by the gateway's own key."""
    async with dialed(local, local.key.sign("ann")) as client:
        welcome = await asked(client, type="ready")

    assert (welcome["type"], welcome["userId"], welcome["protocol"]) == ("welcome", "ann", 1)


async def pinged(client: ClientConnection) -> dict[str, object]:
    """Send 300 pings at once, and a message; return its reply."""
    for _ in range(300):
        await client.ping()
    return await asked(client, type="ready")


async def test_pings_are_limited_as_messages_are(local: Backend) -> None:
    """Too many at once end the connection."""
    async with dialed(local, local.key.sign("ann")) as client:
        with pytest.raises(ConnectionClosed) as closed:
            await pinged(client)

    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1008


async def test_without_limits_on_rates_there_is_none_on_pings() -> None:
    """For benchmarks, as of messages."""
    unlimited = BackendSettings(port=0, unlimited=True)
    async with (
        Backend(unlimited, read_options({})) as local,
        dialed(local, local.key.sign("ann")) as client,
    ):
        reply = await pinged(client)

    assert reply["type"] == "welcome"


async def test_keepalives_use_the_store_in_the_thread_that_all_events_use(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """In another one, a write of theirs could undo one that is made at the same time."""
    loop, asked = asyncio.get_running_loop(), asyncio.Event()
    threads: set[int] = set()

    def fleet(*_: object) -> Page:
        threads.add(threading.get_ident())
        loop.call_soon_threadsafe(asked.set)
        return Page((), None)

    monkeypatch.setattr(LocalStore, "list_fleet", fleet)
    async with (
        Backend(BackendSettings(port=0, seed_keepalive_seconds=0.01), read_options({})),
        asyncio.timeout(20),
    ):
        await asked.wait()

    assert threads == {threading.get_ident()}


@pytest.mark.parametrize("name", ["push_deferred", "handle"])
async def test_a_timer_goes_on_after_a_fault_and_logs_it(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    """Or no connection would be closed at its token's end any more, nor a seed's kept open."""
    again, runs = asyncio.Event(), 0

    def fail(*_: object) -> None:
        nonlocal runs
        runs += 1
        if runs > 1:
            again.set()
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(Signaling, name, fail)
    async with (
        Backend(BackendSettings(port=0, seed_keepalive_seconds=0.01), read_options({})),
        asyncio.timeout(20),
    ):
        await again.wait()

    assert "timer failed" in caplog.messages


async def test_an_idle_connection_is_closed_when_its_token_ends(local: Backend) -> None:
    """Without a word from it: the last frame says why, and the close is an orderly one."""
    async with dialed(local, local.key.sign("ann", ttl_s=2)) as client:
        async with asyncio.timeout(20):
            last = json.loads(await client.recv())
            with pytest.raises(ConnectionClosed) as closed:
                await client.recv()

    assert (last["type"], last["code"]) == ("error", "token_expired")
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1000


async def test_a_seed_connection_is_told_nothing_unasked_when_its_token_ends(
    local: Backend,
) -> None:
    """It is closed all the same."""
    headers = {"Authorization": f"Bearer {local.key.sign('ann', ttl_s=2)}"}
    async with connect(local.gateway.websocket_url, additional_headers=headers) as client:
        async with asyncio.timeout(20):
            with pytest.raises(ConnectionClosed):
                await client.recv()


async def test_a_port_that_is_taken_leaves_the_state_free(tmp_path: Path) -> None:
    """The same process may go on after it: the lock is released."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        refused = Backend(
            BackendSettings(port=taken.getsockname()[1], state=tmp_path), read_options({})
        )
        with pytest.raises(PortTaken):
            await refused.__aenter__()
    LocalStore(tmp_path).close()
    async with Backend(BackendSettings(port=0, state=tmp_path), read_options({})) as second:
        assert second.gateway.port != 0

    # Held until here, so that it was not its end which let go.
    assert refused.gateway.port != second.gateway.port


async def test_a_start_that_is_cancelled_leaves_the_state_free(tmp_path: Path) -> None:
    """As by a signal that comes early."""
    cancelled = Backend(BackendSettings(port=0, state=tmp_path), read_options({}))
    starting = asyncio.ensure_future(cancelled.__aenter__())
    await asyncio.sleep(0)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    LocalStore(tmp_path).close()

    assert cancelled.gateway.port == 0


def test_an_issuer_that_cannot_be_trusted_leaves_the_state_free(tmp_path: Path) -> None:
    """The state was open before it was looked at."""
    remote = RemoteIssuer("https://i.example", "http://i.example/jwks", frozenset({"a"}))
    with pytest.raises(ValueError, match="http") as refused:
        Backend(BackendSettings(port=0, state=tmp_path, remote=remote), read_options({}))
    LocalStore(tmp_path).close()

    # Its traceback holds what was half made.
    assert refused.tb is not None
