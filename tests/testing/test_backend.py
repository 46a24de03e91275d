"""The backend that users' own tests run: what it promises, in a loop, in a thread, in pytest."""

import asyncio
import subprocess
import sys
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from robosignal.probe.connection import dial
from robosignal.server.settings import BadEnvironment
from robosignal.testing import (
    Client,
    Closed,
    Frame,
    HandshakeRejected,
    LocalBackend,
    RequestRefused,
    TimedOut,
)

pytest_plugins = ("pytester",)


async def test_a_client_signs_in_and_is_welcomed_by_name() -> None:
    """The token is a real one, and the handler verifies it."""
    async with LocalBackend() as backend, backend.connect("ada") as client:
        assert client.welcome["type"] == "welcome"
        assert client.welcome["userId"] == "ada"


@asynccontextmanager
async def offered() -> AsyncIterator[tuple[Client, Client, Frame]]:
    """Yield a robot, a driver that has sent it an offer, and the reply to that."""
    async with (
        LocalBackend() as backend,
        backend.connect("ada") as robot,
        backend.connect("ada") as driver,
    ):
        await robot.request("register", robotId="rover-1", instanceId="run-1")
        yield robot, driver, await driver.request("offer", robotId="rover-1", payload={"sdp": "o"})


async def test_robot_and_driver_exchange_frames() -> None:
    """A request returns its reply, and `receive` finds a frame by type and fields."""
    async with offered() as (robot, driver, ack):
        offer = await robot.receive("offer", sessionId=ack["sessionId"])
        await robot.send("answer", sessionId=ack["sessionId"], payload={"sdp": "a"})
        answer = await driver.receive("answer")

    assert (offer["payload"], answer["payload"]) == ({"sdp": "o"}, {"sdp": "a"})


async def test_a_frame_that_was_not_wanted_yet_can_be_received_later() -> None:
    """In whatever order a test asks for them."""
    async with offered() as (robot, driver, ack):
        await driver.request("bye", sessionId=ack["sessionId"])
        left = await robot.receive("peer-left")
        offer = await robot.receive("offer")

    assert left["sessionId"] == offer["sessionId"] == ack["sessionId"]


async def test_a_refused_request_raises_the_protocols_code() -> None:
    """As it would reach the program under test."""
    async with LocalBackend() as backend, backend.connect("eve") as client:
        with pytest.raises(RequestRefused, match=r"^forbidden: ") as refused:
            await client.request("offer", robotId="rover-1", payload={"sdp": "o"})

    assert refused.value.code == "forbidden"


async def test_a_frame_that_does_not_come_is_a_timeout() -> None:
    """Within the client's own timeout."""
    async with LocalBackend() as backend, backend.connect("ada", timeout_s=0.05) as client:
        with pytest.raises(TimedOut, match=r"no offer within 0\.05 s"):
            await client.receive("offer")


async def test_groups_are_in_the_token() -> None:
    """An admin may drive every robot, and a stranger none."""
    offer = {"robotId": "rover-1", "payload": {"sdp": "o"}}
    async with LocalBackend() as backend, backend.connect("ada") as robot:
        await robot.request("register", robotId="rover-1", instanceId="run-1")
        async with backend.connect("eve") as stranger:
            with pytest.raises(RequestRefused, match="forbidden"):
                await stranger.request("offer", **offer)
        async with backend.connect("boss", groups=["ADMINS"]) as admin:
            ack = await admin.request("offer", **offer)

    assert ack["epoch"] > 0


async def test_settings_are_those_of_the_environment() -> None:
    """By the names that the README lists."""
    async with (
        LocalBackend(environment={"CLAIM_POLICY": "provisioned"}) as backend,
        backend.connect("ada") as robot,
    ):
        with pytest.raises(RequestRefused, match="forbidden"):
            await robot.request("register", robotId="rover-1", instanceId="run-1")


def test_a_setting_that_cannot_be_used_is_refused_before_the_block() -> None:
    """With the sentence that the command line prints."""
    with pytest.raises(BadEnvironment, match="MAX_VIEWERS must be a whole number from 0 to 50"):
        LocalBackend(environment={"MAX_VIEWERS": "lots"})


async def test_a_backend_comes_back_with_its_port_its_robots_and_its_key(tmp_path: Path) -> None:
    """So that a test can see a client survive a restart."""
    async with LocalBackend(state=tmp_path) as first:
        port, url, token = first.port, first.url, first.token("ada")
        async with first.connect("ada") as robot:
            await robot.request("register", robotId="rover-1", instanceId="run-1")
    async with (
        LocalBackend(state=tmp_path, port=port) as second,
        second.connect("ada") as owner,
    ):
        robots = (await owner.request("robots"))["robots"]
        with_old_token = await dial(url, token, ["127.0.0.1"], 10)
        await with_old_token.close()

    assert [each["robotId"] for each in robots] == ["rover-1"]


