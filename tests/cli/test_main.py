"""The command line as a whole: which commands there are, and what each of them imports."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from robosignal.cli.main import COMMANDS, main

VIDEO = {"aiortc", "av"}
SERVER = {"aiohttp"}
TOKENS = {"jose", "cryptography"}


def imported_by(*arguments: str) -> set[str]:
    """Return the top-level modules that a command has imported by its end."""
    program = (
        "import sys; from robosignal.cli.main import main\n"
        "try: main(sys.argv[1:])\n"
        "except SystemExit: pass\n"
        "print(*{name.partition('.')[0] for name in sys.modules})"
    )
    ran = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=True
    )
    return set(ran.stdout.splitlines()[-1].split())


def test_help_imports_no_command() -> None:
    """A list of commands is there at once."""
    assert imported_by("--help") & (VIDEO | SERVER | TOKENS | {"websockets"}) == set()


def test_a_token_needs_neither_video_nor_server(tmp_path: Path) -> None:
    """A script asks for one at each start."""
    found = imported_by("token", "ann", "--state", str(tmp_path))

    assert found >= {"jose"}
    assert found & (VIDEO | SERVER) == set()


def test_the_backend_needs_no_video() -> None:
    """The demo robot has a process of its own."""
    found = imported_by("serve", "--help")

    assert found >= SERVER
    assert found & VIDEO == set()


def test_output_that_nothing_reads_ends_a_command_without_a_word() -> None:
    """As `robosignal robots | head` does."""
    reader, writer = os.pipe()
    os.close(reader)
    ran = subprocess.run(
        [sys.executable, "-m", "robosignal", "cost", "--robots", "1", "--sessions", "1"],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)

    assert (ran.returncode, ran.stderr) == (128 + signal.SIGPIPE, "")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_its_arguments_in_its_help(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """Whether it is the first word or not."""
    with pytest.raises(SystemExit) as ended:
        main([command, "--help"])

    assert ended.value.code == 0
    printed = capsys.readouterr().out
    assert printed.startswith(f"usage: robosignal {command} ")
    assert len(printed.splitlines()) > 5


def test_a_command_that_is_none_is_refused_with_all_there_are(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """In one line."""
    with pytest.raises(SystemExit) as ended:
        main(["server"])

    assert ended.value.code == 2
    last = capsys.readouterr().err.splitlines()[-1]
    assert all(command in last for command in COMMANDS)


def test_a_missing_library_is_named_with_what_to_install() -> None:
    """One sentence, no traceback."""
    program = "import sys; sys.modules['jose'] = None; from robosignal.cli.main import main"
    ran = subprocess.run(
        [sys.executable, "-c", f"{program}; sys.exit(main(['token', 'ann']))"],
        capture_output=True,
        text=True,
        check=False,
    )

    assert ran.returncode == 1
    assert (
        ran.stderr == "robosignal: robosignal token needs jose: pip install 'robosignal[gateway]'\n"
    )
