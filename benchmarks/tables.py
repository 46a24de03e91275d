"""Figures as tables: how many rounds, minimum, median and spread, and on which machine."""

import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from statistics import median, quantiles

HEAD = ("what", "unit", "rounds", "min", "median", "spread (IQR)")
LIBRARIES = ("boto3", "aiohttp", "websockets", "msgspec")
RATIO = "ratio"
MICROSECONDS = "µs"
MILLISECONDS = "ms"

_CPUS = Path("/proc/cpuinfo")


@dataclass(frozen=True, slots=True)
class Figure:
    """One thing that was measured in several rounds."""

    what: str
    unit: str
    values: tuple[float, ...]

    def cells(self) -> tuple[str, ...]:
        """Return the figure's row under HEAD."""
        shown = (min(self.values), median(self.values), spread(self.values))
        return (
            self.what,
            self.unit,
            str(len(self.values)),
            *(_number(each, self.unit) for each in shown),
        )


@dataclass(frozen=True, slots=True)
class Table:
    """A title, a head and rows of text."""

    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""
    """A sentence below the table."""


def tabulate(title: str, figures: Iterable[Figure]) -> Table:
    """Return the table of these figures."""
    return Table(title, HEAD, tuple(figure.cells() for figure in figures))


def ratio(what: str, above: Sequence[float], below: Sequence[float]) -> Figure:
    """Return the figure of two others' ratio, round by round."""
    return Figure(what, RATIO, tuple(a / b for a, b in zip(above, below, strict=True)))


def spread(values: Sequence[float]) -> float:
    """Return the interquartile range; 0 for a single value, which has none."""
    if len(values) == 1:
        return 0.0
    first, _, third = quantiles(values, n=4, method="inclusive")
    return third - first


def format_markdown(table: Table) -> str:
    """Return a table that people can read as text as well."""
    lines = [table.head, *table.rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    rule = tuple("-" * width for width in widths)
    body = "\n".join(_row(line, widths) for line in (table.head, rule, *table.rows))
    note = f"\n{table.note}\n" if table.note else ""
    return f"### {table.title}\n\n{body}\n{note}"


def _row(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return f"| {' | '.join(padded)} |"


def _number(value: float, unit: str) -> str:
    if unit == RATIO:
        return f"{value:.3f}"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}"  # noqa: PLR2004 - three digits do


def describe_machine() -> str:
    """Return what figures depend on: cores, system, versions, and the current load."""
    parts = [
        f"{os.cpu_count()} cores",
        *_processor(),
        f"{platform.system()} on {platform.machine()}",
        f"{platform.python_implementation()} {platform.python_version()}",
        *(f"{library} {version(library)}" for library in LIBRARIES),
        f"a load average of {os.getloadavg()[0]:.1f} as it began",
    ]
    return ", ".join(parts)


def _processor() -> list[str]:
    if not _CPUS.exists():
        return []
    lines = _CPUS.read_text(encoding="utf-8").splitlines()
    return [line.partition(":")[2].strip() for line in lines if line.startswith("model name")][:1]
