"""A virtual environment that has the built wheel, as users install it."""

import os
import re
import subprocess
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


class Environment:
    """A virtual environment with the wheel and one of its extras."""

    def __init__(self, path: Path, wheel: Path, extra: str) -> None:
        self.python = path / "bin" / "python"
        venv.create(path, with_pip=True)
        constraints = path / "constraints.txt"
        locked = (ROOT / "requirements-run.txt").read_text()
        pins = re.findall(r"^([\w.-]+==[^\\\n]+)", locked, re.MULTILINE)
        constraints.write_text("\n".join(pins))
        package = f"robosignal[{extra}] @ {wheel.as_uri()}" if extra else str(wheel)
        pip = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
        done = subprocess.run(
            [str(self.python), *pip, "--constraint", str(constraints), package],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode != 0 and "CI" not in os.environ:
            pytest.skip(f"pip cannot install what the wheel needs: {done.stderr[-200:]}")
        assert done.returncode == 0, done.stderr

    @property
    def command(self) -> Path:
        """The installed command `robosignal`."""
        return self.python.with_name("robosignal")

    @property
    def variables(self) -> dict[str, str]:
        """This process's environment without the clone's path."""
        return {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run its Python, away from the clone and its packages."""
        return subprocess.run(
            [self.python, *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.python.parent,
            env=self.variables,
        )

    def evaluate(self, code: str) -> str:
        """Return what a program prints."""
        done = self.run("-c", code)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()
