"""Figures as tables, and their place in the page."""

from datetime import date
from pathlib import Path

import pytest

from benchmarks import page
from benchmarks.tables import (
    Figure,
    Table,
    describe_machine,
    format_markdown,
    ratio,
    spread,
    tabulate,
)


def test_a_figure_is_told_by_its_least_its_median_and_its_spread() -> None:
    """The spread is between the quartiles."""
    figure = Figure("relay", "µs", (1.0, 2.0, 3.0, 4.0, 100.0))

    assert figure.cells() == ("relay", "µs", "5", "1.0", "3.0", "2.0")


def test_one_value_has_no_spread() -> None:
    """Nor is it an error."""
    assert spread((7.0,)) == 0


def test_a_ratio_is_taken_round_by_round() -> None:
    """Not of two medians: what slowed a round down slowed down both."""
    assert ratio("a / b", [2.0, 30.0], [1.0, 10.0]).values == (2.0, 3.0)


def test_a_table_can_be_read_as_text() -> None:
    """Its columns are padded."""
    table = tabulate("Title", [Figure("relay", "µs", (123.4,)), ratio("a / b", [1.0], [3.0])])

    assert format_markdown(table).splitlines() == [
        "### Title",
        "",
        "| what  | unit  | rounds | min   | median | spread (IQR) |",
        "| ----- | ----- | ------ | ----- | ------ | ------------ |",
        "| relay | µs    | 1      | 123   | 123    | 0.0          |",
        "| a / b | ratio | 1      | 0.333 | 0.333  | 0.000        |",
    ]


def test_a_note_is_below_its_table() -> None:
    """As a paragraph."""
    assert format_markdown(Table("T", ("a",), (("1",),), "So it is.")).endswith(
        "| 1 |\n\nSo it is.\n"
    )


def test_figures_replace_those_before_them(tmp_path: Path) -> None:
    """What people wrote around them stays."""
    path = tmp_path / "page.md"
    path.write_text("Before\n<!-- figures -->\nold\n<!-- end of figures -->\nAfter\n")
    page.write(page.render([Table("T", ("a",), ())], "2 cores", date(2026, 1, 2)), path)

    text = path.read_text()
    assert text.startswith("Before\n<!-- figures -->\nMeasured on 2026-01-02: 2 cores.\n\n### T\n")
    assert text.endswith("<!-- end of figures -->\nAfter\n")
    assert "old" not in text


def test_a_page_without_marks_is_not_written(tmp_path: Path) -> None:
    """The figures would be lost without a word."""
    path = tmp_path / "page.md"
    path.write_text("no marks")

    with pytest.raises(ValueError, match="no marks"):
        page.write("figures", path)
    assert path.read_text() == "no marks"


def test_the_projects_page_has_its_marks() -> None:
    """So that `make bench` can write into it."""
    assert page.BLOCK.search(page.PAGE.read_text(encoding="utf-8"))


def test_the_machine_is_told_with_its_python() -> None:
    """Without them a figure says nothing."""
    assert "cores" in describe_machine()
    assert "Python 3." in describe_machine()
