"""What operators type: `robots`, `code`, `keys`, `share` and the others, at a running server."""

import asyncio
import io
import json
import os
import pty
import re
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from pathlib import Path
from threading import Event, Timer
from typing import Any

import pytest

from robosignal.cli.arguments import TOKEN_VARIABLE, URL_VARIABLE, format_length
from robosignal.cli.main import main
from robosignal.gateway.store import LocalStore
from robosignal.history.times import format_time
from robosignal.probe.connection import dial, resolve
from robosignal.protocol.ids import RobotId
from robosignal.server.clock import epoch_ms
from robosignal.server.core.conditional_writes import Missing, Put, Write
from robosignal.server.core.records import fleet_shard_of
from robosignal.testing import Closed, LocalBackend, RequestRefused
from tests.device import DeviceKey

MANY = 100
DAY_MS = 86_400_000

Run = Callable[..., tuple[int, str, str]]
Fleet = list[str]


def add_robot(store: LocalStore, robot_id: str, **attributes: Any) -> None:
    """Give a robot an owner, ann, and these attributes."""
    more = {"ownerUserId": "ann", "fleetShard": fleet_shard_of(RobotId(robot_id)), **attributes}
    puts = tuple(Put((name,), value) for name, value in more.items())
    store.write_robot(RobotId(robot_id), Write("add", Missing(("ownerUserId",)), puts))


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """The state of a server with 200 robots of ann's."""
    directory = tmp_path / "state"
    store = LocalStore(directory, epoch_ms())
    for number in range(MANY):
        add_robot(store, f"rover-{number:03}")
    store.close()
    return directory


@pytest.fixture
def fleet(tmp_path: Path) -> tuple[Path, Fleet]:
    """A file with all robots of the state, one a line, to be shared with bob; and their ids."""
    ids = [f"rover-{number:03}" for number in range(MANY)]
    file = tmp_path / "fleet.csv"
    file.write_text("# robot,user\n\n" + "".join(f"{each}, bob\n" for each in ids))
    return file, ids


@pytest.fixture
def backend() -> Iterator[LocalBackend]:
    """A server in memory, with its rate limits."""
    with LocalBackend() as running:
        yield running


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run a command as a user of a backend; return the exit code, and what is printed where."""

    def run(backend: LocalBackend, user: str, *words: object) -> tuple[int, str, str]:
        groups = ["ADMINS"] if user == "boss" else []
        monkeypatch.setenv(URL_VARIABLE, backend.url)
        monkeypatch.setenv(TOKEN_VARIABLE, backend.token(user, groups))
        capsys.readouterr()
        code = main(list(map(str, words)))
        said = capsys.readouterr()
        # The backend logs in the same process.
        shown = [line for line in said.out.splitlines() if not re.search(r" [a-z]+=", line)]
        return code, "\n".join(shown), said.err

    return run


def operators(backend: LocalBackend, robots: Fleet) -> set[str]:
    """Return the users with whom any of these robots is shared."""

    async def ask() -> set[str]:
        found: set[str] = set()
        async with backend.connect("ann") as client:
            for each in robots:
                reply = await client.request("unshare", robotId=each, userId="stranger")
                found |= {share["userId"] for share in reply["shares"]}
        return found

    return asyncio.run(ask())


def shares_of(backend: LocalBackend, robot: str) -> list[dict[str, Any]]:
    """Return the shares and offers of ann's robot."""

    async def ask() -> list[dict[str, Any]]:
        async with backend.connect("ann") as client:
            reply = await client.request("unshare", robotId=robot, userId="stranger")
            found: list[dict[str, Any]] = reply["shares"]
            return found

    return asyncio.run(ask())


# Lists


