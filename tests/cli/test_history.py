"""`robosignal history`: its times, its table, its sources, and what it says when it cannot."""

import argparse
import asyncio
import json
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from robosignal.cli.main import main
from robosignal.cli.tables import show_name
from robosignal.gateway.history import Bounds, KeptHistory
from robosignal.gateway.store import LocalStore
from robosignal.history.report import ENDS
from robosignal.history.times import format_time, read_end, read_time
from robosignal.protocol.ids import RobotId
from robosignal.server.clock import epoch_ms
from robosignal.server.core.intervals import REASONS
from robosignal.testing import LocalBackend
from tests.tokens import signer
from tests.world import World

BERLIN = ZoneInfo("Europe/Berlin")
WEDNESDAY = datetime(2026, 11, 25, 9, 30, tzinfo=BERLIN)


@pytest.fixture(autouse=True)
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The machine is in a zone that is not UTC, and has summer time."""
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def state(tmp_path: Path) -> Iterator[tuple[Path, World]]:
    """The state of a server that runs, and its world: an admin took over from the owner."""
    directory = tmp_path / "state"
    now = epoch_ms() - 3_600_000
    store = LocalStore(directory, now)
    history = KeptHistory(directory, Bounds(), now)
    world = World(store, signer(), history=history)
    world.now = now
    world.robot("robot-17", "owner")
    owner, boss = world.connect("owner"), world.connect("boss", groups=["ADMINS"])
    owner.offer("robot-17")
    world.pass_seconds(30)
    boss.offer("robot-17", role="viewer")
    world.pass_seconds(10)
    boss.ask(type="takeover", robotId="robot-17")
    world.pass_seconds(10)
    boss.ask(type="bye", robotId="robot-17")
    history.tick(epoch_ms())
    yield directory, world
    history.stop(epoch_ms())
    store.close()


def run(capsys: pytest.CaptureFixture[str], *words: object) -> tuple[int, str, str]:
    """Return the exit code, and what is printed where."""
    code = main(["history", *map(str, words)])
    said = capsys.readouterr()
    return code, said.out, said.err


# Times


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("2026-11-24 14:00", "2026-11-24 14:00:00 +0100"),
        ("2026-11-24T14:00:05", "2026-11-24 14:00:05 +0100"),
        ("2026-11-24t13:00z", "2026-11-24 14:00:00 +0100"),
        ("2026-07-01 14:00", "2026-07-01 14:00:00 +0200"),
        ("2026-11-24", "2026-11-24 00:00:00 +0100"),
        ("tuesday 14:00", "2026-11-24 14:00:00 +0100"),
        ("Tuesday  14:00", "2026-11-24 14:00:00 +0100"),
        ("wednesday 9:00", "2026-11-25 09:00:00 +0100"),
        ("wednesday 14:00", "2026-11-18 14:00:00 +0100"),
        ("monday", "2026-11-23 00:00:00 +0100"),
        ("8:15", "2026-11-25 08:15:00 +0100"),
        ("now", "2026-11-25 09:30:00 +0100"),
        ("2h", "2026-11-25 07:30:00 +0100"),
        ("90m", "2026-11-25 08:00:00 +0100"),
        ("3d", "2026-11-22 09:30:00 +0100"),
    ],
)
def test_a_time_is_read_as_a_person_means_it(text: str, means: str) -> None:
    """In the machine's zone unless it names one; a weekday is the last one."""
    assert format_time(read_time(text, WEDNESDAY)) == means


@pytest.mark.parametrize(
    "text",
    ["", "yesterday", "25:00", "tuesday 24:30", "2026-13-01", "9999999d", "tuesday at 2", "é" * 99],
)
def test_what_is_no_time_is_refused_with_examples(text: str) -> None:
    """The error shows what would be one."""
    with pytest.raises(
        argparse.ArgumentTypeError, match='must be a time such as "2026-11-24 14:00"'
    ):
        read_time(text, WEDNESDAY)


@pytest.mark.parametrize(
    ("text", "means"),
    [
        ("2027-01-31", "2027-01-31 00:00:00 +0100"),
        ("2026-12-24 18:30", "2026-12-24 18:30:00 +0100"),
        ("2026-12-24T18:30Z", "2026-12-24 19:30:00 +0100"),
        ("wednesday 9:00", "2026-12-02 09:00:00 +0100"),
        ("wednesday 14:00", "2026-11-25 14:00:00 +0100"),
        ("monday", "2026-11-30 00:00:00 +0100"),
        ("8:15", "2026-11-26 08:15:00 +0100"),
        ("14:00", "2026-11-25 14:00:00 +0100"),
        ("2h", "2026-11-25 11:30:00 +0100"),
        ("7d", "2026-12-02 09:30:00 +0100"),
    ],
)
def test_an_end_is_read_as_a_time_to_come(text: str, means: str) -> None:
    """A weekday and a time of day are the next ones."""
    assert format_time(read_end(text, WEDNESDAY)) == means


