"""Writes the figures into the page of benchmarks."""

import re
from collections.abc import Iterable
from datetime import date
from pathlib import Path

from benchmarks.environment import ROOT
from benchmarks.tables import Table, format_markdown

PAGE = ROOT / "docs" / "explanation" / "benchmarks.md"
BLOCK = re.compile(r"(?<=<!-- figures -->\n).*(?=<!-- end of figures -->)", re.DOTALL)


def render(tables: Iterable[Table], where: str, day: date) -> str:
    """Return the text between the page's marks."""
    return "\n".join([f"Measured on {day}: {where}.\n", *map(format_markdown, tables)])


def write(figures: str, page: Path = PAGE) -> None:
    """Replace the page's figures. Raise ValueError if it has no marks."""
    before = page.read_text(encoding="utf-8")
    if not BLOCK.search(before):
        raise ValueError(f"{page} has no marks to put figures between")
    page.write_text(BLOCK.sub(lambda _: figures, before), encoding="utf-8")
