"""The wheel that the tests of this folder install, built once."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.packaging.environment import ROOT


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel that the project builds."""
    path = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--no-deps", "--no-build-isolation", "-w", path, ROOT], check=True)
    (built,) = path.glob("*.whl")
    return built
