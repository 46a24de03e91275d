"""The robot's key file on a real disk: what it keeps, whom it refuses, and what a crash leaves."""

import json
import signal
import stat
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from robosignal.protocol.ids import RobotId
from robosignal.robot.key.file import KeyFile, KeyFileRefused, default_path

URL = "wss://robots.example/prod"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where there is no key file yet, nor its directory."""
    return tmp_path / "keys" / "robot.json"


def same(one: KeyFile, other: KeyFile) -> bool:
    """Say whether two say the same."""
    kids = [(each.key.kid, each.next_key and each.next_key.kid) for each in (one, other)]
    rest = [(each.url, each.robot_id, each.created_at) for each in (one, other)]
    return kids[0] == kids[1] and rest[0] == rest[1]


def test_a_new_file_and_its_directory_are_the_robots_alone(path: Path) -> None:
    """No other user reads the key, and what was read is what was made."""
    made = KeyFile.create(path, URL, now=1000)

    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert same(KeyFile.load(path), made)
    assert list(path.parent.iterdir()) == [path]


def test_each_change_is_kept(path: Path) -> None:
    """The robot's id, the next key, and then that key alone."""
    file = KeyFile.create(path, URL, now=1000).note_enrolment(RobotId("r1"))
    prepared = file.prepare_next()
    assert prepared.next_key is not None
    assert same(KeyFile.load(path), prepared)
    assert prepared.prepare_next() is prepared

    adopted = prepared.adopt_next(now=2000)

    assert same(KeyFile.load(path), adopted)
    assert (adopted.key.kid, adopted.next_key) == (prepared.next_key.kid, None)
    assert (adopted.created_at, adopted.robot_id) == (2000, "r1")
    assert adopted.adopt_next(now=3000) is adopted
    assert list(path.parent.iterdir()) == [path]


def test_a_file_that_is_there_is_never_replaced_by_a_new_key(path: Path) -> None:
    """Two processes that make it at once have one key."""
    first = KeyFile.create(path, URL)

    assert same(KeyFile.create(path, "wss://elsewhere.example/prod"), first)


def test_no_file_is_another_matter_than_a_bad_one(path: Path) -> None:
    """The caller can make one."""
    with pytest.raises(FileNotFoundError):
        KeyFile.load(path)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660])
def test_a_file_that_others_may_read_is_refused_with_the_remedy(path: Path, mode: int) -> None:
    """The text is one line that can be copied."""
    KeyFile.create(path, URL)
    path.chmod(mode)

    with pytest.raises(KeyFileRefused, match=f"can be read by other users: chmod 600 {path}$"):
        KeyFile.load(path)


def test_a_directory_in_which_others_could_replace_it_is_refused(path: Path) -> None:
    """But not one where each may replace only what is their own, such as /tmp."""
    KeyFile.create(path, URL)
    path.parent.chmod(0o777)
    with pytest.raises(KeyFileRefused, match=f"others may write to: chmod go-w {path.parent}$"):
        KeyFile.load(path)

    path.parent.chmod(0o1777)
    assert KeyFile.load(path).url == URL