def test_a_list_tells_when_each_robot_was_last_seen(tmp_path: Path, run: Run) -> None:
    """And that one is there now, and one never was."""
    now = epoch_ms()
    store = LocalStore(tmp_path, now)
    week = now - 8 * DAY_MS
    add_robot(store, "old", updatedAt=week, rev=4)
    add_robot(store, "young", updatedAt=now - 3_600_000, rev=4)
    add_robot(store, "new")
    store.close()
    with LocalBackend(state=tmp_path) as backend:

        async def list_while_online() -> tuple[int, str, str]:
            async with backend.connect("ann") as robot:
                await robot.request("register", robotId="here")
                return await asyncio.to_thread(run, backend, "ann", "robots")

        code, said, _ = asyncio.run(list_while_online())
        _, week_said, _ = run(backend, "ann", "robots", "--offline-for", "7d", "--json")
        _, all_said, _ = run(backend, "boss", "robots", "--all")
        _, none_said, _ = run(backend, "bob", "robots")

    rows = {line.split()[0]: line for line in said.splitlines()}
    assert code == 0
    assert rows["ROBOT"].split() == ["ROBOT", "OWNER", "ONLINE", "LAST", "SEEN", "DRIVER", "KEYS"]
    assert re.search(r"yes +now", rows["here"])
    assert f"no      {format_time(week)}" in rows["old"]
    assert re.search(r"no +never +none", rows["new"])
    assert [each["robotId"] for each in json.loads(week_said)["robots"]] == ["new", "old"]
    assert len(all_said.splitlines()) == 5
    assert none_said == "No robot."


def test_a_list_of_many_pages_is_whole(state: Path, run: Run) -> None:
    """A page has 50."""
    with LocalBackend(state=state) as backend:
        _, said, _ = run(backend, "ann", "robots", "--json")

    assert len(json.loads(said)["robots"]) == MANY


# Codes and keys


def enrol(backend: LocalBackend, code: str, robot_id: str) -> DeviceKey:
    """Enrol a robot by a code, as the robot does; return its key."""
    key = DeviceKey()

    async def ask() -> None:
        token = key.enrolment(code, robot_id, now_s=int(time.time()), aud=backend.url)
        connection = await dial(backend.url, token, await resolve(backend.url, 5), 5)
        await connection.request({"type": "ready", "protocol": 1}, "welcome")
        await connection.request({"type": "enroll", "code": code}, "ack")
        await connection.close()

    asyncio.run(ask())
    return key


def test_a_code_lets_a_robot_in_and_its_key_is_approved_and_revoked(
    backend: LocalBackend, run: Run
) -> None:
    """By the fingerprint that owner and robot compare, and that no option can be taken for."""
    code, said, _ = run(backend, "ann", "code", "--robot", "r1", "--ttl", "8h", "--approve")
    (typed,) = re.findall(rf"    robosignal robot enroll {backend.url} (\S+)", said)
    assert code == 0
    key = enrol(backend, typed, "r1")
    _, listed, _ = run(backend, "ann", "robots")
    _, before, _ = run(backend, "ann", "keys", "r1")
    fingerprint = before.splitlines()[1].split()[0]
    approved = run(backend, "ann", "approve-key", "r1", fingerprint)
    _, after, _ = run(backend, "ann", "keys", "r1", "--json")
    revoked = run(backend, "ann", "revoke-key", "r1", fingerprint)
    again = run(backend, "ann", "revoke-key", "r1", fingerprint)

    assert "1, 1 waiting, never used" in listed
    assert "waits for approval" in before
    assert approved[:2] == (0, f"r1 may connect with key {key.kid}")
    assert "pending" not in json.loads(after)["keys"][0]
    assert revoked[:2] == (0, f"r1 cannot connect with key {key.kid} any more")
    assert again[0] == 1
    assert "the robot has no such key: see robosignal keys r1" in again[2]


def test_a_code_for_many_robots_says_what_to_type_on_each(backend: LocalBackend, run: Run) -> None:
    """With the id that each robot takes."""
    words = ("--pattern", "rover-*", "--uses", 40, "--owner", "fleet")
    _, said, _ = run(backend, "boss", "code", backend.url, *words)
    refused = run(backend, "ann", "code", *words)
    misused = run(backend, "ann", "code", "--robot", "r1", "--uses", 2)

    lines = said.splitlines()
    assert lines[1] == "for   40 robots of rover-*"
    assert lines[-1].startswith(f"    robosignal robot enroll {backend.url} ")
    assert lines[-1].endswith(" --robot-id ID")
    enrol(backend, lines[0].split()[1], "rover-7")
    assert refused[0] == 1
    assert refused[2].startswith("robosignal: rover-*: forbidden: ")
    assert "a code for one robot has one use" in misused[2]


def test_a_file_of_ids_makes_a_code_for_each(
    backend: LocalBackend, run: Run, tmp_path: Path
) -> None:
    """In a table, or as JSON."""
    file = tmp_path / "ids"
    file.write_text("r1\nr2\n")
    code, said, _ = run(backend, "ann", "code", "--file", file)
    _, found, _ = run(backend, "ann", "code", "--file", file, "--json")

    assert code == 0
    assert [line.split()[0] for line in said.splitlines()] == ["ROBOT", "r1", "r2", "2"]
    assert [each["robotId"] for each in json.loads(found)["done"]] == ["r1", "r2"]
    enrol(backend, said.splitlines()[2].split()[1], "r2")


