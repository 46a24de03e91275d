"""Many who never finish their handshake, and one who never stops talking: others are served.

Counts and the order of events are what is judged, on real sockets; how long it takes is not.
"""

import asyncio
import json
import resource
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from robosignal.gateway.backend import BackendSettings
from robosignal.gateway.connections import OpenConnections
from robosignal.gateway.gateway import Gateway
from robosignal.gateway.limits import Limits
from robosignal.paths import web_root
from robosignal.protocol.limits import BURST, MESSAGES_PER_SECOND
from robosignal.testing import LocalBackend
from tests.gateway.raw import Raw, dial, request
from tests.gateway.recorder import echoes

HALF_OPEN = 500
PATIENCE = 30
PARTS = (b"", b"G", request()[:20], request()[:-2], b"GET / HTTP/1.1\r\nHost: a\r\n")
"""What each of them sends: nothing, or a part of a head."""


@pytest.fixture
def many_files() -> Iterator[None]:
    """Both ends of every connection are in this process; a shell may allow too few."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 4 * HALF_OPEN
    if hard != resource.RLIM_INFINITY and hard < wanted:
        pytest.skip(f"this system allows no more than {hard} open files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def gateway(handshake_seconds: float) -> Gateway:
    """Return a gateway that waits so long for a head."""
    limits = Limits(handshake_seconds=handshake_seconds)
    return Gateway(echoes, OpenConnections(), web=web_root(), jwks=dict, port=0, limits=limits)


@asynccontextmanager
async def half_open(one: Gateway) -> AsyncIterator[list[asyncio.Task[bytes]]]:
    """Have all of them connected; each task ends with its connection, as what was received."""
    async with AsyncExitStack() as stack:
        ends = []
        for number in range(HALF_OPEN):
            raw = await stack.enter_async_context(dial(one))
            await raw.send(PARTS[number % len(PARTS)])
            ends.append(asyncio.create_task(_end_of(raw)))
        yield ends
        for end in ends:
            end.cancel()
        await asyncio.wait(ends)


async def _end_of(raw: Raw) -> bytes:
    try:
        return await raw.reader.read()
    except ConnectionError:
        return b""


async def echoed(one: Gateway) -> str | bytes:
    """Connect, send something, and return what comes back."""
    async with connect(one.websocket_url) as client, asyncio.timeout(PATIENCE):
        await client.send("here")
        return await client.recv()


async def test_half_open_handshakes_keep_no_one_out(many_files: None) -> None:
    """With all five hundred there, one who completes the handshake is let in and answered."""
    del many_files
    async with gateway(handshake_seconds=600) as one, half_open(one) as strangers:
        echo = await echoed(one)
        gone = sum(stranger.done() for stranger in strangers)

    assert (echo, gone) == ("here", 0)


async def test_every_half_open_handshake_is_closed(many_files: None) -> None:
    """Without a word, whatever part of a head it sent; who was let in meanwhile stays."""
    del many_files
    async with (
        gateway(handshake_seconds=0.5) as one,
        connect(one.websocket_url) as client,
        half_open(one) as strangers,
        asyncio.timeout(PATIENCE),
    ):
        await client.send("while they are there")
        answers = [await client.recv()]
        ends = Counter(await asyncio.gather(*strangers))
        await client.send("after")
        answers.append(await client.recv())

    assert ends == {b"": HALF_OPEN}
    assert answers == ["while they are there", "after"]


def test_a_handshake_has_five_seconds_unless_somebody_says_otherwise() -> None:
    """What `robosignal serve` runs with."""
    assert BackendSettings().limits.handshake_seconds == 5


class Talker:
    """One connection that pings."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self.told: Counter[str] = Counter()

    async def hear(self) -> str:
        """Return what the next frame is: its type, or its code."""
        frame = json.loads(await self._socket.recv())
        said = str(frame.get("code", frame["type"]))
        self.told[said] += 1
        return said

    async def ping(self) -> None:
        """Send a ping, and wait for nothing."""
        await self._socket.send('{"type":"ping","id":"q"}')


@asynccontextmanager
async def talking(backend: LocalBackend, user: str) -> AsyncIterator[Talker]:
    """Have a connection of this user's."""
    carried = [Subprotocol("robosignal.v1"), Subprotocol(f"bearer.{backend.token(user)}")]
    async with connect(backend.url, subprotocols=carried) as socket:
        yield Talker(socket)


async def _flood(talker: Talker) -> None:
    """Ping until the connection is closed, and hear whatever comes meanwhile."""

    async def send() -> None:
        while True:
            await talker.ping()

    async def hear() -> None:
        while True:
            await talker.hear()

    closed = False
    try:
        async with asyncio.TaskGroup() as both:
            both.create_task(send())
            both.create_task(hear())
    except* ConnectionClosed:
        closed = True
    assert closed


async def test_a_flood_is_cut_off_and_its_neighbour_is_served_meanwhile() -> None:
    """The flood gets what the limit allows and is closed; no other client is refused anything."""
    async with (
        LocalBackend() as backend,
        talking(backend, "ann") as flooding,
        talking(backend, "bob") as neighbour,
        asyncio.timeout(PATIENCE),
    ):
        began = time.monotonic()
        flood = asyncio.create_task(_flood(flooding))
        while flooding.told["rate_limited"] == 0:
            await neighbour.ping()
            await neighbour.hear()
        await neighbour.ping()
        answered, floods_still = await neighbour.hear(), not flood.done()
        await flood
        seconds = time.monotonic() - began
        await neighbour.ping()
        afterwards = await neighbour.hear()

    assert (answered, floods_still, afterwards) == ("pong", True, "pong")
    assert set(neighbour.told) == {"pong"}
    assert BURST <= flooding.told["pong"] <= BURST + MESSAGES_PER_SECOND * seconds + 1
    assert flooding.told["rate_limited"] > flooding.told["pong"]