async def test_connections_end_after_the_times_that_were_set() -> None:
    """So that a test can see a client redial."""
    async with (
        LocalBackend(max_lifetime_s=0.2) as backend,
        backend.connect("ada") as client,
    ):
        with pytest.raises(Closed, match="1001"):
            await client.receive("offer")


async def test_the_end_of_the_block_closes_every_connection() -> None:
    """Nothing of the backend outlives it."""
    backend = LocalBackend()
    async with backend:
        before = backend.connect("ada")
        client = await before.__aenter__()
    with pytest.raises(Closed):
        await client.receive("offer")
    await before.__aexit__(None, None, None)

    with pytest.raises(RuntimeError, match="the backend is not running: enter its block first"):
        _ = backend.url


def test_a_synchronous_test_runs_it_in_a_thread() -> None:
    """Its own asyncio calls reach it from another loop; afterwards the thread is gone."""

    async def whoami(backend: LocalBackend) -> str:
        async with backend.connect("ada") as client:
            return str(client.welcome["userId"])

    with LocalBackend() as backend:
        running = [thread.name for thread in threading.enumerate()]
        user = asyncio.run(whoami(backend))

    assert user == "ada"
    assert "robosignal-backend" in running
    assert "robosignal-backend" not in [thread.name for thread in threading.enumerate()]


def test_a_backend_that_cannot_start_leaves_no_thread() -> None:
    """Its port is taken, say by another one."""
    with LocalBackend() as first:
        second = LocalBackend(port=first.port)
        with pytest.raises(Exception, match="is taken by another program"), second:
            pass
        names = [thread.name for thread in threading.enumerate()]

    assert names.count("robosignal-backend") == 1


async def test_a_token_of_another_backend_is_refused() -> None:
    """Each has a key of its own, unless they share their state."""
    async with LocalBackend() as one, LocalBackend() as other:
        stranger = one.token("ada")
        other.token = lambda *_, **__: stranger  # type: ignore[method-assign]
        with pytest.raises(HandshakeRejected, match="401"):
            async with other.connect("ada"):
                pass


PROJECT = """
import json
from urllib.request import urlopen

import pytest

pytest_plugins = ["robosignal.testing.pytest_plugin"]


def test_the_page_is_served(robosignal_backend):
    with urlopen(f"{robosignal_backend.page_url}health") as answer:
        assert json.load(answer) == {"status": "ok"}


def test_each_test_has_its_own(robosignal_backend):
    assert robosignal_backend.url.startswith("ws://127.0.0.1:")
"""


def run_pytest(pytester: pytest.Pytester, *options: str) -> subprocess.CompletedProcess[str]:
    """Run pytest in a project of a user's, as its own process."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options]
    return subprocess.run(command, cwd=pytester.path, capture_output=True, text=True, check=False)


def test_a_project_that_asks_for_the_plugin_has_the_fixture(pytester: pytest.Pytester) -> None:
    """Without an asyncio plugin, and with warnings as errors."""
    conftest, _, tests = PROJECT.partition("\n\n\n")
    pytester.makeconftest(conftest)
    pytester.makepyfile(test_page="import json\nfrom urllib.request import urlopen\n\n" + tests)
    ran = run_pytest(pytester, "-W", "error", "-p", "no:asyncio")

    assert ran.returncode == 0, ran.stdout
    assert "2 passed" in ran.stdout


def test_a_project_that_does_not_ask_for_it_has_nothing_of_it(pytester: pytest.Pytester) -> None:
    """Pytest imports no robosignal, and knows no such fixture."""
    pytester.makepyfile(
        "import sys\n\ndef test_it(): assert not [m for m in sys.modules if 'robosignal' in m]"
    )
    ran = run_pytest(pytester)
    fixtures = run_pytest(pytester, "--fixtures")

    assert ran.returncode == 0, ran.stdout
    assert "robosignal" not in fixtures.stdout


def test_without_its_libraries_it_says_what_to_install() -> None:
    """The robot's extra does not have them."""
    program = "import sys; sys.modules['aiohttp'] = None; import robosignal.testing"
    ran = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )

    assert ran.stderr.splitlines()[-1] == (
        "robosignal.extras.MissingExtra: robosignal.testing needs aiohttp: "
        "pip install 'robosignal[gateway]'"
    )
