"""`robosignal bench` against the whole local backend, and against deployments with a fault."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from robosignal.loadtest.bench import bench
from robosignal.loadtest.plan import Plan, Result
from robosignal.loadtest.session import Session
from robosignal.probe.connection import dial
from robosignal.probe.steps import StepTimer
from robosignal.testing import LocalBackend
from tests.probe.deployment import Deployment, deployed
from tests.tokens import signer

ADDRESSES = ["127.0.0.1"]
PATIENCE = 10
SHORT = 0.5
"""For what never arrives: so long it is waited for in vain."""


@pytest.fixture
async def backend() -> AsyncIterator[LocalBackend]:
    """The whole backend on this machine, without rate limits."""
    async with LocalBackend(environment={"LIMITS": "off"}) as backend:
        yield backend


def plan_for(backend: LocalBackend, **changes: Any) -> Plan:
    """Return a small plan for this backend, with these changes."""
    plan = Plan(
        url=backend.url,
        token=backend.token("ann"),
        robots=3,
        rate=50,
        seconds=0.2,
        timeout_s=PATIENCE,
    )
    return replace(plan, **changes)


async def carried_out(plan: Plan) -> Result:
    """Return what is found when it is not ended early."""
    return await bench(plan, lambda _: None, asyncio.Event())


async def robots_of(backend: LocalBackend) -> list[Any]:
    """Return the robots that the benchmark's user has."""
    url, token = backend.url, backend.token("ann")
    connection = await dial(url, token, ADDRESSES, PATIENCE)
    received = await connection.request({"type": "robots"}, "robots")
    await connection.close()
    robots: list[Any] = received.frame["robots"]
    return robots


async def faulty(deployment: Deployment, web: Path, seconds: float = PATIENCE) -> Result:
    """Return what is found of a deployment that knows one robot and one client."""
    async with deployed(deployment, web) as url:
        return await carried_out(Plan(url, signer().access(), 1, 50, 0.1, seconds))


async def test_every_candidate_arrives_and_is_timed(backend: LocalBackend) -> None:
    """Three clients, 50 a second each, for 0.2 s: 10 from each."""
    found = await carried_out(plan_for(backend))

    assert (found.sessions, found.sent, found.arrived) == (3, 30, 30)
    assert len(found.late_ms) == 30
    assert all(time > 0 for time in [*found.latencies_ms, *found.late_ms])
    assert found.is_good


async def test_the_rate_is_kept(backend: LocalBackend) -> None:
    """Candidates are spread over the time, not sent at once."""
    found = await carried_out(plan_for(backend, robots=1, rate=20, seconds=0.5))

    # The last of ten is due after nine intervals.
    assert found.arrived == 10
    assert found.elapsed_s >= 0.45


async def test_nothing_is_left_of_the_robots(backend: LocalBackend) -> None:
    """They were there, and are forgotten."""
    seen: list[int] = []
    looking: list[asyncio.Task[None]] = []

    async def look() -> None:
        seen.append(len(await robots_of(backend)))

    def tell(line: str) -> None:
        if "have arrived" in line:
            looking.append(asyncio.ensure_future(look()))

    found = await bench(plan_for(backend), tell, asyncio.Event())
    await asyncio.gather(*looking)

    assert seen[0] == 3
    assert found.left_behind == []
    assert await robots_of(backend) == []


async def test_what_could_not_be_forgotten_is_named(tmp_path: Path) -> None:
    """As a deployment of an older version does not know the message."""
    deployment = Deployment(refused={"forget": "unknown_type"}, unanswered=("ice-candidate",))
    found = await faulty(deployment, tmp_path, SHORT)

    (left,) = found.left_behind
    assert left.startswith("bench-")


async def test_refusals_are_counted_by_code() -> None:
    """A hundred at once are within the limits of a connection; what is beyond is refused."""
    async with LocalBackend() as backend:
        found = await carried_out(plan_for(backend, robots=1, rate=1000, seconds=0.3))
        left = await robots_of(backend)

    assert found.errors["rate_limited"] > 0
    assert found.sent == found.arrived + found.errors["rate_limited"]
    assert (found.lost, found.is_good, left) == (0, False, [])


async def test_what_never_arrives_is_lost(tmp_path: Path) -> None:
    """It is waited for no longer than for any answer."""
    found = await faulty(Deployment(unanswered=("ice-candidate",)), tmp_path, SHORT)

    assert (found.sent, found.arrived, found.lost) == (5, 0, 5)
    assert not found.is_good


async def test_a_function_that_fails_is_told_in_api_gateways_words(tmp_path: Path) -> None:
    """Its frame has no type and no code."""
    found = await faulty(Deployment(raising=("ice-candidate",)), tmp_path)

    assert found.errors == {"API Gateway: Internal server error": 5}


async def test_a_connection_that_closes_is_an_error() -> None:
    """With its code; what was on its way is lost."""
    async with LocalBackend(max_lifetime_s=0.5) as backend:
        found = await carried_out(plan_for(backend, robots=1, seconds=30, timeout_s=SHORT))

    # The robot's and the client's.
    assert found.errors["closed 1001"] == 2
    assert found.elapsed_s < 5
    assert not found.is_good


async def test_a_token_that_is_refused_is_told_with_what_to_check(backend: LocalBackend) -> None:
    """As the probe tells it."""
    found = await carried_out(plan_for(backend, token=signer().access()))

    assert found.failure is not None
    assert (found.failure.step, found.failure.who) == ("connect", "robot")
    assert found.failure.seen == "the server answered the handshake with HTTP status 401"
    assert any("the issuer" in check for check in found.failure.check)


async def test_a_benchmark_that_is_stopped_forgets_its_robots(backend: LocalBackend) -> None:
    """It ends long before its time, with the figures so far."""
    stop = asyncio.Event()

    def tell(line: str) -> None:
        if "have arrived" in line and not line.startswith("0 of 60 s, 0 "):
            stop.set()

    found = await bench(plan_for(backend, seconds=60), tell, stop)

    assert found.stopped
    assert found.elapsed_s < 30
    assert 0 < found.arrived == found.sent
    assert (found.left_behind, await robots_of(backend)) == ([], [])


async def test_a_benchmark_can_be_stopped_while_sessions_start(backend: LocalBackend) -> None:
    """Those that have started, or were about to, leave nothing behind."""
    stop = asyncio.Event()

    def tell(line: str) -> None:
        if line.endswith("sessions started") and not line.startswith("0 "):
            stop.set()

    found = await bench(plan_for(backend, robots=30), tell, stop)

    assert found.stopped
    assert (found.sent, found.left_behind, await robots_of(backend)) == (0, [], [])


async def test_a_session_renews_its_lease_and_its_presence(backend: LocalBackend) -> None:
    """Or a session would end after a minute."""
    session = Session()
    async with AsyncExitStack() as stack:
        await session.start(plan_for(backend), ADDRESSES, StepTimer(lambda _: None), stack)
        await session.renew_lease()
        await session.renew_presence()

        for connection in (session.client, session.robot):
            answer = await connection.receive(lambda _: True, "answer")
            assert answer.frame["type"] == "pong"
        assert await session.clear()