# Many lines


def test_a_whole_fleet_is_shared_and_a_leaver_leaves_it(
    state: Path, fleet: tuple[Path, Fleet], run: Run
) -> None:
    """In one call each, with the server's limits in force."""
    file, robots = fleet
    with LocalBackend(state=state, environment={"LIMITS": "on"}) as backend:
        shared = run(backend, "ann", "share", "--file", file)
        between = operators(backend, robots[-20:])
        ended = run(backend, "ann", "unshare", "--user", "bob")
        after = operators(backend, robots[-20:])

    assert shared[:2] == (0, f"{MANY} done, 0 refused")
    assert between == {"bob"}
    assert ended[:2] == (0, f"{MANY} done, 0 refused")
    assert after == set()


async def use_up_units(backend: LocalBackend, used_up: Event, done: Event) -> None:
    """Use up what all connections of ann's may send, a few times over, or until `done`.

    The server closes each connection that goes on above its rate.
    """
    try:
        for _ in range(4):
            with suppress(Closed, RequestRefused):
                async with backend.connect("ann") as client:
                    for _ in range(90):
                        await client.send("robots", robotIds=["rover-001"])
                    used_up.set()
                    while not done.is_set():
                        await client.send("robots", robotIds=["rover-001"])
                        await asyncio.sleep(0.01)
    finally:
        used_up.set()


def test_what_the_server_limits_is_asked_again(
    state: Path,
    fleet: tuple[Path, Fleet],
    run: Run,
    record_property: Callable[[str, object], None],
) -> None:
    """Other connections of the user have used up the rate that all of them share."""
    used_up, done = [Event() for _ in range(5)], Event()
    with (
        LocalBackend(state=state, environment={"LIMITS": "on"}) as backend,
        ThreadPoolExecutor() as pool,
    ):
        senders = [pool.submit(asyncio.run, use_up_units(backend, each, done)) for each in used_up]
        for each in used_up:
            each.wait()
        try:
            code, said, _ = run(backend, "ann", "share", "--file", fleet[0], "--json")
        finally:
            done.set()
        for sender in senders:
            sender.result()

    found = json.loads(said)
    record_property("figure", ("lines asked again under a rate limit", found["repeated"]))
    assert (code, len(found["done"])) == (0, MANY)
    assert found["repeated"] > 0


def test_a_connection_that_ends_on_the_way_comes_back(
    state: Path, fleet: tuple[Path, Fleet], run: Run
) -> None:
    """Here the server closes each after a second, as API Gateway does after two hours."""
    with LocalBackend(state=state, max_lifetime_s=1) as backend:
        code, said, _ = run(backend, "ann", "share", "--file", fleet[0])

    assert (code, said) == (0, f"{MANY} done, 0 refused")


def test_each_refused_line_is_named(state: Path, run: Run, tmp_path: Path) -> None:
    """The others are done, and the exit code is 1."""
    file = tmp_path / "lines"
    file.write_text("rover-001,bob\nrover-999,bob\nrover-002,ann\nrover-001,bob\n")
    with LocalBackend(state=state) as backend:
        code, said, _ = run(backend, "ann", "share", "--file", file)
        as_json = run(backend, "ann", "share", "--file", file, "--json")

    assert code == 1
    assert said.splitlines() == [
        "rover-999,bob: forbidden: not allowed: ask the robot's owner, or an admin",
        "rover-002,ann: bad_message: userId: is the owner, who needs no share",
        "1 done, 2 refused",
    ]
    found = json.loads(as_json[1])
    assert as_json[0] == 1
    offer = {"userId": "bob", "role": "operator", "offered": True}
    assert found["done"] == [
        {"robotId": "rover-001", "userId": "bob", "operators": [], "shares": [offer]}
    ]
    assert [each["code"] for each in found["refused"]] == ["forbidden", "bad_message"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("rover-1\n", "line 1: must be ROBOT,USER"),
        ("rover-1,bob\nrover 2,bob\n", "line 2: ROBOT must be 1 to 64 of the characters"),
        ("# nothing\n", "has no line: write ROBOT,USER on each"),
        (None, "cannot be read (no such file or directory)"),
    ],
)
def test_a_file_that_cannot_be_used_changes_nothing(
    backend: LocalBackend, run: Run, tmp_path: Path, text: str | None, told: str
) -> None:
    """The line is named before anything is sent."""
    file = tmp_path / "lines"
    if text is not None:
        file.write_text(text)

    code, said, error = run(backend, "ann", "share", "--file", file)

    assert (code, said) == (1, "")
    assert told in error


