"""A robot as its owner sets it up: enrolled by a code, connected by its key, driven over WebRTC.

The backend, the commands and the peer connections are real.
"""

import re
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from robosignal.robot import KeyFile
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


async def test_an_enrolment_may_be_repeated_after_a_crash(site: Site) -> None:
    """Before and after the server has answered: the code is used once, and the key is the same."""
    code = await site.code()
    made = KeyFile.create(site.file, site.backend.url)
    first, second = site.enroll(code), site.enroll(code)

    assert [await ended(each) for each in (first, second)] == [0, 0]
    assert await ended(site.enroll(code)) == 0

    (key,) = await site.keys()
    assert (key["kid"], KeyFile.load(site.file).key.kid) == (made.key.kid, made.key.kid)


async def test_a_refused_code_is_one_sentence_that_never_quotes_it(site: Site) -> None:
    """Mistyped, unknown, and one that another robot has used: 2 for the first, 1 for others."""
    used = await site.code()
    assert await ended(site.enroll(used)) == 0
    other = replace(site, file=site.file.with_name("other.json"))
    typed, unknown, spent = (
        other.enroll("AAAA-BBBB"),
        other.enroll("AAAA-BBBB-CCCC-DDDD"),
        other.enroll(used),
    )

    assert [await ended(each) for each in (typed, unknown, spent)] == [2, 1, 1]
    assert "argument CODE: a code is 16 of the characters" in typed.output
    assert "the server does not take this code" in unknown.output
    assert "was enrolled before" in spent.output
    for each in (typed, unknown, spent):
        assert not re.search("AAAA-?BBBB", each.output.replace("usage", ""))
        assert used not in each.output


async def test_a_key_file_is_for_one_robot_and_one_server(site: Site) -> None:
    """What is asked for elsewhere is refused, and changes nothing."""
    assert await ended(site.enroll(await site.code())) == 0
    text = site.file.read_text()
    elsewhere = Process(
        *("robot", "enroll", "ws://127.0.0.1:1/prod", "AAAA-BBBB-CCCC-DDDD"),
        *("--file", str(site.file)),
    )
    other = site.enroll("AAAA-BBBB-CCCC-DDDD", "--robot-id", "rover-2")
    run = site.start("--robot-id", "rover-2")

    assert [await ended(each) for each in (elsewhere, other, run)] == [1, 1, 1]
    assert f"was made for {site.backend.url}: name another file" in elsewhere.output
    assert f"is {ROBOT}'s" in other.output
    assert f"is {ROBOT}'s" in run.output
    assert site.file.read_text() == text


async def test_one_code_enrols_many_robots_each_under_its_own_id(site: Site) -> None:
    """The same line on each of them, but for the id."""
    made = await site.owner.request("create-code", pattern="rover-*", uses=3)
    robots = [
        Process(
            *("robot", "enroll", site.backend.url, made["code"], "--robot-id", f"rover-{number}"),
            *("--file", str(site.file.with_name(f"{number}.json"))),
        )
        for number in range(3)
    ]

    assert [await ended(each) for each in robots] == [0, 0, 0]
    listed = (await site.owner.request("robots"))["robots"]
    assert {each["robotId"] for each in listed} == {"rover-0", "rover-1", "rover-2"}


async def test_a_robot_that_waits_for_approval_comes_online_once_it_is_approved(
    site: Site,
) -> None:
    """It runs already; its log says what it may be waiting for."""
    enrolling = site.enroll(await site.code(approve=True))
    await said(enrolling, "^waits for approval")
    assert await ended(enrolling) == 0
    robot = site.start()
    await said(robot, f"^{ROBOT}: offline: the server refuses its key.*may wait for .* approval")

    (key,) = await site.keys()
    assert key["pending"]
    await site.owner.request("approve-key", robotId=ROBOT, kid=key["kid"])

    await said(robot, f"^{ROBOT}: online")
    assert await stopped(robot) == 0


