"""How long a peer lives whose packets are lost: RFC 7675, with its times made short."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from robosignal.robot.media import consent
from tests.robot.relay import Relay, relay
from tests.robot.server import ALICE, Browser, Running, SignalingServer, browser, robot

LIVES_SECONDS = 3.0


@pytest.fixture(autouse=True)
def short(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have consent expire soon."""
    monkeypatch.setattr(consent, "CONSENT_SECONDS", LIVES_SECONDS)
    monkeypatch.setattr(consent, "CHECK_SECONDS", 0.2)
    monkeypatch.setattr(consent, "UNANSWERED_CHECK_SECONDS", 0.1)


@asynccontextmanager
async def relayed_session() -> AsyncIterator[tuple[Relay, Running, Browser]]:
    """Yield a path that may fail, the robot at its one end and the browser at the other."""
    server = SignalingServer()
    async with (
        server.open(),
        relay(1) as path,
        robot(server, video=lambda: None) as running,
        browser(server, "a", "pc-a1", ALICE, path=path) as alice,
    ):
        await alice.join("controller", 2)
        yield path, running, alice


async def test_a_path_that_is_gone_ends_the_peer_when_consent_expires() -> None:
    """And not before."""
    async with relayed_session() as (path, running, _):
        path.loss = 1.0
        began = asyncio.get_running_loop().time()
        await running.log.wait_for("the peer connection of Alice has ended")
        seconds = asyncio.get_running_loop().time() - began

    assert seconds >= LIVES_SECONDS - 0.5


async def test_a_path_that_comes_back_in_time_keeps_the_peer() -> None:
    """One response is enough, and begins the time again."""
    async with relayed_session() as (path, running, alice):
        for _ in range(2):
            path.loss = 1.0
            await asyncio.sleep(LIVES_SECONDS * 0.6)
            path.loss = 0.0
            await asyncio.sleep(LIVES_SECONDS * 0.4)
        done = await alice.drive(1)
        ends = running.log.count("has ended")

    assert (done["type"], ends) == ("done", 0)
