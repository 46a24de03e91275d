"""An issuer elsewhere that has become slow: whom it holds up, and whom it must not."""

import asyncio
import json
from base64 import urlsafe_b64encode
from contextlib import AsyncExitStack

import pytest

from robosignal.gateway.backend import Backend, BackendSettings
from robosignal.server.settings import read_options
from tests.gateway.issuer import SlowIssuer
from tests.gateway.raw import UPGRADE, Raw, dial, request

STRANGERS = 12
"""More than asyncio's own pool has threads on the machines that this runs on."""


@pytest.fixture
def issuer() -> SlowIssuer:
    """An issuer that answers so far."""
    return SlowIssuer()


def forged(good: str, kid: str) -> str:
    """Return a token that names another key."""
    _, claims, signature = good.split(".")
    head = urlsafe_b64encode(json.dumps({"alg": "RS256", "kid": kid}).encode()).rstrip(b"=")
    return f"{head.decode()}.{claims}.{signature}"


def asking(token: str) -> bytes:
    """Return a handshake with this token."""
    return request(headers={**UPGRADE, "Authorization": f"Bearer {token}"})


async def status(local: Backend, token: str) -> int:
    """Return what a handshake with this token is answered."""
    async with dial(local.gateway) as raw:
        await raw.send(asking(token))
        return await raw.status()


async def test_a_known_key_does_not_wait_for_strangers(issuer: SlowIssuer) -> None:
    """Made-up key ids, an issuer that hangs: who was known before is let in meanwhile."""
    good = issuer.key.sign("ann")
    with issuer.serving() as remote:
        async with (
            Backend(BackendSettings(port=0, remote=remote), read_options({})) as local,
            AsyncExitStack() as stack,
        ):
            first = await status(local, good)
            issuer.hang()
            strangers = [
                await stack.enter_async_context(dial(local.gateway)) for _ in range(STRANGERS)
            ]
            for number, stranger in enumerate(strangers):
                await stranger.send(asking(forged(good, f"k{number}")))
            again = await status(local, good)
            answered = [await said(stranger) for stranger in strangers]
            issuer.go_on()
            refused = sorted([await stranger.status() for stranger in strangers])

    assert (first, again) == (101, 101)
    assert not any(answered)
    assert refused == [401] + [503] * (STRANGERS - 1)


async def said(raw: Raw) -> bytes:
    """Return what has come by now, and do not wait for it."""
    try:
        async with asyncio.timeout(0):
            return await raw.reader.read(1)
    except TimeoutError:
        return b""


async def test_strangers_of_one_moment_cause_one_fetch(issuer: SlowIssuer) -> None:
    """However many ids they make up; the others may be new keys, and are told to come later."""
    good = issuer.key.sign("ann")
    with issuer.serving() as remote:
        async with Backend(BackendSettings(port=0, remote=remote), read_options({})) as local:
            statuses = [await status(local, good)]
            tokens = [forged(good, f"k{number}") for number in range(STRANGERS)]
            statuses += await asyncio.gather(*(status(local, token) for token in tokens))

    assert sorted(statuses) == [101, 401] + [503] * (STRANGERS - 1)
    assert issuer.asked == 2


@pytest.mark.parametrize("token", ["", "nonsense", "a.b.c"])
async def test_what_is_no_token_causes_no_fetch(issuer: SlowIssuer, token: str) -> None:
    """Nor does one of an issuer that is not trusted."""
    with issuer.serving() as remote:
        async with Backend(BackendSettings(port=0, remote=remote), read_options({})) as local:
            statuses = [await status(local, token)]

    assert (statuses, issuer.asked) == ([401], 0)
