"""The demo beside an issuer elsewhere: neither's users have a right to what is the other's."""

import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from robosignal.cli.serve import welcome_text
from robosignal.gateway.backend import Backend, BackendSettings
from robosignal.gateway.keys import LOCAL_ISSUER
from robosignal.server.settings import read_options
from tests.gateway.issuer import SlowIssuer
from tests.tokens import access_claims, signer

POOL = "https://pool.example"


@pytest.fixture
async def local() -> AsyncIterator[Backend]:
    """A gateway with the demo, beside a pool."""
    issuer = SlowIssuer(POOL, {"keys": [signer().public]})
    with issuer.serving() as remote:
        service = BackendSettings(port=0, demo=True, remote=remote)
        async with Backend(service, read_options({})) as running:
            yield running


def of_the_pool(user: str, *groups: str) -> str:
    """Return a token of the pool's."""
    now = int(time.time())
    named = {"sub": user, "iss": POOL, "client_id": LOCAL_ISSUER, "cognito:groups": list(groups)}
    return signer().token(access_claims(iat=now, exp=now + 600, **named))


def dialed(local: Backend, token: str) -> connect:
    """Return a client of the v1 dialect, to be opened."""
    offered = [Subprotocol("robosignal.v1"), Subprotocol(f"bearer.{token}")]
    return connect(local.gateway.websocket_url, subprotocols=offered)


async def asked(client: ClientConnection, **message: object) -> dict[str, Any]:
    """Send a message and return the next frame."""
    await client.send(json.dumps({"id": "a", **message}))
    frame: dict[str, Any] = json.loads(await client.recv())
    return frame


async def test_the_pools_demo_does_not_own_the_demo_robot(local: Backend) -> None:
    """The two are called alike, and are two users."""
    async with (
        dialed(local, local.key.sign("demo")) as robot,
        dialed(local, of_the_pool("demo")) as pools,
        dialed(local, local.key.sign("demo")) as ours,
    ):
        await asked(robot, type="register", robotId="demo")
        refused = await asked(pools, type="takeover", robotId="demo")
        listed = await asked(ours, type="robots")
        theirs = await asked(pools, type="robots")

    assert refused["code"] == "forbidden"
    assert [robot["owner"]["userId"] for robot in listed["robots"]] == ["local/demo"]
    assert theirs["robots"] == []


async def test_a_local_admin_has_no_right_to_the_pools_robots(local: Backend) -> None:
    """Only the pool's admins are admins: of the pool's robots, and of the demo's."""
    async with (
        dialed(local, of_the_pool("ann")) as robot,
        dialed(local, local.key.sign("admin", ["ADMINS"])) as ours,
        dialed(local, of_the_pool("boss", "ADMINS")) as pools,
    ):
        await asked(robot, type="register", robotId="r1")
        given = await asked(ours, type="transfer", robotId="r1", userId="local/admin")
        every = await asked(ours, type="robots", all=True)
        seen = await asked(pools, type="robots", all=True)

    assert (given["code"], every["code"]) == ("forbidden", "forbidden")
    assert [robot["robotId"] for robot in seen["robots"]] == ["r1"]


async def test_no_link_signs_in_an_admin_beside_a_pool(local: Backend) -> None:
    """The printed link is that of the demo robot's owner alone."""
    service = BackendSettings(port=0, demo=True, remote=SlowIssuer(POOL).elsewhere())

    said = welcome_text(local, service, print)

    assert said.count(local.gateway.url + "#") == 1
    assert "demo, who owns the demo robot:" in said
