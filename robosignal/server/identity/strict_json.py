"""Reads JSON objects from strangers strictly: what two parsers could read differently is refused.

Owns the reading of a token's parts and of key sets; must never know what their members mean.
"""

import json
import math
from collections.abc import Iterable
from typing import Any, Never

from robosignal.protocol.limits import JSON_DEPTH

INTEGER_DIGITS = 19
"""Enough for 64 bits; Python itself takes quadratic time over thousands of digits."""


def parse_object(text: bytes) -> dict[str, Any]:
    """Return the JSON object (RFC 8259) in these bytes.

    Raise ValueError for anything else: other encodings than UTF-8, a byte order mark, a
    repeated member name, NaN, infinities, integers over 19 digits, more than 16 levels of nesting.
    """
    try:
        value = json.loads(
            text.decode("utf-8"),
            object_pairs_hook=_unique,
            parse_int=_integer,
            parse_float=_finite,
            parse_constant=_refuse,
        )
    except RecursionError as exc:
        raise ValueError("nested too deeply") from exc
    if not isinstance(value, dict):
        raise ValueError("not an object")  # noqa: TRY004 - the caller knows one error
    # The parser's own end differs between Python's versions: from 1,000 levels to none.
    if _levels_exceed(JSON_DEPTH, value):
        raise ValueError("nested too deeply")
    return value


def _levels_exceed(limit: int, value: object) -> bool:
    level = [value]
    for _ in range(limit):
        level = [inner for outer in level for inner in _within(outer)]
        if not level:
            return False
    return any(isinstance(inner, dict | list) for inner in level)


def _within(value: object) -> Iterable[object]:
    match value:
        case dict():
            return value.values()
        case list():
            return value
        case _:
            return ()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    # RFC 7515, section 4: a parser that takes the first and one that takes the last would
    # see two different tokens under one signature.
    if len(members) != len(pairs):
        raise ValueError("a member name is repeated")
    return members


def _integer(digits: str) -> int:
    if len(digits.lstrip("-")) > INTEGER_DIGITS:
        raise ValueError("an integer has too many digits")
    return int(digits)


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("a number is not finite")
    return number


def _refuse(constant: str) -> Never:
    raise ValueError(f"{constant} is not JSON")
