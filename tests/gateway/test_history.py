"""The history of one machine: what a kill leaves, how it is bounded, and who may not open it."""

import json
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

from robosignal.gateway.history import AT_ONCE, DATABASE, DAY_MS, SEEN_MS, Bounds, KeptHistory
from robosignal.gateway.state import StateUnreadable
from robosignal.gateway.store import LocalStore
from robosignal.protocol.ids import RobotId, SessionId, UserId
from robosignal.server.core.intervals import Line, SessionChange
from robosignal.server.core.steps import ReadHistory
from tests.scenarios.keeping import read_all
from tests.tokens import NOW, signer
from tests.world import World

KILLED = """
import os, signal, sys
from pathlib import Path
from robosignal.gateway.history import Bounds, KeptHistory
from robosignal.gateway.store import LocalStore
from tests.tokens import NOW, signer
from tests.world import World

directory = Path(sys.argv[1])
store = LocalStore(directory, NOW)
world = World(store, signer(), history=KeptHistory(directory, Bounds(), NOW).start([], NOW))
world.robot("r1", "owner")
owner, boss = world.connect("owner"), world.connect("boss", groups=["ADMINS"])
print(owner.offer()["sessionId"], flush=True)
boss.offer(role="viewer")
world.pass_seconds(100)
owner.ask(type="ping", robotId="r1")
world.history.tick(world.now)
os.kill(os.getpid(), signal.SIGKILL)
"""

LATER = NOW + 3_600_000
"""When it is started again."""


def make_line(number: int, what: str, at: int, name: str | None = None) -> Line:
    """Return a line of a session that begins or ends."""
    session = SessionId(f"r1:{number:022}")
    seen = SessionChange(
        what=what,  # type: ignore[arg-type]
        session=session,
        user=UserId("ann"),
        name=name,
        role="viewer",
        reason="left" if what == "ended" else None,
    )
    return Line(
        at=at,
        robot=RobotId("r1"),
        epoch=1,
        rev=1,
        write="add_viewer",
        reason="viewing",
        owner=UserId("ann"),
        viewers=1,
        sessions=(seen,),
    )


def ask(now: int, **more: Any) -> ReadHistory:
    """Return a question about the robot."""
    asked: dict[str, Any] = {
        "owner": None,
        "since": None,
        "until": None,
        "user_id": None,
        "role": None,
        "after": None,
        "limit": 10_000,
        **more,
    }
    return ReadHistory(robot_id=RobotId("r1"), now=now, **asked)


class Restarted:
    """A gateway that was killed while one drove and one watched, and runs again."""

    def __init__(self, directory: Path) -> None:
        killed = subprocess.run(
            [sys.executable, "-c", KILLED, str(directory)],
            capture_output=True,
            text=True,
            check=False,
            cwd=Path(__file__).parents[2],
        )
        assert killed.returncode == -9, killed.stderr
        self.session = killed.stdout.strip()
        self.store = LocalStore(directory, LATER)
        self.history = KeptHistory(directory, Bounds(), LATER)
        self.history.start(self.store.all_robots(), LATER)
        self.world = World(self.store, signer(), history=self.history)
        self.world.now = LATER
        for _ in range(5):
            self.world.dial()  # API Gateway names no connection twice

    def close(self) -> None:
        """Close it."""
        self.history.stop(self.world.now)
        self.store.close()


@pytest.fixture
def restarted(tmp_path: Path) -> Any:
    """One such gateway."""
    gateway = Restarted(tmp_path)
    yield gateway
    gateway.close()


def test_a_killed_gateway_loses_no_interval_and_tells_of_the_gap(restarted: Restarted) -> None:
    """Both have their grace from the restart on, as their leases have; the gap is told."""
    owner, boss = read_all(restarted.world)
    assert (owner.user_id, owner.until, owner.lapses_at) == ("owner", None, LATER + 30_000)
    assert (boss.user_id, boss.role, boss.until) == ("boss", "viewer", None)

    page = restarted.history.read(ask(LATER))
    ((stopped, started),) = page.gaps
    assert started == LATER
    assert NOW + 100_000 <= stopped <= NOW + 110_000
    restarted.world.pass_seconds(400)
    assert {each.reason for each in read_all(restarted.world)} == {"lapsed"}


def test_a_driver_who_comes_back_after_a_kill_has_one_interval(restarted: Restarted) -> None:
    """The lease went on, and so did the drive, as far as the server knows."""
    world = restarted.world
    robot = world.connect("owner")
    robot.ask(type="register", robotId="r1", instanceId="run-0001")
    world.pass_seconds(5)

    world.connect("owner").ask(type="resume", sessionId=restarted.session)
    world.pass_seconds(40)

    owner, _ = read_all(world)
    assert (owner.since_known, owner.until, owner.lapses_at) == (True, None, None)