# What cannot be undone


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], None]]:
    """Make standard input a terminal, on which a text was typed."""
    with ExitStack() as opened:

        def type_text(text: str) -> None:
            master, slave = pty.openpty()
            opened.callback(os.close, master)
            os.write(master, text.encode())
            terminal = opened.enter_context(io.TextIOWrapper(io.FileIO(slave)))
            monkeypatch.setattr(sys, "stdin", terminal)

        yield type_text
        monkeypatch.undo()


@pytest.mark.parametrize("words", [("forget", "rover-001"), ("transfer", "rover-001", "bob")])
def test_what_cannot_be_undone_is_asked_for(
    state: Path,
    run: Run,
    monkeypatch: pytest.MonkeyPatch,
    answer: Callable[[str], None],
    words: tuple[str, ...],
) -> None:
    """On a terminal; without one, it needs `--yes`."""
    with LocalBackend(state=state) as backend:
        monkeypatch.setattr(sys, "stdin", io.StringIO("yes\n"))
        no_terminal = run(backend, "ann", *words)
        answer("y\n")
        declined = run(backend, "ann", *words)
        _, left, _ = run(backend, "ann", "robots", "--json")
        answer("yes\n")
        done = run(backend, "ann", *words)
        sure = run(backend, "ann", words[0], "rover-002", *words[2:], "--yes")

    assert no_terminal[0] == 1
    assert "Give --yes, as there is no terminal" in no_terminal[2]
    assert declined[0] == 1
    assert declined[2].endswith("Type yes to go on: robosignal: nothing was done\n")
    assert len(json.loads(left)["robots"]) == MANY
    assert done[0] == 0
    assert sure[0] == 0


