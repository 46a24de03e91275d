"""The local store on disk: what survives a restart, what does not, and what is never written."""

import json
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from msgspec import structs

from robosignal.gateway.state import StateInUse, StateUnreadable
from robosignal.gateway.store import DATABASE, SWEEP_MS, LocalStore
from robosignal.protocol.ids import ConnectionId, RobotId, UserId, session_id
from robosignal.server.core.conditional_writes import (
    AddToSet,
    Contains,
    Exists,
    RemoveFromSet,
    Write,
)
from robosignal.server.core.records import Code, Invitation, Robot, Session
from robosignal.server.core.steps import ConditionFailed, Written
from robosignal.server.core.writes import codes, lease, presence, viewers
from tests.server.aws.items import ANN, BOB, C1, C2, NOW, R1, claim, row
from tests.server.core.conditions.every_case import CASES

ANYONE = Exists(("ownerUserId",))
ROBOTS_SOCKET = claim().row.connection_id

WRITER = """
import sys
from contextlib import closing
from pathlib import Path
from robosignal.gateway.store import LocalStore
from robosignal.server.core.conditional_writes import Exists, Increment, Write
from robosignal.server.core.writes.presence import register_process
from tests.server.aws.items import R1, claim

store = LocalStore(Path(sys.argv[1]))
store.write_robot(R1, register_process(claim()))
rise = Write("rise", Exists(("epoch",)), (Increment(("epoch",)),))
while True:
    print(store.write_robot(R1, rise).after.epoch, flush=True)
"""


def driving(connection: ConnectionId, user: UserId) -> Session:
    """Return a session that a client would have."""
    return Session(
        session_id=session_id(R1, connection),
        user_id=user,
        connection_id=connection,
        connected_at=NOW,
        dialect="v1",
        expires_at=NOW + 3_600_000,
        until=NOW + 60_000,
    )


def busy(store: LocalStore) -> Robot:
    """Claim a robot that a user drives, another one watches, and both may."""
    store.write_robot(R1, presence.register_process(claim()))
    for user in (ANN, BOB):
        store.write_robot(R1, Write("share", ANYONE, (AddToSet(("operators",), user),)))
    store.write_robot(R1, lease.acquire(driving(C1, ANN), ANYONE, NOW))
    outcome = store.write_robot(R1, viewers.add(driving(C2, BOB), ANYONE, 10))
    assert isinstance(outcome, Written)
    return outcome.after


def after_a_restart(robot: Robot, now: int) -> Robot:
    """Return the item as a store that is opened then has it: no socket, grace for its driver."""
    held = robot.controller
    if held is not None and held.lost is None:
        held = structs.replace(held, until=now + 30_000, lost=now)
    return structs.replace(robot, connection_id=None, presence_until=0, controller=held)


def test_ownership_epoch_and_sessions_survive_a_restart(tmp_path: Path) -> None:
    """All that a robot's item says but its socket; the last driver has 30 s to come back.

    How long a lease would have lasted is not on disk: without grace the first to be back would
    take a driven robot, and a seed's lease would stand for hours for a socket that is gone.
    """
    store = LocalStore(tmp_path)
    before = busy(store)
    store.close()

    again = LocalStore(tmp_path, NOW + 600_000)

    assert again.robot(R1) == after_a_restart(before, NOW + 600_000)
    assert again.list_owned(ANN, None, 5).robot_ids == (R1,)
    assert again.list_shared(BOB, None, 5).robot_ids == (R1,)
    again.close()


def test_a_driver_who_was_lost_before_is_not_revived_by_a_restart(tmp_path: Path) -> None:
    """Its grace is on disk: however often the gateway restarts, it ends when it ends."""
    store = LocalStore(tmp_path)
    busy(store)
    outcome = store.write_robot(R1, lease.begin_grace(session_id(R1, C1), C1, NOW, NOW + 30_000))
    store.close()

    again = LocalStore(tmp_path, NOW + 600_000)

    assert isinstance(outcome, Written)
    assert again.robot(R1) == structs.replace(outcome.after, connection_id=None, presence_until=0)
    again.close()


def test_connections_do_not_survive_a_restart(tmp_path: Path) -> None:
    """No socket does, so no item may; there is no watcher either."""
    store = LocalStore(tmp_path)
    store.add_connection(row(C1, watcher_user_id="ann"))
    store.close()

    again = LocalStore(tmp_path)

    assert again.connection(C1) is None
    assert again.watchers("ann") == ()
    again.close()


def test_the_restart_itself_is_not_undone_by_the_next(tmp_path: Path) -> None:
    """A robot that registers after a restart is kept as it then is, sets included."""
    store = LocalStore(tmp_path)
    busy(store)
    store.close()
    second = LocalStore(tmp_path)
    outcome = second.write_robot(R1, presence.register_process(claim(run="later")))
    second.close()

    third = LocalStore(tmp_path, NOW)
    robot = third.robot(R1)
    third.close()

    assert isinstance(outcome, Written)
    assert robot == after_a_restart(outcome.after, NOW)
    assert robot.operators == frozenset({ANN, BOB})


