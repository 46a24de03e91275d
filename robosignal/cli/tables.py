"""Tables for a terminal, and names in them that cannot pass for anything else."""

import unicodedata
from collections.abc import Sequence


def format_table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Return the lines of a table, its columns as wide as a terminal shows them."""
    widths = [max(map(_width, column)) for column in zip(heads, *rows, strict=True)]
    return [
        "  ".join(_pad(cell, width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in (heads, *rows)
    ]


def show_name(name: str) -> str:
    """Return a name without what could move the cursor or pass for the quotes around it."""
    return "".join(
        each if each.isprintable() and each not in "“”" else "\N{REPLACEMENT CHARACTER}"
        for each in name
    )


def _width(text: str) -> int:
    """Return how many columns of a terminal a text takes (Unicode Standard Annex #11)."""
    return sum(
        0 if unicodedata.combining(each) else 2 if unicodedata.east_asian_width(each) in "WF" else 1
        for each in text
    )


def _pad(text: str, width: int) -> str:
    return text + " " * (width - _width(text))
