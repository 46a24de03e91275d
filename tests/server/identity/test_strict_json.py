"""What strict JSON is, and what is not."""

import pytest

from robosignal.server.identity.strict_json import parse_object


def test_an_object_is_read_unchanged() -> None:
    """Members of every kind arrive as Python's own values."""
    text = '{"a": [1, -2.5, null, true], "b": {"a": "é\\u00e9"}}'.encode()

    assert parse_object(text) == {"a": [1, -2.5, None, True], "b": {"a": "éé"}}


@pytest.mark.parametrize("integer", [10**19 - 1, -(10**19 - 1)])
def test_integers_of_19_digits_are_read(integer: int) -> None:
    """The longest integers of either sign keep every digit."""
    assert parse_object(b'{"n": %d}' % integer) == {"n": integer}


def test_sixteen_levels_are_read() -> None:
    """The object itself is the first one; what is in the last does not matter."""
    assert "a" in parse_object(b'{"a": ' + b"[" * 15 + b"7" + b"]" * 15 + b"}")


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"[]",
        b'"a"',
        b"null",
        b"{} {}",
        b"{'a': 1}",
        b'{"a": 1,}',
        b'{"a": NaN}',
        b'{"a": -Infinity}',
        b'{"a": 1e400}',
        b'{"a": 10000000000000000000}',
        b'{"a": 1, "a": 1}',
        b'{"b": [{"a": 1, "\\u0061": 2}]}',
        b'{"a": "\xff"}',
        b'{"a": "\xed\xa0\x80"}',
        b'{"a": "\n"}',
        b'\xef\xbb\xbf{"a": 1}',
        '{"a": 1}'.encode("utf-16"),
        b'{"a": ' + b"[" * 16 + b"]" * 16 + b"}",
        b'{"a": ' + b"[" * 100_000,
        b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"a": ' * 100_000 + b"1" + b"}" * 100_000,
    ],
    ids=lambda text: repr(text)[:24],
)
def test_everything_else_is_a_value_error(text: bytes) -> None:
    """What is no object, or could be read in two ways, is refused by the one error."""
    with pytest.raises(ValueError):  # noqa: PT011 - the text is the decoder's own
        parse_object(text)