def test_an_operator_is_one_after_a_restart_too(tmp_path: Path) -> None:
    """The set is a set again, to a condition as to an update."""
    store = LocalStore(tmp_path)
    busy(store)
    store.close()
    again = LocalStore(tmp_path)
    is_bob, gone = Contains(("operators",), BOB), RemoveFromSet(("operators",), BOB)

    outcome = again.write_robot(R1, Write("unshare", is_bob, (gone,)))
    again.close()

    assert isinstance(outcome, Written)
    assert outcome.after.operators == frozenset({ANN})


def test_a_second_process_is_refused_with_what_to_do(tmp_path: Path) -> None:
    """It names the directory and the option, and leaves the first one's state alone."""
    store = LocalStore(tmp_path)
    opening = f"from robosignal.gateway.store import *; LocalStore(Path({str(tmp_path)!r}))"

    second = subprocess.run(
        [sys.executable, "-c", opening], capture_output=True, text=True, check=False
    )

    assert second.returncode != 0
    assert f"StateInUse: another robosignal uses {tmp_path}" in second.stderr
    assert "--state" in second.stderr
    assert isinstance(store.write_robot(R1, presence.register_process(claim())), Written)
    store.close()


def test_a_directory_can_be_used_again_once_it_is_let_go(tmp_path: Path) -> None:
    """The lock ends with the store."""
    store = LocalStore(tmp_path)
    with pytest.raises(StateInUse):
        LocalStore(tmp_path)
    store.close()

    LocalStore(tmp_path).close()


def test_no_other_user_may_read_the_state(tmp_path: Path) -> None:
    """A new directory is its owner's alone."""
    LocalStore(tmp_path / "state").close()

    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o700


RENEWING: dict[str, Callable[[], Write]] = {
    "renew_presence": lambda: presence.renew(ROBOTS_SOCKET, NOW + 600_000),
    "renew_lease": lambda: lease.renew(session_id(R1, C1), C1, NOW + 90_000),
    "renew_viewer": lambda: viewers.renew(session_id(R1, C2), C2, NOW + 600_000),
}


def test_every_renewal_is_examined() -> None:
    """A write that is not put on disk needs its test here."""
    first = (several[0].write for several in CASES.values())

    assert {write.name for write in first if write.renewal} == set(RENEWING)


@pytest.mark.parametrize("renewal", RENEWING.values(), ids=RENEWING)
def test_a_renewal_writes_nothing_to_disk(tmp_path: Path, renewal: Callable[[], Write]) -> None:
    """A second reader of the file sees no change; another write it does see."""
    store = LocalStore(tmp_path)
    busy(store)
    reader = sqlite3.connect(tmp_path / "robots.sqlite3")
    version = "PRAGMA data_version"
    (before,) = reader.execute(version).fetchone()

    outcome = store.write_robot(R1, renewal())
    (renewed,) = reader.execute(version).fetchone()
    store.write_robot(R1, lease.leave(session_id(R1, C1), C1))
    (left,) = reader.execute(version).fetchone()
    reader.close()
    store.close()

    assert isinstance(outcome, Written)
    assert renewed == before
    assert left != before


def test_a_renewal_is_kept_by_the_next_write(tmp_path: Path) -> None:
    """What is put on disk is the whole item as it is in memory."""
    store = LocalStore(tmp_path)
    busy(store)
    store.write_robot(R1, RENEWING["renew_viewer"]())
    store.write_robot(R1, lease.leave(session_id(R1, C1), C1))
    store.close()

    with closing(sqlite3.connect(tmp_path / "robots.sqlite3")) as disk:
        ((text,),) = disk.execute("SELECT item FROM robots")
    item = json.loads(text)

    assert item["viewers"][session_id(R1, C2)]["until"] == NOW + 600_000


def test_a_killed_process_loses_no_answered_write(tmp_path: Path) -> None:
    """`kill -9` amid writes: the epoch is the last one answered, or the one then under way."""
    root = Path(__file__).parents[2]
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=root
    )
    with writer:
        assert writer.stdout is not None
        answered = [writer.stdout.readline() for _ in range(50)]
        writer.send_signal(signal.SIGKILL)
        answered += writer.stdout.readlines()
    last = int([line for line in answered if line.endswith("\n")][-1])

    store = LocalStore(tmp_path)
    robot = store.robot(R1)
    store.close()

    assert robot is not None
    assert last <= robot.epoch <= last + 1
    assert robot.owner_user_id == ANN


def code(name: str, expires_at: int = NOW) -> Code:
    """Return a code of this hash with two uses."""
    return Code(
        code_hash=name,
        by_user_id=ANN,
        for_user_id=ANN,
        pattern="r*",
        uses=2,
        expires_at=expires_at,
        ttl=expires_at // 1000,
    )


def rows(directory: Path) -> set[str]:
    """Return the keys of what is on disk."""
    with closing(sqlite3.connect(directory / DATABASE)) as disk:
        return {key for (key,) in disk.execute("SELECT robot_id FROM robots")}


