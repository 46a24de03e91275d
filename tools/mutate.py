"""Runs the tests on every mutation of the rules, and tells which of them no test notices.

`python -m tools.mutate` takes some minutes; with words, only the mutants whose names have one.
Each mutant lives in a process of its own, forked from this one, which has imported everything.
"""

import json
import os
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from math import inf
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings

from tests.mutations.equivalent import EQUIVALENT
from tests.mutations.mutants import Mutant, mutants

PAIRS = "tests/explorer/test_pairs.py::"
TESTS = (
    "tests/server/core/conditions/test_conditions.py::test_a_condition_holds_or_refuses",
    "tests/server/core/test_authorization.py",
    "tests/explorer/test_found.py",
    PAIRS + "test_a_connection_is_not_robot_and_client_at_once",
    PAIRS + "test_who_loses_the_right_gets_nothing_more",
    PAIRS + "test_a_viewer_who_moves_is_not_taken_back",
    PAIRS + "test_no_schedule_of_two_breaks_a_rule[watched-False]",
    PAIRS + "test_no_schedule_of_two_breaks_a_rule[resumed viewer-False]",
    PAIRS + "test_no_schedule_of_two_breaks_a_rule[lapsed-False]",
    PAIRS + "test_no_schedule_of_two_breaks_a_rule[in grace-False]",
    "tests/explorer/test_keys.py::test_no_schedule_of_two_with_keys_breaks_a_rule",
    "tests/explorer/test_more.py::test_no_drawn_schedule_breaks_a_rule",
    "tests/scenarios",
    "tests/model",
)
"""What a mutant meets; none of it looks at how a write is rendered."""

OPTIONS = [
    *("-x", "-q", "-p", "no:cacheprovider"),
    # The second store would show the same, later.
    *("-k", "not dynamodb"),
    "--hypothesis-profile=mutant",
    # What is imported before the fork cannot be rewritten, and need not be.
    "-Wignore::pytest.PytestAssertRewriteWarning",
    "--timeout=0",
]
# A failure is enough; a smaller one would not be read.
PROFILE = settings(
    phases=[Phase.generate], database=None, deadline=None, suppress_health_check=list(HealthCheck)
)

LONGEST = 3
"""How many times as long as without a mutation the tests may take; then the mutant is killed."""

AT_ONCE = 2
RESULTS = Path("tools/control-mutations.json")


def main(words: list[str]) -> int:
    """Run the mutants; return 1 if one survives without an explanation."""
    settings.register_profile("mutant", PROFILE)
    since = time.monotonic()
    if dict(_outcomes([Mutant("nothing", "the rules as they are", lambda: None)]))["nothing"]:
        _say("the tests fail without any mutation: fix that first")
        return 1
    longest = LONGEST * (time.monotonic() - since)
    chosen = [each for each in mutants() if not words or any(word in each.name for word in words)]
    killed = dict(_outcomes(chosen, longest))
    survivors = [each for each in chosen if not killed[each.name]]
    for each in survivors:
        _say(f"survived: {each.name}: {each.what}: {EQUIVALENT.get(each.name, 'NOT EXPLAINED')}")
    unexplained = [each.name for each in survivors if each.name not in EQUIVALENT]
    _say(
        f"mutations: {sum(killed.values())} of {len(killed)} killed, "
        f"{len(survivors) - len(unexplained)} survivors explained, {len(unexplained)} not"
    )
    _keep(killed)
    return int(bool(unexplained))


def _outcomes(chosen: list[Mutant], longest: float = inf) -> Iterator[tuple[str, bool]]:
    """Yield each mutant's name and whether a test noticed it, as they end.

    `longest` is how long the tests of one may take, in seconds.
    """
    waiting, living = list(reversed(chosen)), dict[int, tuple[Mutant, float]]()
    while waiting or living:
        while waiting and len(living) < AT_ONCE:
            mutant = waiting.pop()
            living[_run_mutant(mutant)] = (mutant, time.monotonic())
        for child, (mutant, since) in list(living.items()):
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                del living[child]
                killed = os.waitstatus_to_exitcode(status) != 0
                took = f"{time.monotonic() - since:.0f} s"
                _say(f"{'killed  ' if killed else 'survived'} {mutant.name} ({took})")
                yield mutant.name, killed
            elif time.monotonic() - since > longest:
                os.kill(child, signal.SIGKILL)
        time.sleep(0.05)


def _run_mutant(mutant: Mutant) -> int:
    child = os.fork()
    if child:
        return child
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = scratch
        mutant.apply()
        _forget_tests()
        code = pytest.main([*OPTIONS, *TESTS])
    os._exit(int(code))


def _forget_tests() -> None:
    """Have tests imported again: some have read the rules before the mutation."""
    for name in [each for each in sys.modules if each.startswith("tests.")]:
        del sys.modules[name]


def _keep(killed: dict[str, bool]) -> None:
    """Write each mutant's last result down; of one that was not run now, the one of before."""
    before = json.loads(RESULTS.read_text())["killed"] if RESULTS.exists() else {}
    last = {each.name: killed.get(each.name, before.get(each.name)) for each in mutants()}
    known = {name: result for name, result in last.items() if result is not None}
    told = {"date": datetime.now(UTC).date().isoformat(), "killed": known}
    RESULTS.write_text(json.dumps(told, indent=1) + "\n")


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
