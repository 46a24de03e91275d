"""The state directory and its database: which ones a gateway takes, and which it refuses."""

import asyncio
import json
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from robosignal.gateway.backend import Backend, BackendSettings
from robosignal.gateway.keys import LocalKey
from robosignal.gateway.state import StateInUse, StateUnreadable
from robosignal.gateway.store import LocalStore
from robosignal.server.core.writes.presence import register_process
from robosignal.server.settings import read_options
from tests.server.aws.items import ANN, R1, claim

DATABASE = "robots.sqlite3"
PATIENCE = 10
REFUSED_WRITES = 10
"""Many enough that waiting for the lock at each would outlast PATIENCE several times."""


@contextmanager
def claimed(directory: Path) -> Iterator[LocalStore]:
    """Yield a store in which Ann owns a robot."""
    store = LocalStore(directory)
    store.write_robot(R1, register_process(claim()))
    yield store
    store.close()


def refusal(directory: Path) -> str:
    """Return what is said about a state that must be refused."""
    with pytest.raises(StateUnreadable) as refused:
        LocalStore(directory)
    return str(refused.value)


def test_no_file_can_be_deleted_to_get_around_the_lock(tmp_path: Path) -> None:
    """The first gateway goes on, and a second one is refused: two would have two drivers."""
    with claimed(tmp_path):
        for path in tmp_path.iterdir():
            if not path.name.startswith(DATABASE):
                path.unlink()
        with pytest.raises(StateInUse):
            LocalStore(tmp_path)


def test_a_directory_under_two_names_is_one(tmp_path: Path) -> None:
    """A link to the state is the state."""
    (tmp_path / "state").mkdir(mode=0o700)
    (tmp_path / "link").symlink_to(tmp_path / "state")

    with claimed(tmp_path / "state"), pytest.raises(StateInUse):
        LocalStore(tmp_path / "link")


def test_a_link_in_the_state_harms_no_file_elsewhere(tmp_path: Path) -> None:
    """Whatever `lock` is there from an older version is left alone."""
    (tmp_path / "precious").write_text("mine")
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    (state / "lock").symlink_to(tmp_path / "precious")

    with claimed(state):
        assert (tmp_path / "precious").read_text() == "mine"


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o770, 0o777, 0o1777])
def test_a_state_that_others_may_write_is_refused(tmp_path: Path, mode: int) -> None:
    """They could put a database or a key of theirs in the place of ours; `token` says so too."""
    state = tmp_path / "state"
    state.mkdir()
    state.chmod(mode)

    told = refusal(state)
    with pytest.raises(StateUnreadable) as refused:
        LocalKey.load(state)

    assert str(refused.value) == told
    assert told == (
        f"the state {state} cannot be used (others may write to it): chmod go-w {state}, "
        "or give another directory with --state"
    )
    assert list(state.iterdir()) == []


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a directory away")
def test_a_state_of_another_user_is_refused(tmp_path: Path) -> None:
    """Its owner may write to it, whatever its mode is."""
    os.chown(tmp_path, 12345, -1)

    assert "(another user owns it): use a directory of your own" in refusal(tmp_path)


def test_an_empty_database_is_refused(tmp_path: Path) -> None:
    """All owners would be gone without a word, and the first to come would own every robot."""
    LocalKey.load(tmp_path)
    with claimed(tmp_path):
        pass
    (tmp_path / DATABASE).write_bytes(b"")

    told = refusal(tmp_path)

    assert told.startswith(f"the state {tmp_path / DATABASE} cannot be used (it is empty): restore")
    assert (tmp_path / DATABASE).read_bytes() == b""


def test_a_database_of_which_only_the_log_is_left_is_refused(tmp_path: Path) -> None:
    """SQLite would begin a new one and throw the log away."""
    (tmp_path / f"{DATABASE}-wal").write_bytes(b"newest writes")

    told = refusal(tmp_path)

    assert "it is gone, and robots.sqlite3-wal is left of it" in told
    assert (tmp_path / f"{DATABASE}-wal").read_bytes() == b"newest writes"


