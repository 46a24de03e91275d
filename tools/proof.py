"""Runs what proves the control lease, and writes its figures into the page of its proof.

`python -m tools.proof`, or with the paths of some of the tests; with ROBOSIGNAL_SOAK=1 all that
they have, which takes the better part of an hour. Each test's last figures are kept beside this
file; the mutations' last result comes from `python -m tools.mutate`.
"""

import json
import os
import re
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.mutations.equivalent import EQUIVALENT

PAGE = Path("docs/explanation/control-proof.md")
FIGURES = Path("tools/control-figures.json")
MUTATIONS = Path("tools/control-mutations.json")
TESTS = (
    "tests/server/core/conditions",
    "tests/explorer",
    "tests/model",
    "tests/history",
    "tests/robot/test_agreement.py",
)
BLOCK = re.compile(r"(?<=<!-- figures -->\n).*(?=<!-- end of figures -->)", re.DOTALL)
AMOUNT = "soak" if os.environ.get("ROBOSIGNAL_SOAK") else "commit"


class Figures:
    """A pytest plugin that keeps what tests have measured."""

    def __init__(self) -> None:
        self.found: dict[str, Any] = {}
        """By each test's id: when, how much, and its figures."""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Keep the figures of a test that has passed."""
        if report.when == "call" and report.passed and report.user_properties:
            self.found[report.nodeid] = {
                "date": datetime.now(UTC).date().isoformat(),
                "amount": AMOUNT,
                "figures": report.user_properties,
            }


def main(words: list[str]) -> int:
    """Run the tests and rewrite the figures; return pytest's exit code."""
    figures = Figures()
    # Some take longer at length than any test may in `make test`.
    options = ("-q", "-p", "no:cacheprovider", "-n", "auto", "--timeout=0")
    code = pytest.main([*options, *(words or TESTS)], plugins=[figures])
    if code == 0:
        kept = json.loads(FIGURES.read_text()) if words and FIGURES.exists() else {}
        last = dict(sorted((kept | figures.found).items()))
        FIGURES.write_text(json.dumps(last, indent=1) + "\n")
        page = PAGE.read_text()
        text = _render(last)
        PAGE.write_text(BLOCK.sub(lambda _: text, page))
    return int(code)


def _render(last: dict[str, Any]) -> str:
    rows = "\n".join(
        f"| {name} | {value} | {each['amount']}, {each['date']} |"
        for each in last.values()
        for name, value in each["figures"]
    )
    return (
        '"Commit" is the amount of every `make test`, "soak" that of `make soak`.\n\n'
        f"| what | result | how much, when |\n| --- | --- | --- |\n{rows}\n\n{_mutations()}"
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
    sys.exit(main(sys.argv[1:]))
