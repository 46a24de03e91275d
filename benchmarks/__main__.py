"""`python -m benchmarks`: takes every figure, prints them, and writes them into their page.

With names, only those; with `--small`, next to nothing of each. Then nothing is written.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from benchmarks import calls, gateway, handler, imports, latency, page, strangers
from benchmarks.amount import FULL, SMALL, Amount
from benchmarks.tables import Table, machine, markdown

BENCHES: dict[str, Callable[[Amount], Table]] = {
    "handler": handler.compared,
    "imports": imports.imported,
    "gateway": gateway.compared,
    "latency": latency.timed,
    "strangers": strangers.compared,
    "calls": lambda _: calls.counted(),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks that are asked for; return the exit code."""
    asked = _asked(arguments)
    # The load is read before anything here adds to it.
    where = machine()
    _say(f"{where}\n")
    tables = []
    for name in asked.names or BENCHES:
        table = BENCHES[name](SMALL if asked.small else FULL)
        _say(markdown(table))
        tables.append(table)
    if not asked.names and not asked.small:
        page.write(page.told(tables, where, datetime.now(UTC).date()))
    return 0


def _asked(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHES)}")
    parser.add_argument("--small", action="store_true", help="next to nothing of each, for a try")
    asked = parser.parse_args(arguments)
    # With `choices`, argparse would refuse no names at all.
    if unknown := set(asked.names) - set(BENCHES):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there is {', '.join(BENCHES)}")
    return asked


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
