"""Log lines for a terminal."""

import logging

from robosignal.logs import Lines


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