async def test_a_revoked_robot_is_gone_within_a_second_and_stays_refused(
    site: Site, record_property: Callable[[str, object], None]
) -> None:
    """Its driver is told why; the process goes on asking, with pauses, and is never let in."""
    assert await ended(site.enroll(await site.code())) == 0
    robot = site.start()
    await site.owner.wait_until_online(ROBOT)
    async with site.owner.drive(ROBOT) as driver:
        await driver.drive(0.0, 1.0)
        (key,) = await site.keys()
        began = time.monotonic()
        await site.owner.request("revoke-key", robotId=ROBOT, kid=key["kid"])
        left = await site.owner.receive("peer-left", sessionId=driver.session_id)
        told = time.monotonic() - began
        await said(robot, f"^{ROBOT}: offline: ")
        closed = time.monotonic() - began
    record_property("figure", f"driver told after {told:.3f} s, socket closed {closed:.3f} s")

    assert left["reason"] == "revoked"
    await said(robot, f"^{ROBOT}: offline: the server refuses its key.*revoked")
    await said(robot, f"^{ROBOT}: offline: the server refuses its key; dials again in")
    listed = (await site.owner.request("robots"))["robots"]
    assert [each["online"] for each in listed] == [False]
    assert await stopped(robot) == 0


WRONG_CLOCK = """
import sys, time
off = int(sys.argv.pop(1))
seconds, nanoseconds = time.time, time.time_ns
time.time = lambda: seconds() + off
time.time_ns = lambda: nanoseconds() + off * 10**9
from robosignal.cli.main import main
sys.exit(main())
"""


@pytest.mark.parametrize("off", [-480, 480, -86_400 * 365])
async def test_a_robot_whose_clock_is_wrong_enrols_and_connects(site: Site, off: int) -> None:
    """Eight minutes behind, eight ahead, and a year behind, as without a battery."""
    code, file = await site.code(), ("--file", str(site.file))
    url = site.backend.url
    enrolling = Process.of_code(WRONG_CLOCK, str(off), "robot", "enroll", url, code, *file)
    assert await ended(enrolling) == 0, enrolling.output

    robot = Process.of_code(WRONG_CLOCK, str(off), "robot", "--url", url, *file)
    await said(robot, f"^{ROBOT}: online")

    assert await stopped(robot) == 0
    has_corrected = "the clock differs from the server's" in robot.output
    assert has_corrected is (off != -480)


async def test_a_robot_that_restarts_with_its_clock_behind_registers_again(site: Site) -> None:
    """Its assertion is older than one that it has used: it signs by the server's clock."""
    assert await ended(site.enroll(await site.code())) == 0
    before = site.start()
    await said(before, f"^{ROBOT}: online")
    assert await stopped(before) == 0

    arguments = ("robot", "--url", site.backend.url, "--file", str(site.file))
    robot = Process.of_code(WRONG_CLOCK, "-480", *arguments)

    await said(robot, "^the clock differs from the server's by -4[78]. s: signs by the server's$")
    await said(robot, f"^{ROBOT}: online")
    assert await stopped(robot) == 0


async def test_a_token_robot_is_told_how_to_enrol_where_that_is_needed() -> None:
    """A deployment may register enrolled robots alone."""
    async with LocalBackend(environment={"CLAIM_POLICY": "provisioned"}) as backend:
        robot = Process(
            *("robot", "--url", backend.url, "--robot-id", ROBOT),
            environment={"ROBOSIGNAL_TOKEN": backend.token("owner")},
        )
        assert await ended(robot) == 1

    assert "registers only robots that were enrolled" in robot.output
    assert "robosignal robot enroll URL CODE" in robot.output


async def test_a_server_that_is_not_there_is_said_and_costs_no_key(site: Site) -> None:
    """The key is made before, and used when the command is repeated."""
    arguments = ("AAAA-BBBB-CCCC-DDDD", "--file", str(site.file))
    commands = [Process("robot", "enroll", "ws://127.0.0.1:1/prod", *arguments) for _ in range(2)]

    assert [await ended(each) for each in commands] == [1, 1]
    for each in commands:
        assert "no server listens there: check the URL, and try again with this code" in each.output
    assert KeyFile.load(site.file).robot_id is None


async def test_a_key_that_is_not_enrolled_runs_no_robot(site: Site) -> None:
    """Nor does one that others may read; both say what to do."""
    KeyFile.create(site.file, site.backend.url)
    unenrolled = site.start()
    assert await ended(unenrolled) == 1
    assert "is not enrolled yet: repeat robosignal robot enroll URL CODE" in unenrolled.output

    site.file.chmod(0o644)
    readable = site.start()
    assert await ended(readable) == 1
    assert f"can be read by other users: chmod 600 {site.file}" in readable.output


async def test_the_file_alone_starts_a_robot(site: Site) -> None:
    """Its address is in there; the environment names the file."""
    assert await ended(site.enroll(await site.code())) == 0

    robot = Process("robot", environment={"ROBOSIGNAL_ROBOT_FILE": str(site.file)})

    await said(robot, f"^{ROBOT}: online")
    assert await stopped(robot) == 0
