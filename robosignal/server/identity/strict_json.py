"""Parses JSON objects from strangers strictly: what two parsers could read differently fails."""

import json
import math
from collections.abc import Iterable
from typing import Any, Never

from robosignal.protocol.limits import JSON_DEPTH

INTEGER_DIGITS = 19
"""Enough for 64 bits. Python takes quadratic time for thousands of digits."""


def parse_object(text: bytes) -> dict[str, Any]:
    """Return the JSON object (RFC 8259) in these bytes.

    Raise ValueError for anything else: another encoding than UTF-8, a byte order mark, a repeated
    member name, NaN, infinities, an integer over 19 digits, or more than 16 levels of nesting.
    """
    try:
        value = json.loads(
            text.decode("utf-8"),
            object_pairs_hook=_refuse_repeated,
            parse_int=_parse_integer,
            parse_float=_parse_float,
            parse_constant=_refuse_constant,
        )
    except RecursionError as exc:
        raise ValueError("nested too deeply") from exc
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004 - the caller knows one error
    # The parser's own limit differs between versions of Python: 1,000 levels or none.
    if _is_nested_deeper(JSON_DEPTH, value):
        raise ValueError("nested too deeply")
    return value


def _is_nested_deeper(limit: int, value: object) -> bool:
    level = [value]
    for _ in range(limit):
        level = [inner for outer in level for inner in _children(outer)]
        if not level:
            return False
    return any(isinstance(inner, dict | list) for inner in level)


def _children(value: object) -> Iterable[object]:
    match value:
        case dict():
            return value.values()
        case list():
            return value
        case _:
            return ()


def _refuse_repeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    # RFC 7515, section 4: a parser that takes the first and one that takes the last would see two
    # different tokens with one signature.
    if len(members) != len(pairs):
        raise ValueError("a member name is repeated")
    return members


def _parse_integer(digits: str) -> int:
    if len(digits.lstrip("-")) > INTEGER_DIGITS:
        raise ValueError("an integer has too many digits")
    return int(digits)


def _parse_float(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("a number is not finite")
    return number


def _refuse_constant(constant: str) -> Never:
    raise ValueError(f"{constant} is not JSON")
