"""The application as CDK's command line runs it: a process, a context, a directory."""

import json
import os
import re
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from tests.stacks.synthesis import CONTEXT, ROOT

KEPT = ("PATH", "HOME", "JSII_NODE")


def synthesise(place: Path, **settings: Any) -> subprocess.CompletedProcess[str]:
    """Run the application as CDK does, without this user's account."""
    environment = {name: os.environ[name] for name in KEPT if name in os.environ}
    environment |= {
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "CDK_OUTDIR": str(place / "out"),
        "CDK_CONTEXT_JSON": json.dumps(CONTEXT | settings),
    }
    return subprocess.run(
        [sys.executable, "app.py"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def contents(place: Path) -> dict[str, str]:
    """Return a digest of every file that is deployed, by its name."""
    out = place / "out"
    deployed = [*out.glob("asset.*/**/*"), *out.glob("*.template.json"), *out.glob("*.assets.json")]
    return {
        str(path.relative_to(out)): sha256(path.read_bytes()).hexdigest()
        for path in deployed
        if path.is_file()
    }


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """Where production was synthesised, and what was said meanwhile."""
    place = tmp_path_factory.mktemp("first")
    ran = synthesise(place, STAGE="prod")
    assert ran.returncode == 0, ran.stderr
    return place, ran.stderr


def test_two_runs_deploy_the_same_bytes(first: tuple[Path, str], tmp_path: Path) -> None:
    """Without credentials; so a deployment of the same sources changes nothing."""
    again = synthesise(tmp_path, STAGE="prod")

    assert again.returncode == 0, again.stderr
    assert contents(first[0]) == contents(tmp_path)


def test_what_is_deployed_is_the_handler(first: tuple[Path, str]) -> None:
    """The package and its libraries, in one asset."""
    names = {name.partition("/")[2] for name in contents(first[0])}

    assert {"signaling/handler.py", "msgspec/__init__.py", "jose/jwk.py"} <= names


def test_the_size_of_the_functions_code_is_told(first: tuple[Path, str]) -> None:
    """A new library shows what it weighs."""
    told = r"^function's code: \d+ files, [\d.]+ MB, [\d.]+ MB as an archive$"

    assert re.search(told, first[1], re.MULTILINE)


def test_a_bad_context_ends_in_a_sentence(tmp_path: Path) -> None:
    """Not in a traceback, and not in a stack."""
    ran = synthesise(tmp_path, memory="1024")

    assert ran.returncode == 1
    assert ran.stderr.startswith("robosignal: these settings cannot be used")
    assert "Traceback" not in ran.stderr
    assert not list((tmp_path / "out").glob("*.template.json"))