def test_a_new_database_is_never_there_in_part(tmp_path: Path) -> None:
    """It is made under another name, and no such name is left."""
    with claimed(tmp_path):
        names = {path.name.removeprefix(DATABASE) for path in tmp_path.iterdir()}

    assert names == {"", "-wal", "-shm"}


def change(path: Path, statement: str) -> None:
    """Carry out a statement on a database that no gateway uses."""
    with closing(sqlite3.connect(path)) as disk, disk:
        disk.execute(statement)


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    """What it means is not known here, so nothing is written to it."""
    with claimed(tmp_path):
        pass
    change(tmp_path / DATABASE, "PRAGMA user_version = 2")

    told = refusal(tmp_path)

    assert "a newer robosignal has written it, with schema 2, and this one knows schema 1" in told
    assert "start the newer one" in told


@pytest.mark.parametrize(
    "statement",
    [
        "ALTER TABLE robots ADD COLUMN note TEXT NOT NULL DEFAULT ''",
        "ALTER TABLE robots RENAME COLUMN item TO value",
        "ALTER TABLE robots DROP COLUMN item",
        "ALTER TABLE robots RENAME TO machines",
    ],
)
def test_a_table_of_another_shape_is_refused_at_the_start(tmp_path: Path, statement: str) -> None:
    """Else the first write fails, hours later."""
    with claimed(tmp_path):
        pass
    change(tmp_path / DATABASE, statement)

    assert "its table robots has the columns (" in refusal(tmp_path)


def test_a_state_of_before_the_schema_had_a_number_is_taken(tmp_path: Path) -> None:
    """Its robots stay, and it gets its number."""
    with claimed(tmp_path):
        pass
    change(tmp_path / DATABASE, "PRAGMA user_version = 0")

    store = LocalStore(tmp_path)
    owned = store.list_owned(ANN, None, 5).robot_ids
    store.close()

    with closing(sqlite3.connect(tmp_path / DATABASE)) as disk:
        assert disk.execute("PRAGMA user_version").fetchone() == (1,)
    assert owned == (R1,)


async def opened(local: Backend, user: str) -> ClientConnection:
    """Return a connection of this user, welcomed."""
    offered = [Subprotocol("robosignal.v1"), Subprotocol(f"bearer.{local.key.sign(user)}")]
    client = await connect(local.gateway.websocket_url, subprotocols=offered)
    await ask(client, type="ready")
    return client


async def ask(client: ClientConnection, **message: object) -> dict[str, object]:
    """Send a message and return the next frame."""
    await client.send(json.dumps({"id": "q", **message}))
    reply: dict[str, object] = json.loads(await client.recv())
    return reply


async def test_another_programs_lock_on_the_file_holds_nothing_up(tmp_path: Path) -> None:
    """Changes are refused at once and may be tried again; renewals and pings go on meanwhile."""
    state = tmp_path / "state"
    async with Backend(BackendSettings(port=0, state=state), read_options({})) as local:
        robot, owner, stranger = [await opened(local, user) for user in ("ann", "ann", "eve")]
        await ask(robot, type="register", robotId="r1")

        with closing(sqlite3.connect(state / DATABASE, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            async with asyncio.timeout(PATIENCE):
                refused = [
                    await ask(owner, type="offer", robotId="r1", payload={"sdp": "o"})
                    for _ in range(REFUSED_WRITES)
                ]
                renewed = await ask(robot, type="ping", robotId="r1")
                answered = await ask(stranger, type="ping")
            other.execute("ROLLBACK")
        driven = await ask(owner, type="offer", robotId="r1", payload={"sdp": "o"})

        for client in (robot, owner, stranger):
            await client.close()

    assert [frame.get("code") for frame in refused] == ["try_again"] * REFUSED_WRITES
    assert (renewed["type"], answered["type"], driven["type"]) == ("pong", "pong", "ack")
