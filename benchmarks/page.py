"""Writes the last figures into the page of benchmarks. Knows where; never what they mean."""

import re
from collections.abc import Iterable
from datetime import date
from pathlib import Path

from benchmarks.places import ROOT
from benchmarks.tables import Table, markdown

PAGE = ROOT / "docs" / "explanation" / "benchmarks.md"
BLOCK = re.compile(r"(?<=<!-- figures -->\n).*(?=<!-- end of figures -->)", re.DOTALL)


def told(tables: Iterable[Table], where: str, day: date) -> str:
    """Return what stands between the marks."""
    return "\n".join([f"Measured on {day}: {where}.\n", *map(markdown, tables)])


def write(figures: str, page: Path = PAGE) -> None:
    """Put figures in place of those before them. Raise ValueError if the page has no marks."""
    before = page.read_text(encoding="utf-8")
    if not BLOCK.search(before):
        raise ValueError(f"{page} has no marks between which figures could stand")
    page.write_text(BLOCK.sub(lambda _: figures, before), encoding="utf-8")
