"""docs/howto/test-your-own-code.md: its project passes unchanged; it names all there is."""

import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest

from robosignal.testing import LocalBackend
from tests.docs.pages import blocks, page, prose

PAGE = page("docs/howto/test-your-own-code.md")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """The page's project; Playwright's page is left out, which needs a browser and an app."""
    conftest, robot, _, fixture = blocks(PAGE, "python")
    (tmp_path / "conftest.py").write_text(conftest)
    (tmp_path / "test_robot.py").write_text(robot)
    uses = "\n\ndef test_it_is_there(provisioned_backend):\n    assert provisioned_backend.url\n"
    (tmp_path / "test_fixture.py").write_text(fixture + uses)
    return tmp_path


def test_the_pages_tests_pass(project: Path) -> None:
    """In a project of their own, with warnings as errors."""
    # Unset, this option of pytest-asyncio is a warning of its own.
    scope = "asyncio_default_fixture_loop_scope=function"
    options = ["-q", "-p", "no:cacheprovider", "-W", "error", "-o", scope]
    command = [sys.executable, "-m", "pytest", *options]
    ran = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)

    assert ran.returncode == 0, ran.stdout
    assert "3 passed" in ran.stdout


def test_the_page_has_every_argument() -> None:
    """Neither one more nor one fewer."""
    rows = re.findall(r"^\| (`.*?`) \|", prose(PAGE), re.MULTILINE)
    told = {name for row in rows for name in re.findall(r"`(\w+)`", row)}

    assert told == set(inspect.signature(LocalBackend).parameters)
