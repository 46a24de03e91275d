"""`python -m benchmarks`: takes every figure, prints them, and writes them into their page.

With names, only those; with `--small`, very little of each. Then nothing is written.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from benchmarks import calls, gateway, handler, imports, latency, page, strangers
from benchmarks.scale import FULL, SMALL, Scale
from benchmarks.tables import Table, describe_machine, format_markdown

BENCHES: dict[str, Callable[[Scale], Table]] = {
    "handler": handler.compare,
    "imports": imports.measure,
    "gateway": gateway.compare,
    "latency": latency.measure,
    "strangers": strangers.compare,
    "calls": lambda _: calls.count(),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks that are asked for; return the exit code."""
    asked = _parse(arguments)
    # The load is read before anything here adds to it.
    where = describe_machine()
    _print(f"{where}\n")
    tables = []
    for name in asked.names or BENCHES:
        table = BENCHES[name](SMALL if asked.small else FULL)
        _print(format_markdown(table))
        tables.append(table)
    if not asked.names and not asked.small:
        page.write(page.render(tables, where, datetime.now(UTC).date()))
    return 0


def _parse(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(BENCHES)}")
    parser.add_argument("--small", action="store_true", help="very little of each, as a check")
    asked = parser.parse_args(arguments)
    # With `choices`, argparse would refuse no names at all.
    if unknown := set(asked.names) - set(BENCHES):
        parser.error(f"there is no {', '.join(sorted(unknown))}; there is {', '.join(BENCHES)}")
    return asked


def _print(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
