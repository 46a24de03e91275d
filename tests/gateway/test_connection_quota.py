"""How many connections one user may have, over real sockets."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import InvalidStatus
from websockets.typing import Subprotocol

from robosignal.gateway.backend import Backend, BackendSettings
from robosignal.gateway.connection_quota import CONNECTIONS_PER_USER, ConnectionQuota
from robosignal.gateway.store import LocalStore
from robosignal.protocol.ids import ConnectionId, RobotId, UserId
from robosignal.server.core.conditional_writes import Missing, Put, Write
from robosignal.server.core.records import Connection
from robosignal.server.settings import read_options
from tests.docs.pages import page

MOST = 3


@asynccontextmanager
async def backend(
    *, chaos_seed: int | None = None, unlimited: bool = False
) -> AsyncIterator[Backend]:
    """Run a backend in which a user may have three connections."""
    service = BackendSettings(
        port=0, connections_per_user=MOST, chaos_seed=chaos_seed, unlimited=unlimited
    )
    async with Backend(service, read_options({})) as local:
        yield local


def dialled(local: Backend, user: str) -> connect:
    """Return a client of the v1 dialect, to be opened."""
    token = local.key.sign(user)
    offered = [Subprotocol("robosignal.v1"), Subprotocol(f"bearer.{token}")]
    return connect(local.gateway.websocket_url, subprotocols=offered)


async def opened(
    stack: AsyncExitStack, local: Backend, user: str, count: int
) -> list[ClientConnection]:
    """Return so many connections of a user, open until the stack ends."""
    return [await stack.enter_async_context(dialled(local, user)) for _ in range(count)]


async def refusal(local: Backend, user: str) -> tuple[int, dict[str, object]]:
    """Return the status and the body with which one more connection is refused."""
    with pytest.raises(InvalidStatus) as refused:
        async with dialled(local, user):
            pass
    return refused.value.response.status_code, json.loads(refused.value.response.body)


async def registered(client: ClientConnection, robot: str) -> str:
    """Register a robot on a connection; return what is answered."""
    for message in ({"type": "ready"}, {"type": "register", "robotId": robot, "id": "r"}):
        await client.send(json.dumps(message))
        answer = json.loads(await client.recv())
    return str(answer["type"])


async def test_one_connection_more_than_a_user_may_have_is_refused_with_why(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """At the handshake, with the protocol's own code, and a sentence that names the limit.

    The log says whose it was.
    """
    caplog.set_level(logging.INFO)
    async with backend() as local, AsyncExitStack() as stack:
        await opened(stack, local, "ann", MOST)
        status, body = await refusal(local, "ann")

    assert (status, body["type"], body["code"]) == (429, "error", "rate_limited")
    assert body["message"] == ("this user has 3 open connections, which is the limit: close one")
    assert [vars(one)["by"] for one in caplog.records if one.message == "connect refused"] == [
        "ann"
    ]


async def test_a_user_without_a_place_left_takes_none_of_another_s() -> None:
    """That is what the limit is for."""
    async with backend() as local, AsyncExitStack() as stack:
        await opened(stack, local, "ann", MOST)
        (other,) = await opened(stack, local, "bob", 1)
        await other.send(json.dumps({"type": "ready"}))
        welcome = json.loads(await other.recv())

    assert welcome["userId"] == "bob"


async def test_a_connection_that_was_refused_takes_no_place() -> None:
    """However often somebody tries."""
    async with backend() as local, AsyncExitStack() as stack:
        clients = await opened(stack, local, "ann", MOST)
        for _ in range(3):
            await refusal(local, "ann")
        await clients[0].close()
        back = await opened(stack, local, "ann", 1)

    assert len(back) == 1


async def test_a_place_is_free_again_when_its_connection_has_closed() -> None:
    """Not a moment later: a page that is reloaded finds its own."""
    async with backend() as local, AsyncExitStack() as stack:
        clients = await opened(stack, local, "ann", MOST)
        await clients[0].close()
        await opened(stack, local, "ann", 1)
        status, _ = await refusal(local, "ann")

    assert status == 429


async def test_each_robot_that_a_user_owns_is_a_place_more() -> None:
    """The owner of a fleet is not locked out by it."""
    async with backend() as local, AsyncExitStack() as stack:
        for number in range(2 * MOST):
            (robot,) = await opened(stack, local, "ann", 1)
            assert await registered(robot, f"r{number}") == "registered"
        await opened(stack, local, "ann", MOST)
        status, body = await refusal(local, "ann")

    assert (status, str(body["message"])[:32]) == (429, "this user has 9 open connections")


async def test_a_fleet_comes_back_all_at_once() -> None:
    """Its robots have their places before they register: none has to wait for another."""
    async with backend() as local, AsyncExitStack() as stack:
        async with AsyncExitStack() as before:
            for number in range(2 * MOST):
                (robot,) = await opened(before, local, "ann", 1)
                await registered(robot, f"r{number}")
        back = await opened(stack, local, "ann", 3 * MOST)
        status, _ = await refusal(local, "ann")

    assert (len(back), status) == (3 * MOST, 429)


async def test_a_connection_that_was_refused_its_robot_counts() -> None:
    """A user who asks for another's robot gets no place by that."""
    async with backend() as local, AsyncExitStack() as stack:
        (owned,) = await opened(stack, local, "bob", 1)
        await registered(owned, "r1")
        told = [await registered(one, "r1") for one in await opened(stack, local, "ann", MOST)]
        status, _ = await refusal(local, "ann")

    assert (told, status) == (["error"] * MOST, 429)


