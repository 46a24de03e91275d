"""Runs what is tested in JavaScript itself: its types, and its own tests under node's runner."""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

HERE = Path(__file__).parent
NODE_BIN = Path(sys.executable).parent
MODULES = HERE / "node_modules"
TSC = MODULES / "typescript" / "bin" / "tsc"
FILES = sorted(HERE.glob("*.test.js"))


def run(
    *command: str, cwd: Path = HERE, environment: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a command of the virtual environment's node, with what it prints kept."""
    path = f"{NODE_BIN}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        [str(NODE_BIN / command[0]), *command[1:]],
        cwd=cwd,
        env={**os.environ, **(environment or {}), "PATH": path, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def require_node() -> None:
    """Skip without node, or fail when CI=true."""
    if not (NODE_BIN / "node").exists():
        missing = "no node in the virtual environment. Install it: make setup"
        if os.environ.get("CI") == "true":
            pytest.fail(missing)
        pytest.skip(missing)


def require_package(name: str) -> None:
    """Fail unless one of node's packages is where `make setup` installs it."""
    if not (MODULES / name).exists():
        pytest.fail(f"node's package {name} is missing. Install it: make setup")


def test_the_javascript_tests_pass() -> None:
    """Node's own runner finds no failure, and it found the tests."""
    require_node()
    done = run("node", "--test", "--test-reporter=tap", *(file.name for file in FILES))
    summary = [line for line in done.stdout.splitlines() if line.startswith("# ")]
    counts = dict(line[2:].split(" ", 1) for line in summary if line[2:].split(" ")[-1].isdigit())
    print("\n".join(summary))  # noqa: T201 - shown by pytest when this fails, or with -s

    assert done.returncode == 0, done.stdout + done.stderr
    assert int(counts["pass"]) > len(FILES)
    assert counts["fail"] == "0"


def test_the_types_of_the_console_and_its_client_hold() -> None:
    """`tsc --checkJs --strict` has nothing to say."""
    require_node()
    require_package("typescript")
    done = run("node", str(TSC), "--project", "tsconfig.json")

    assert (done.returncode, done.stdout) == (0, "")
