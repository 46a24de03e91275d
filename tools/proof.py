"""Runs what proves the control lease, and writes its figures into docs/control-proof.md.

`python -m tools.proof`; with ROBOSIGNAL_SOAK=1 all of it, which takes hours. The mutations'
last result comes from `python -m tools.mutate`.
"""

import json
import os
import re
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.mutations.equivalent import EQUIVALENT

PAGE = Path("docs/control-proof.md")
MUTATIONS = Path("docs/control-mutations.json")
TESTS = (
    "tests/core/conditions",
    "tests/explorer",
    "tests/model",
    "tests/history",
    "tests/robot/test_agreement.py",
)
BLOCK = re.compile(r"(?<=<!-- figures -->\n).*(?=<!-- end of figures -->)", re.DOTALL)


class Figures:
    """A pytest plugin that keeps what tests have measured."""

    def __init__(self) -> None:
        self._found: dict[str, list[tuple[str, object]]] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the figures of a test that has passed."""
        if report.when == "call" and report.passed and report.user_properties:
            self._found[report.nodeid] = report.user_properties

    @property
    def found(self) -> list[tuple[str, object]]:
        """Every figure, in an order that does not depend on which test ended first."""
        return [figure for _, figures in sorted(self._found.items()) for figure in figures]


def main() -> int:
    """Run the tests and rewrite the figures; return pytest's exit code."""
    figures = Figures()
    code = pytest.main(["-q", "-p", "no:cacheprovider", "-n", "auto", *TESTS], plugins=[figures])
    if code == 0:
        page = PAGE.read_text()
        told = _told(figures.found)
        PAGE.write_text(BLOCK.sub(lambda _: told, page))
    return int(code)


def _told(figures: list[tuple[str, object]]) -> str:
    amount = "a soak" if os.environ.get("ROBOSIGNAL_SOAK") else "the amount of every `make test`"
    rows = "\n".join(f"| {name} | {value} |" for name, value in figures)
    return (
        f"Measured on {datetime.now(UTC).date()}, {amount}.\n\n"
        f"| what | result |\n| --- | --- |\n{rows}\n\n{_mutations()}"
    )


def _mutations() -> str:
    if not MUTATIONS.exists():
        return "The mutations have not been run.\n"
    found = json.loads(MUTATIONS.read_text())
    killed = found["killed"]
    survivors = [name for name, is_killed in killed.items() if not is_killed]
    head = f"Mutations, run on {found['date']}: {sum(killed.values())} of {len(killed)} killed"
    if not survivors:
        return f"{head}.\n"
    rows = "\n".join(
        f"| `{name}` | {EQUIVALENT.get(name, 'not explained')} |" for name in survivors
    )
    return f"{head}; these survive:\n\n| mutant | why no test can notice |\n| --- | --- |\n{rows}\n"


if __name__ == "__main__":
    sys.exit(main())
