"""A robot replaces its key while it serves, from every state of its file and of the backend."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from robosignal.protocol.ids import RobotId
from robosignal.robot import KeyFile, Robot, Timing, enroll
from robosignal.testing import Client, LocalBackend
from tests.robot.server import LogLines, logged

ROBOT = RobotId("rover-1")
ALWAYS = 1e-9
"""Days after which every key is old."""


@dataclass(frozen=True)
class Site:
    """A backend, its owner's connection, and an enrolled robot's key file."""

    backend: LocalBackend
    owner: Client
    path: Path

    async def kids(self) -> set[str]:
        """Return the keys that the server has."""
        keys = (await self.owner.request("keys", robotId=ROBOT))["keys"]
        return {each["kid"] for each in keys}

    async def take(self, file: KeyFile) -> None:
        """Let the server have the next key too, as after a `rotate-key` without an answer."""
        assert file.next_key is not None
        await self.owner.request("enroll", robotId=ROBOT, publicKey=file.next_key.jwk())

    async def revoke(self, kid: str) -> None:
        """Have the server forget a key, as it does with an old one after a week."""
        await self.owner.request("revoke-key", robotId=ROBOT, kid=kid)

    @asynccontextmanager
    async def running(self, *, life_ms: int = 300, days: float = ALWAYS) -> AsyncIterator[None]:
        """Run the robot, which redials after so long."""
        stop = asyncio.Event()
        robot = Robot(
            self.backend.url,
            ROBOT,
            key=KeyFile.load(self.path),
            timing=Timing(life_ms=life_ms, drain_ms=50),
            rotate_key_days=days,
        )
        task = asyncio.create_task(robot.run(stop=stop))
        try:
            yield
        finally:
            stop.set()
            await task


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """A robot that was enrolled by a code, by the function that programs call."""
    async with (
        LocalBackend(environment={"LIMITS": "off"}) as backend,
        backend.connect("owner", timeout_s=30) as owner,
    ):
        code = (await owner.request("create-code", robotId=ROBOT))["code"]
        path = tmp_path / "robot.json"
        await enroll(backend.url, code, path)
        yield Site(backend, owner, path)


@pytest.fixture
async def log() -> AsyncIterator[LogLines]:
    """What the robot says."""
    lines = LogLines()
    with logged(lines):
        yield lines


REPLACED = "has replaced its key"


async def test_a_robot_replaces_its_key_and_its_driver_notices_nothing(
    site: Site, log: LogLines
) -> None:
    """The peer connection goes on over the change, and the file has the new key alone."""
    old = KeyFile.load(site.path)

    async with site.running(life_ms=1000):
        await site.owner.wait_until_online(ROBOT)
        async with site.owner.drive(ROBOT) as driver:
            await driver.drive(0.0, 1.0)
            await log.wait_for(REPLACED)
            await driver.drive(0.0, 1.0)

    new = KeyFile.load(site.path)
    assert new.key.kid != old.key.kid
    assert {old.key.kid, new.key.kid} <= await site.kids()
    assert new.created_at >= old.created_at
    assert log.count("offline") == 0


@pytest.mark.parametrize("server", ["old", "both", "new"])
async def test_a_robot_that_was_killed_while_it_replaced_its_key_ends_it(
    site: Site, log: LogLines, server: str
) -> None:
    """Before the server had the new key; after; and a week later, when it has that alone."""
    both = KeyFile.load(site.path).prepare_next()
    assert both.next_key is not None
    if server != "old":
        await site.take(both)
    if server == "new":
        await site.revoke(both.key.kid)

    async with site.running(days=0):
        await site.owner.wait_until_online(ROBOT)
        await log.wait_for(REPLACED)

    file = KeyFile.load(site.path)
    assert (file.key.kid, file.next_key) == (both.next_key.kid, None)


async def test_a_new_key_that_the_server_refuses_is_followed_by_the_old_one(
    site: Site, log: LogLines
) -> None:
    """The server has said that it has it, and then has it no more: the robot stays online."""
    old = KeyFile.load(site.path)
    async with site.running(life_ms=3000):
        await log.wait_for("the server has its new key too")
        kept = KeyFile.load(site.path)
        assert kept.next_key is not None
        assert kept.key.kid == old.key.kid
        await site.revoke(kept.next_key.kid)

        await log.wait_for("cannot redial yet: the server refuses its key; dials again")
        await log.wait_for(REPLACED)

    assert log.count("offline") == 0


@pytest.mark.parametrize("days", [0, 180])
async def test_a_key_that_is_not_old_is_left_alone(site: Site, log: LogLines, days: float) -> None:
    """Over the next connection too."""
    text = site.path.read_text()

    async with site.running(days=days):
        await log.wait_for("registered again")

    assert site.path.read_text() == text
    assert len(await site.kids()) == 1


async def test_a_file_that_cannot_be_written_leaves_the_robot_as_it_is(
    site: Site, log: LogLines, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It goes on with the key that it has, and says why."""

    def refuse(*_: Any) -> None:
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as patch:
        patch.setattr("robosignal.robot.key.file.os.fsync", refuse)
        async with site.running():
            await log.wait_for("cannot keep a new key: ")
            await site.owner.wait_until_online(ROBOT)

    assert "Read-only file system" in "".join(log.lines)
    assert KeyFile.load(site.path).next_key is None
    assert list(site.path.parent.iterdir()) == [site.path]