def test_a_code_and_its_uses_survive_a_restart(tmp_path: Path) -> None:
    """A robot that enrols meanwhile goes on; the code is no robot, and in no list."""
    store = LocalStore(tmp_path)
    store.write_code("abc", codes.create(code("abc")))
    store.write_code("abc", codes.take_use(R1, "kid", code("abc"), NOW - 1))
    store.close()

    again = LocalStore(tmp_path)
    repeated = again.write_code("abc", codes.take_use(R1, "kid", code("abc"), NOW - 1))
    other = again.write_code("abc", codes.take_use(R1, "other", code("abc"), NOW - 1))

    expected = structs.replace(code("abc"), takers={R1: "kid"})
    assert again.code("abc") == expected
    assert (repeated, other) == (Written(expected, expected), ConditionFailed(expected))
    assert again.robots([RobotId("#code:abc")]) == []
    assert [
        again.list_owned(ANN, None, 5).robot_ids,
        again.list_shared(ANN, None, 5).robot_ids,
    ] == [
        (),
        (),
    ]
    again.close()


def test_an_invitation_survives_a_restart_beside_a_code_of_the_same_hash(tmp_path: Path) -> None:
    """Each kind has keys of its own, in memory and on disk; one that is over is removed."""
    invitation = Invitation(
        code_hash="abc",
        by_user_id=ANN,
        robot_id=R1,
        inviting="abc",
        role="viewer",
        uses=2,
        expires_at=NOW,
        ttl=NOW // 1000,
    )
    store = LocalStore(tmp_path)
    store.write_invitation("abc", codes.create(invitation))
    store.write_code("abc", codes.create(code("abc")))
    store.write_invitation("abc", codes.take_use(BOB, "share:0", invitation, NOW - 1))
    old = structs.replace(invitation, code_hash="old", ttl=1)
    store.write_invitation("old", codes.create(old))
    store.close()
    before = rows(tmp_path)

    again = LocalStore(tmp_path)
    expected = structs.replace(invitation, takers={BOB: "share:0"})
    assert again.invitation("abc") == expected
    assert again.code("abc") == code("abc")
    again.write_invitation("abc", codes.complete_use(BOB, "share:0"))
    again.close()
    assert before - rows(tmp_path) == {"#invite:old"}
    assert rows(tmp_path) == {"#invite:abc", "#code:abc"}


def test_a_code_that_is_over_is_removed_from_disk(tmp_path: Path) -> None:
    """When the next one is made, also after a restart."""
    store = LocalStore(tmp_path)
    store.write_code("old", codes.create(code("old", expires_at=1000)))
    store.close()
    before = rows(tmp_path)

    again = LocalStore(tmp_path)
    again.write_code("new", codes.create(code("new")))
    again.close()

    assert (before, rows(tmp_path)) == ({"#code:old"}, {"#code:new"})


def test_codes_do_not_make_each_other_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """A write looks for those that are over once a minute, not at all of them each time."""
    clock, looked_at = [NOW], [0]

    def is_old(_code: object, _now: int) -> bool:
        looked_at[0] += 1
        return False

    monkeypatch.setattr("robosignal.gateway.store.epoch_ms", lambda: clock[0])
    monkeypatch.setattr("robosignal.gateway.store._is_old", is_old)
    store = LocalStore(None)
    for number in range(100):
        store.write_code(str(number), codes.create(code(str(number))))
    first = looked_at[0]
    clock[0] += SWEEP_MS
    store.write_code("later", codes.create(code("later")))
    later = looked_at[0]
    clock[0] -= 1
    store.write_code("set back", codes.create(code("set back")))

    assert (first, later, looked_at[0]) == (0, 100, 201)


@pytest.mark.parametrize(
    ("key", "item"),
    [
        ("#code:abc", json.dumps({"robotId": "r1", "ownerUserId": "ann"})),
        ("#code:abc", json.dumps([1, 2])),
        ("#code:abd", msgspec.json.encode(code("abc")).decode()),
    ],
    ids=["a robot", "a list", "another code's key"],
)
def test_a_code_that_is_none_is_refused_with_what_to_do(
    tmp_path: Path, key: str, item: str
) -> None:
    """Nothing is opened, and the directory is free again."""
    LocalStore(tmp_path).close()
    with closing(sqlite3.connect(tmp_path / DATABASE)) as disk, disk:
        disk.execute("INSERT INTO robots (robot_id, item) VALUES (?, ?)", (key, item))

    with pytest.raises(StateUnreadable) as refused:
        LocalStore(tmp_path)
    with closing(sqlite3.connect(tmp_path / DATABASE)) as disk, disk:
        disk.execute("DELETE FROM robots")

    assert str(tmp_path / DATABASE) in str(refused.value)
    assert (
        "#code:" in str(refused.value)
        or "codeHash" in str(refused.value)
        or "array" in str(refused.value)
    )
    LocalStore(tmp_path).close()
