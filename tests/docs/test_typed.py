"""The tutorial and the how-tos for one machine, typed line by line as they are printed.

A page's lines run in one shell, in its order, at a real server; a robot runs in a terminal of its
own, which begins with the same `export` lines. Port and state are a test's own. What a page cannot
know is put in: a code is the one that was printed last, and a fingerprint that a page shows as
output is the one in the same place of what its commands have printed.
"""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, page, typed_and_shown
from tests.e2e.processes import Process

ADDRESS = "127.0.0.1:8080"
ACTIVATE = ". .venv/bin/activate"
NO_LINE = 3
"""How `robosignal history` ends if there is none."""

CODE = re.compile(r"\b[A-Z2-7]{4}(?:-[A-Z2-7]{4}){3}\b")
FINGERPRINT = re.compile(r"\b[0-9a-f]{4}(?::[0-9a-f]{4}){4}\b")
KEY_ID = re.compile(r"(?<![\w-])[\w-]{43}(?![\w-])")
TIME = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4}")

BEGINS_A_TERMINAL = re.compile(r"(\.|export) ")
RUNS_A_ROBOT = re.compile(r"robosignal robot (?!enroll)")
ROBOT_ID = re.compile(r"rover-\d+")

ALICE = "export ROBOSIGNAL_TOKEN=$(.venv/bin/robosignal token alice)"
ROVER_1 = f".venv/bin/robosignal robot --robot-id rover-1 --url ws://{ADDRESS}/prod"
AFTER_THE_TUTORIAL = (ALICE, ROVER_1)

Robots = dict[str, tuple[str, bool, int]]
"""Each robot's owner, whether it is online, and how many keys it has."""


