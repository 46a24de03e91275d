"""Log lines for a terminal."""

import logging

import pytest

from robosignal.cli.logs import Lines


def line(message: str, **beside: object) -> str:
    """Return how a record is written."""
    record = logging.makeLogRecord({"msg": message, **beside})
    return Lines("%(message)s").format(record)


def test_what_was_logged_beside_the_sentence_follows_it() -> None:
    """Fields are written as key=value; those that are None are left out."""
    assert line("refused", code="forbidden", by=None) == "refused code=forbidden"


def test_a_field_cannot_begin_a_new_line() -> None:
    """Control characters are escaped: a name from a token cannot forge a line."""
    assert line("refused", by="eve\nowner drives") == r"refused by='eve\nowner drives'"


@pytest.mark.parametrize(
    ("by", "written"),
    [
        ("alice reason=free by=admin", "'alice reason=free by=admin'"),
        ("a=b", "'a=b'"),
        ("a'b", '"a\'b"'),
        ('a"b', "'a\"b'"),
        ("a\\b", r"'a\\b'"),
        ("", "''"),
        ("a\u00a0b", r"'a\xa0b'"),
        ("alice@example.org", "alice@example.org"),
        ("Zoë", "Zoë"),
    ],
)
def test_a_field_cannot_pass_for_two(by: str, written: str) -> None:
    """Whatever could begin or end another field is quoted; a plain word is not."""
    assert line("changed", by=by, epoch=7) == f"changed by={written} epoch=7"