def _changed(**fields: object) -> Callable[[str], str]:
    return lambda text: json.dumps(json.loads(text) | fields)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (lambda _: "", "is no key file of a robot"),
        (lambda text: text[:40], "is no key file of a robot"),
        (lambda _: "-----BEGIN PRIVATE KEY-----", "is no key file of a robot"),
        (lambda _: "[1]", "is no key file of a robot"),
        (_changed(secret="AAAA"), "is no key file of a robot"),
        (_changed(secret="A" * 43), "is no key file of a robot"),
        (_changed(secret=7), "is no key file of a robot"),
        (_changed(robotId="no id"), "is no key file of a robot"),
        (_changed(more=1), "is no key file of a robot"),
        (_changed(kid="x"), "is damaged"),
        (_changed(version=2), "was written by a newer robosignal, as version 2"),
    ],
)
def test_a_foreign_file_is_refused_and_left_as_it_is(
    path: Path, change: Callable[[str], str], problem: str
) -> None:
    """The text says what to do, and never quotes what is in the file."""
    KeyFile.create(path, URL)
    text = path.read_text()
    secret = json.loads(text)["secret"]
    path.write_text(change(text))

    with pytest.raises(KeyFileRefused, match=problem) as refused:
        KeyFile.load(path)
    with pytest.raises(KeyFileRefused, match=problem):
        KeyFile.create(path, URL)

    assert secret not in str(refused.value)
    assert refused.value.__cause__ is None
    assert path.read_text() == change(text)


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    """A directory, and a name below a file."""
    (tmp_path / "file").write_text("")

    for path in (tmp_path, tmp_path / "file" / "robot.json"):
        with pytest.raises(KeyFileRefused, match="cannot be used"):
            KeyFile.load(path)


def test_the_key_is_in_no_text_of_the_object(path: Path) -> None:
    """Logs and tracebacks show objects."""
    file = KeyFile.create(path, URL)

    assert json.loads(path.read_text())["secret"] not in repr(file)
    assert repr(int.from_bytes(file.key.secret)) not in repr(file)


def test_the_default_is_where_other_programs_settings_are() -> None:
    """Each of the variables comes before the next."""
    home = Path.home() / ".config" / "robosignal" / "robot.json"

    assert default_path({}) == home
    assert default_path({"XDG_CONFIG_HOME": "/x"}) == Path("/x/robosignal/robot.json")
    assert default_path({"XDG_CONFIG_HOME": "/x", "ROBOSIGNAL_ROBOT_FILE": "/k"}) == Path("/k")


KILLED = """
import os, signal, sys
from pathlib import Path
from robosignal.robot.key.file import KeyFile

path, call, number = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
count = 0
def killed_before(real):
    def run(*args, **kwargs):
        global count
        count += 1
        if count == number:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **kwargs)
    return run
os.open, os.fsync = killed_before(os.open), killed_before(os.fsync)
os.rename, os.link = killed_before(os.rename), killed_before(os.link)
os.unlink, os.close = killed_before(os.unlink), killed_before(os.close)
if call == "create":
    KeyFile.create(path, "wss://robots.example/prod")
else:
    file = KeyFile.load(path)
    {"prepare": file.prepare_next, "adopt": lambda: file.adopt_next(5)}[call]()
"""


@pytest.mark.parametrize("call", ["create", "prepare", "adopt"])
def test_a_process_that_is_killed_leaves_the_file_as_before_or_as_after(
    path: Path, call: str, record_property: Callable[[str, object], None]
) -> None:
    """SIGKILL before each of its system calls in turn, until one run ends by itself."""
    before: KeyFile | None = None
    if call != "create":
        before = KeyFile.create(path, URL, now=1)
    if call == "adopt" and before is not None:
        before = before.prepare_next()
    text = path.read_text() if before else None
    outcomes: list[str] = []
    while True:
        if text is None:
            path.unlink(missing_ok=True)
        else:
            path.write_text(text)
        arguments = [str(path), call, str(len(outcomes) + 1)]
        done = subprocess.run([sys.executable, "-c", KILLED, *arguments], check=False)
        if done.returncode == 0:
            break
        assert done.returncode == -signal.SIGKILL
        outcomes.append(_outcome(path, before))
    record_property("figure", f"{call}: killed at {len(outcomes)} points: {outcomes}")

    assert len(outcomes) >= 4
    assert outcomes == sorted(outcomes, key=["before", "after"].index)
    assert _outcome(path, before) == "after"


def _outcome(path: Path, before: KeyFile | None) -> str:
    """Say whether the file is as before or as after; any other state fails to load."""
    try:
        file = KeyFile.load(path)
    except FileNotFoundError:
        assert before is None
        return "before"
    return "before" if before is not None and same(file, before) else "after"