class Desk:
    """A directory with the program and a server's state, and a shell in it."""

    def __init__(self, directory: Path) -> None:
        """Start the server and the shell."""
        self._directory = directory
        self._make_program()
        state = str(directory / ".robosignal")
        self._server = Process("serve", "--port", "0", "--state", state)
        found = self._server.wait_for(r"connect to ws://(\S+)/prod")
        self._address = found[1]
        self._began: list[str] = []
        self._said = self._code = ""
        self._fingerprints: dict[str, str] = {}
        self.robots: dict[str, Process] = {}
        self._shell = subprocess.Popen(
            ["/bin/sh"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=directory,
        )

    def _make_program(self) -> None:
        """Write what `make run` has put into `.venv/bin`, for this clone and this Python."""
        programs = self._directory / ".venv" / "bin"
        programs.mkdir(parents=True)
        program = programs / "robosignal"
        python = shlex.quote(sys.executable)
        path = f"PYTHONPATH={shlex.quote(str(ROOT))}"
        program.write_text(f'#!/bin/sh\n{path} exec {python} -m robosignal "$@"\n')
        program.chmod(0o755)
        (programs / "activate").write_text(f"PATH={shlex.quote(str(programs))}:$PATH\n")

    def follow(self, text: str) -> None:
        """Type a page's lines; fail at one that does not do what it should."""
        for kind, body in typed_and_shown(text):
            if kind == "text":
                self._compare(body)
                continue
            self._said = ""
            for line in body.splitlines():
                self.type(line)

    def type(self, line: str) -> None:
        """Type a line, and wait for its end, or for a robot to be online."""
        if line == "make run":
            return
        if BEGINS_A_TERMINAL.match(line):
            self._began.append(line)
        line = self._put_in(line)
        if RUNS_A_ROBOT.search(line):
            self._run_robot(line)
            return
        code, said = self._run(line)
        self._said += said
        expected = (0, NO_LINE) if "robosignal history" in line else (0,)
        assert code in expected, f"{line}\n{said}"
        if made := CODE.search(said):
            self._code = made[0]

    def _put_in(self, line: str) -> str:
        line = line.replace(ADDRESS, self._address)
        line = FINGERPRINT.sub(lambda found: self._fingerprints[found[0]], line)
        return CODE.sub(lambda _: self._code, line)

    def _run(self, line: str) -> tuple[int, str]:
        keyboard, screen = self._shell.stdin, self._shell.stdout
        assert keyboard is not None
        assert screen is not None
        keyboard.write(f"{{ {line}\n}} </dev/null\necho; echo --- $?\n")
        keyboard.flush()
        said = ""
        while not (ended := re.search(r"\n--- (\d+)\n$", said)):
            read = screen.readline()
            assert read, f"the shell has ended at {line}:\n{said}"
            said += read
        return int(ended[1]), said[: ended.start()]

    def _run_robot(self, line: str) -> None:
        (robot_id,) = set(ROBOT_ID.findall(line))
        if before := self.robots.get(robot_id):
            assert before.stop() == 0
        typed = [f"cd {shlex.quote(str(self._directory))}", *self._began, f"exec {line}"]
        typed = [each.replace(ADDRESS, self._address) for each in typed]
        self.robots[robot_id] = Process("\n".join(typed), program=("/bin/sh", "-ec"))
        self.robots[robot_id].wait_for(f"{robot_id}: online")

    def _compare(self, shown: str) -> None:
        """Compare what a page shows with what was printed, if that has a code or a fingerprint."""
        if not CODE.search(shown) and not FINGERPRINT.search(shown):
            return
        assert plain(shown.replace(ADDRESS, self._address)) == plain(self._said)
        pairs = zip(FINGERPRINT.findall(shown), FINGERPRINT.findall(self._said), strict=True)
        self._fingerprints |= dict(pairs)

    def list_robots(self) -> Robots:
        """Return every robot, as an admin sees it."""
        admin = '"$(.venv/bin/robosignal token admin --group ADMINS)"'
        url = f"ws://{self._address}/prod"
        code, said = self._run(
            f".venv/bin/robosignal robots --all --json --url {url} --token {admin}"
        )
        assert code == 0, said
        return {
            each["robotId"]: (
                each["owner"]["userId"],
                each["online"],
                each.get("keys", {}).get("count", 0),
            )
            for each in json.loads(said)["robots"]
        }

    def close(self) -> None:
        """End all that was started."""
        for each in self.robots.values():
            each.stop()
        assert self._shell.stdin is not None
        self._shell.stdin.close()
        self._shell.wait()
        assert self._shell.stdout is not None
        self._shell.stdout.close()
        self._server.stop()


def plain(said: str) -> list[list[str]]:
    """Return the words of each line, without those that differ each time."""
    for pattern, word in ((CODE, "C"), (FINGERPRINT, "F"), (KEY_ID, "K"), (TIME, "T")):
        said = pattern.sub(word, said)
    return [line.split() for line in said.splitlines() if line.strip()]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A server's machine, on which nothing was typed yet."""
    made = Desk(tmp_path)
    yield made
    made.close()


PAGES: dict[str, tuple[tuple[str, ...], Robots]] = {
    "docs/tutorial/first-robot.md": ((), {"rover-1": ("alice", True, 0)}),
    "docs/howto/fleet.md": (
        (),
        {"rover-4": ("carol", False, 1), "rover-7": ("alice", False, 1)},
    ),
    "docs/howto/enroll.md": (
        (),
        {
            "rover-1": ("alice", False, 0),
            "rover-17": ("alice", False, 1),
            "rover-2": ("alice", True, 1),
        },
    ),
    "docs/howto/share.md": (AFTER_THE_TUTORIAL, {"rover-1": ("alice", True, 0)}),
    "docs/howto/history.md": ((), {}),
}
"""What was typed before a page, and which robots there are after it."""


@pytest.mark.parametrize("name", PAGES)
def test_every_line_of_a_page_works_as_printed(name: str, desk: Desk) -> None:
    """Typed in its order, each ends well, and the robots are as the page says."""
    before, after = PAGES[name]
    for line in before:
        desk.type(line)
    desk.follow(page(name))

    assert desk.list_robots() == after
