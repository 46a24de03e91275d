"""A robot as its owner sets it up: enrolled by a code, connected by its key, driven over WebRTC.

The backend, the commands and the peer connections are real.
"""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from robosignal.testing import Client, LocalBackend
from tests.e2e.processes import Process
from tests.robot.key.running import ended, said, stopped

ROBOT = "rover-1"


@dataclass(frozen=True)
class Site:
    """A backend, a connection of the owner's, and where the robot's key file is."""

    backend: LocalBackend
    owner: Client
    file: Path

    async def code(self, **fields: Any) -> str:
        """Return a new code for the robot."""
        made = await self.owner.request("create-code", **({"robotId": ROBOT} | fields))
        code: str = made["code"]
        return code

    def enroll(self, code: str, *more: str) -> Process:
        """Start `robosignal robot enroll`."""
        file = ("--file", str(self.file))
        return Process("robot", "enroll", self.backend.url, code, *file, *more)

    def start(self, *more: str) -> Process:
        """Start `robosignal robot` by its key."""
        return Process("robot", "--url", self.backend.url, "--file", str(self.file), *more)

    async def keys(self) -> list[dict[str, Any]]:
        """Return the robot's keys, as its owner sees them."""
        listed: list[dict[str, Any]] = (await self.owner.request("keys", robotId=ROBOT))["keys"]
        return listed


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    """A backend with an owner who is signed in."""
    async with LocalBackend() as backend, backend.connect("owner", timeout_s=30) as owner:
        yield Site(backend, owner, tmp_path / "keys" / "robot.json")


async def test_a_robot_enrols_by_a_code_connects_by_its_key_and_is_driven(site: Site) -> None:
    """Its owner types one line there, and no token of a person's ever comes to it."""
    enrolling = site.enroll(await site.code())
    fingerprint = (await said(enrolling, r"^fingerprint (\S+)$"))[1]
    assert await ended(enrolling) == 0
    robot = site.start()

    await site.owner.wait_until_online(ROBOT)
    async with site.owner.drive(ROBOT) as driver:
        assert await driver.drive(0.0, 1.0) >= 1

    (key,) = await site.keys()
    assert key["fingerprint"] == fingerprint
    assert key["lastUsedAt"] >= key["addedAt"]
    assert await stopped(robot) == 0
    assert re.search(f"^{ROBOT}: enrolled$", enrolling.output, re.MULTILINE)