def test_keys_of_many_robots_are_asked_for(
    backend: LocalBackend, run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """One key alone is not: a stolen robot is to be out at once."""
    file = tmp_path / "keys"
    file.write_text(f"r1,{'A' * 43}\nr2,{'A' * 43}\n")
    monkeypatch.setattr(sys, "stdin", io.StringIO())

    _, _, error = run(backend, "ann", "revoke-key", "--file", file)

    assert "This ends the keys of 2 robots for good. Give --yes" in error


# The server and the token


def test_a_server_that_cannot_be_reached_is_exit_code_3(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What to check is said."""
    code = main(["robots", "--url", "ws://127.0.0.1:1/prod", "--token", "a.b.c"])

    assert code == 3
    assert "nothing listens there; check the URL's host and port" in capsys.readouterr().err


def test_a_server_that_stops_on_the_way_leaves_the_rest_named(
    state: Path, fleet: tuple[Path, Fleet], run: Run
) -> None:
    """The exit code is 3, and what is not sent can be sent again."""
    running = LocalBackend(state=state)
    running.__enter__()

    # At its pace the command takes more than a second.
    stopping = Timer(0.5, running.__exit__, (None, None, None))
    stopping.start()
    code, said, error = run(running, "ann", "share", "--file", fleet[0], "--tries", 2)
    stopping.join()

    *_, last = said.splitlines()
    assert code == 3
    assert re.fullmatch(r"\d+ done, 0 refused, \d+ not sent", last)
    assert f"rover-{MANY - 1:03},bob: not sent" in said
    assert "cannot reach the server" in error


def test_a_token_that_is_refused_is_explained(
    backend: LocalBackend, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is no use to try again, so the exit code is 1."""
    code = main(["robots", "--url", backend.url, "--token", "a.b.c"])

    assert code == 1
    assert "the server refused the token; check the token" in capsys.readouterr().err


def test_a_token_may_come_from_a_command(
    backend: LocalBackend, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is run for each connection; what it prints is never quoted."""
    command = ("robots", "--url", backend.url, "--token-command")
    good = main([*command, f"echo {backend.token('ann')}"])
    bad = main([*command, "echo not a token"])
    failing = main([*command, "exit 7"])
    error = capsys.readouterr().err

    assert (good, bad, failing) == (0, 1, 1)
    assert "printed something that is no token" in error
    assert "not a token" not in error
    assert "the token command ended with 7" in error


def test_without_a_url_or_with_a_wrong_one_the_variable_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is what a person sets once."""
    monkeypatch.delenv(URL_VARIABLE, raising=False)
    none = main(["robots", "--token", "a.b.c"])
    monkeypatch.setenv(URL_VARIABLE, "http://a")
    wrong = main(["robots", "--token", "a.b.c"])
    error = capsys.readouterr().err

    assert (none, wrong) == (1, 1)
    assert "or set ROBOSIGNAL_URL" in error
    assert "in the environment, ROBOSIGNAL_URL must be a WebSocket URL" in error


# Robots that were enrolled, and have no key or have never connected


def test_a_robot_that_has_enrolled_and_not_connected_was_never_seen(run: Run) -> None:
    """And once its key is revoked, its owner hears which code lets it in again."""
    with LocalBackend() as backend:
        _, said, _ = run(backend, "ann", "code", "--robot", "arm-1")
        key = enrol(backend, re.findall(r"^code  (\S+)$", said, re.MULTILINE)[0], "arm-1")
        _, listed, _ = run(backend, "ann", "robots")
        run(backend, "ann", "revoke-key", "arm-1", key.kid)
        _, none, _ = run(backend, "ann", "keys", "arm-1")

    assert re.search(r"arm-1 .* no +never +1, never used", listed)
    assert none == (
        "arm-1 has no key: make a code for it with robosignal code --robot arm-1; "
        "if it had a key before, with --approve"
    )


# Shares and invitations


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[LocalBackend]:
    """A server with three robots of ann's."""
    store = LocalStore(tmp_path / "shop", epoch_ms())
    for each in ("arm-1", "arm-2", "arm-3"):
        add_robot(store, each)
    store.close()
    with LocalBackend(state=tmp_path / "shop") as running:
        yield running


def test_a_share_has_a_role_and_an_end(shop: LocalBackend, run: Run) -> None:
    """The end is seven days from now, to the minute."""
    before = epoch_ms()
    code, said, _ = run(shop, "ann", "share", "arm-1", "bob", "--role", "viewer", "--until", "7d")
    (share,) = shares_of(shop, "arm-1")

    assert code == 0
    assert said == "arm-1 is offered to bob, who may view it once they accept it in the console"
    assert (share["userId"], share["role"]) == ("bob", "viewer")
    assert 0 <= share["until"] - before - 7 * DAY_MS < DAY_MS


def test_a_share_with_a_group_is_made_and_ended(
    shop: LocalBackend, run: Run, tmp_path: Path
) -> None:
    """With a file too, whose lines are robots alone then."""
    file = tmp_path / "arms.csv"
    file.write_text("arm-2\narm-3\n")
    one = run(shop, "boss", "share", "arm-1", "--group", "night crew")
    many = run(shop, "boss", "share", "--file", file, "--group", "night crew", "--role", "viewer")
    made = [shares_of(shop, each) for each in ("arm-1", "arm-2", "arm-3")]
    ended = run(shop, "ann", "unshare", "arm-1", "--group", "night crew")

    assert one[:2] == (0, "arm-1 is shared with the group night crew; operators: none")
    assert many[:2] == (0, "2 done, 0 refused")
    assert [[(each["group"], each["role"]) for each in shares] for shares in made] == [
        [("night crew", "operator")],
        [("night crew", "viewer")],
        [("night crew", "viewer")],
    ]
    assert ended[:2] == (0, "arm-1 is not shared with the group night crew; operators: none")
    assert shares_of(shop, "arm-1") == []


def test_an_invitation_is_made_and_accepted(shop: LocalBackend, run: Run) -> None:
    """The code is printed with what its user types, who then has the share."""
    terms = ("--role", "viewer", "--until", "30d", "--ttl", "2d", "--uses", 2)
    before = epoch_ms()
    code, said, _ = run(shop, "ann", "invite", "arm-1", *terms)
    after = epoch_ms()
    lines = said.splitlines()
    typed = lines[0].split()[1]
    accepted = run(shop, "bob", "accept", typed.lower())
    as_json = run(shop, "carol", "accept", typed, "--json")
    spent = run(shop, "dave", "accept", typed)
    _, listed, _ = run(shop, "bob", "robots")

    assert code == 0
    assert lines[1] == "for   2 users"
    assert lines[2].startswith("to    view arm-1, until ")
    ends = range(before + 2 * DAY_MS, after + 2 * DAY_MS + 1000, 1000)
    assert lines[3] in {f"ends  {format_time(each)}" for each in ends}
    assert lines[-1] == f"    robosignal accept {typed}"
    assert accepted[:2] == (0, "You may view arm-1 now.")
    assert json.loads(as_json[1]) == {"robotId": "arm-1", "role": "viewer"}
    assert (spent[0], "not valid" in spent[2]) == (1, True)
    assert listed.splitlines()[1].split() == ["arm-1", "ann", "no", "never"], "no word of keys"
    assert {each["userId"] for each in shares_of(shop, "arm-1")} == {"bob", "carol"}


def test_many_robots_get_an_invitation_each(shop: LocalBackend, run: Run, tmp_path: Path) -> None:
    """Named, or one a line; what is refused is told, and the exit code says so."""
    file = tmp_path / "arms.csv"
    file.write_text("arm-1\narm-2\n")
    before = epoch_ms()
    code, said, _ = run(shop, "ann", "invite", "--file", file)
    named = run(shop, "ann", "invite", "arm-1", "arm-3", "arm-9", "arm-1", "--ttl", "2d", "--json")
    rows = [line.split() for line in said.splitlines()]
    found = json.loads(named[1])

    assert code == 0
    assert [row[0] for row in rows[:3]] == ["ROBOT", "arm-1", "arm-2"]
    assert rows[-1] == ["2", "done,", "0", "refused"]
    assert named[0] == 1
    assert [each["robotId"] for each in found["done"]] == ["arm-1", "arm-3"]
    assert all(re.fullmatch(r"(\w{4}-){3}\w{4}", each["code"]) for each in found["done"])
    assert all(0 <= each["expiresAt"] - before - 2 * DAY_MS < DAY_MS for each in found["done"])
    assert [(each["robotId"], each["code"]) for each in found["refused"]] == [
        ("arm-9", "forbidden")
    ]


def test_all_keys_of_a_robot_end_in_one_step(shop: LocalBackend, run: Run) -> None:
    """One line for a stolen robot, which may have several."""

    async def enrol() -> None:
        async with shop.connect("ann") as client:
            for _ in range(2):
                await client.request("enroll", robotId="arm-1", publicKey=DeviceKey().jwk)

    asyncio.run(enrol())
    ended = run(shop, "ann", "revoke-key", "arm-1", "--all")
    left = run(shop, "ann", "keys", "arm-1")

    assert ended[:2] == (0, "arm-1 cannot connect with any of its old keys any more")
    assert left[1].startswith("arm-1 has no key")


def test_a_code_that_is_none_is_not_repeated(
    shop: LocalBackend, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    """It may be a good one with a slip in it."""
    with pytest.raises(SystemExit):
        run(shop, "bob", "accept", "ABCD-EFGH-IJKL-MNO1")
    error = capsys.readouterr().err

    assert "a code is 16 of the characters" in error
    assert "MNO1" not in error


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("invite",), "give either ROBOT, one or several, or --file"),
        (("invite", "r1", "--file", "x"), "give either ROBOT, one or several, or --file"),
        (("share", "r1", "bob", "--group", "crew"), "give either USER or --group"),
        (("share", "--group", "crew"), "give ROBOT, or --file"),
        (("revoke-key", "r1", "A" * 43, "--all"), "give either KEY or --all"),
        (("unshare", "--user", "bob", "--group", "crew"), "give either --group or --user"),
        (("share", "r1"), "give ROBOT and USER, or --file"),
        (("share", "r1", "bob", "--file", "x"), "give either ROBOT and USER, or --file"),
        (("unshare", "--all"), "--all goes with --user"),
        (("unshare", "r1", "bob", "--user", "bob"), "or --file or --user"),
    ],
)
def test_arguments_that_do_not_go_together_are_named(
    backend: LocalBackend, run: Run, words: tuple[str, ...], told: str
) -> None:
    """With what to give instead."""
    code, _, error = run(backend, "ann", *words)

    assert code == 1
    assert told in error


def test_a_length_of_time_is_told_in_its_largest_unit() -> None:
    """As it is typed."""
    assert [format_length(each) for each in (1, 90, 5400, 28_800, 604_800)] == [
        *("1s", "90s", "90m", "8h", "7d")
    ]