def test_what_the_file_never_heard_is_told_by_the_items(tmp_path: Path) -> None:
    """A history that is new, or was restored from a copy, finds who is there, and marks it."""
    store = LocalStore(tmp_path, NOW)
    world = World(store, signer())
    world.robot("r1", "owner")
    world.connect("owner").offer()
    store.close()
    store = LocalStore(tmp_path, LATER)
    history = KeptHistory(tmp_path, Bounds(), LATER).start(store.all_robots(), LATER)

    ((key, found),) = history.read(ask(LATER)).intervals

    assert (found.user_id, found.since, found.since_known) == ("owner", LATER, False)
    assert key.since == LATER
    history.stop(LATER)
    store.close()


def test_an_end_that_was_never_written_is_marked(tmp_path: Path) -> None:
    """The robot was forgotten by a process that kept no history: who drove ended by then."""
    history = KeptHistory(tmp_path, Bounds(), NOW)
    history.note(make_line(1, "began", NOW))
    history.stop(NOW)

    history = KeptHistory(tmp_path, Bounds(), LATER).start([], LATER)

    ((_, found),) = history.read(ask(LATER)).intervals
    assert (found.until, found.until_known, found.reason) == (LATER, False, "unrecorded")
    history.stop(LATER)


def test_what_is_older_than_the_days_is_deleted(tmp_path: Path) -> None:
    """What still lasts stays, however long ago it began."""
    history = KeptHistory(tmp_path, Bounds(days=2), NOW)
    history.note(make_line(1, "began", NOW))
    for number in (2, 3):
        history.note(make_line(number, "began", NOW))
        history.note(make_line(number, "ended", NOW + (number - 2) * DAY_MS))
    now = NOW + 2 * DAY_MS + 1

    history.tick(now)

    page = history.read(ask(now))
    assert [each.session_id[-1] for _, each in page.intervals] == ["3", "1"]
    assert page.kept_since == NOW + 1
    history.stop(now)


def test_what_is_more_than_the_megabytes_is_deleted(tmp_path: Path) -> None:
    """The oldest first, some at a time; the file grows no further, and the page says since when."""
    history = KeptHistory(tmp_path, Bounds(megabytes=1), NOW)
    count = 6 * AT_ONCE
    for number in range(count):
        history.note(make_line(number, "began", NOW + number, "n" * 500))
        history.note(make_line(number, "ended", NOW + number + 1))
    full = history._bytes()  # noqa: SLF001 - as the bound sees it
    now = NOW
    while history._bytes() > 1_000_000:  # noqa: SLF001 - as above
        now += SEEN_MS
        history.tick(now)

    page = history.read(ask(now))
    assert full > 1_000_000
    assert AT_ONCE <= len(page.intervals) < count
    assert max(each.since for _, each in page.intervals) == NOW + count - 1
    assert all(each.until > page.kept_since for _, each in page.intervals if each.until)
    history.stop(now)


def test_a_note_costs_little(tmp_path: Path, record_property: Any) -> None:
    """No write waits for the disk."""
    history = KeptHistory(tmp_path, Bounds(), NOW)
    rounds = 2000
    began = perf_counter()
    for number in range(rounds):
        history.note(make_line(number, "began", NOW + number))
        history.note(make_line(number, "ended", NOW + number + 1))
    each_us = (perf_counter() - began) / rounds / 2 * 1e6
    size = history._bytes() / rounds  # noqa: SLF001 - for the figure
    history.stop(NOW)

    record_property("history", f"{each_us:.0f} µs a line, {size:.0f} bytes an interval")
    assert size < 1000


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    """The text says what to do, as that of the robots' file does."""
    KeptHistory(tmp_path, Bounds(), NOW).stop(NOW)
    with closing(sqlite3.connect(tmp_path / DATABASE)) as file:
        file.execute("PRAGMA user_version = 99")

    with pytest.raises(StateUnreadable, match="start the newer one"):
        KeptHistory(tmp_path, Bounds(), NOW)


def test_a_damaged_file_is_refused(tmp_path: Path) -> None:
    """It is not replaced in silence: that would lose who drove."""
    (tmp_path / DATABASE).write_bytes(b"no database" * 1000)

    with pytest.raises(StateUnreadable, match="move it away to start with an empty history"):
        KeptHistory(tmp_path, Bounds(), NOW)


def test_the_columns_are_those_that_the_schema_has_always_had() -> None:
    """A field more needs a new schema, and a way to it."""
    history = KeptHistory(None, Bounds(), NOW)
    columns = [row[1] for row in history._file.execute("PRAGMA table_info(intervals)")]  # noqa: SLF001

    assert json.dumps(columns) == (
        '["number", "robot_id", "session_id", "user_id", "name", "role", "epoch", "owner", '
        '"since", "since_known", "until", "until_known", "reason", "by", "began_by", "ended_by", '
        '"lapses_at", "told_at"]'
    )
    history.stop(NOW)