@pytest.mark.parametrize("text", ["", "now", "2026-11-24", "0d", "wednesday at 2", "9999999d"])
def test_what_is_past_or_no_time_is_refused_as_an_end(text: str) -> None:
    """The error shows what would be one."""
    with pytest.raises(argparse.ArgumentTypeError, match="must be a time to come"):
        read_end(text, WEDNESDAY)


# The table


def test_who_drove_at_a_time_is_one_command(
    state: tuple[Path, World], capsys: pytest.CaptureFixture[str]
) -> None:
    """The driver and the viewer of that moment, while the server runs."""
    directory, world = state
    at = world.now - 15_000

    code, said, _ = run(capsys, "robot-17", "--at", format_time(at), "--state", directory)

    title, _, heads, owner, boss = said.splitlines()
    assert code == 0
    assert title == f"robot-17 at {format_time(at // 1000 * 1000)}"
    assert heads.split() == ["FROM", "UNTIL", "ROLE", "USER", "HOW", "IT", "ENDED"]
    assert "controller  owner “Owner”  boss took over" in owner
    assert "viewer      boss “Boss”    went on as the driver" in boss


def test_filters_and_json(state: tuple[Path, World], capsys: pytest.CaptureFixture[str]) -> None:
    """For programs: every field, times in epoch ms."""
    directory, world = state
    words = ("--user", "boss", "--role", "controller", "--json", "--state", directory)

    code, said, _ = run(capsys, *words)

    (found,) = json.loads(said)["intervals"]
    assert code == 0
    assert found["robotId"] == "robot-17"
    assert found["until"] - found["since"] == 10_000
    assert (found["reason"], found["endedBy"]) == ("left", "leave_lease")
    assert json.loads(said)["keptSince"] < world.now


def test_no_interval_is_exit_code_3(
    state: tuple[Path, World], capsys: pytest.CaptureFixture[str]
) -> None:
    """And the table says what is known, and since when anything is kept."""
    directory, _ = state

    code, said, _ = run(capsys, "robot-18", "--state", directory)

    assert code == 3
    assert "No one, as far as is known." in said
    assert "Nothing is kept of what ended before" in said


def test_a_server_that_no_longer_runs_is_told_as_a_gap(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """What happened since is not known."""
    stopped = epoch_ms() - 600_000
    KeptHistory(tmp_path, Bounds(), stopped).stop(stopped)

    _, said, _ = run(capsys, "--from", "1h", "--state", tmp_path)

    assert f"The server did not run from {format_time(stopped)}" in said


def test_every_reason_has_words() -> None:
    """A reason that the server gives is a sentence for its reader."""
    assert set(REASONS.values()) <= set(ENDS)


def test_a_name_cannot_pass_for_anything_else() -> None:
    """Neither for the quotes around it, nor for a terminal's commands."""
    assert show_name("Ann\x1b[2J” took “over\u202e") == "Ann�[2J� took �over�"


# The running server


def test_a_running_server_answers_the_owner(capsys: pytest.CaptureFixture[str]) -> None:
    """Over its WebSocket, as the console asks; a stranger reads why not."""
    with LocalBackend() as backend:

        async def drive() -> None:
            async with backend.connect("owner") as robot, backend.connect("owner") as client:
                await robot.request("register", robotId="r1")
                await client.request("offer", robotId="r1", payload={"sdp": "o"})

        asyncio.run(drive())
        url = ("r1", "--url", backend.url, "--token")
        owner = run(capsys, *url, backend.token("owner"))
        eve = run(capsys, *url, backend.token("eve"))

    assert owner[0] == 0
    assert "controller  owner" in owner[1]
    assert eve[0] == 1
    assert "only the robot's owner and admins see who drove it" in eve[2]


# Refusals


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--at", "2h", "--from", "3h"), "--at is one time"),
        (("--from", "1h", "--until", "2h"), "--from is after --until"),
        (("--at", "2999-01-01"), "that time is in the future"),
        (("--state", "x", "--log-group", "y"), "three sources"),
        (("--region", "eu-central-1"), "--region goes with --log-group"),
        (("--state", ":memory:"), "ask the running server with --url"),
        (("--state", "/nonexistent"), "there is no history in /nonexistent"),
        (("--url", "ws://127.0.0.1:1/prod", "--token", "a.b.c"), "name it"),
        (("r1", "--url", "ws://127.0.0.1:1/prod", "--token", "a.b.c"), "nothing listens there"),
    ],
)
def test_a_refusal_says_what_to_do(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    """One line, exit code 1."""
    code, _, error = run(capsys, *words)

    assert code == 1
    assert said in error
    assert error.count("\n") == 1


def test_the_robot_is_named_as_everywhere() -> None:
    """An id of the protocol."""
    with pytest.raises(SystemExit) as refused:
        main(["history", "robot 17"])

    assert refused.value.code == 2
    assert RobotId("robot-17") == "robot-17"