async def test_a_connection_that_is_open_keeps_its_place() -> None:
    """A robot that is forgotten is a place less for those who come, not for those who are there."""
    async with backend() as local, AsyncExitStack() as stack:
        (robot,) = await opened(stack, local, "ann", 1)
        await registered(robot, "r1")
        clients = await opened(stack, local, "ann", MOST)
        for message in ({"type": "forget", "robotId": "r1"}, {"type": "ping"}):
            await clients[0].send(json.dumps(message))
        pong = json.loads(await clients[0].recv())
        status, _ = await refusal(local, "ann")

    assert (pong["type"], status) == ("pong", 429)


async def test_a_user_has_any_number_of_connections_without_limits() -> None:
    """`--unlimited` is for benchmarks, which have one user."""
    async with backend(unlimited=True) as local, AsyncExitStack() as stack:
        clients = await opened(stack, local, "ann", 3 * MOST)

    assert len(clients) == 3 * MOST


async def test_handshakes_that_overlap_do_not_exceed_the_limit() -> None:
    """In threads too: who comes first has the places, and everyone else is told."""
    async with backend(chaos_seed=1) as local, AsyncExitStack() as stack:
        dialling = [asyncio.ensure_future(dialled(local, "ann").__aenter__()) for _ in range(10)]
        ended = await asyncio.gather(*dialling, return_exceptions=True)
        for client in ended:
            if isinstance(client, ClientConnection):
                stack.push_async_callback(client.close)
        refused = [one.response.status_code for one in ended if isinstance(one, InvalidStatus)]

    assert refused == [429] * (10 - MOST)


def test_the_gateways_page_names_the_limit() -> None:
    """What is counted, and how many there may be."""
    told = f"more than {CONNECTIONS_PER_USER} connections of one user"

    assert told in page("docs/reference/gateway.md")


def test_no_user_may_have_every_connection() -> None:
    """A user who claims ids without end makes places for no more than all but a hundred."""
    store = LocalStore(None)
    places = ConnectionQuota(lambda _: {"statusCode": 200}, store, per_user=3, total=110)
    for number in range(30):
        robot_id = RobotId(f"r{number}")
        write = Write("claim", Missing(("ownerUserId",)), (Put(("ownerUserId",), "mallory"),))
        store.write_robot(robot_id, write)

    answers = []
    for number in range(14):
        connection = ConnectionId(f"c{number}=")
        store.add_connection(
            Connection(
                connection_id=connection, user_id=UserId("mallory"), ts=1, expires_at=2, ttl=3
            )
        )
        event = {"requestContext": {"eventType": "CONNECT", "connectionId": connection}}
        answers.append(places(event)["statusCode"])

    assert answers == [200] * 10 + [429] * 4
