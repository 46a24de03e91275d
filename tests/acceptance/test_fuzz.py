"""A hundred thousand frames at the parser: each becomes a message or a documented error.

They are made of the shared vectors by a mutator with a seed, and of nothing else: the same
hundred thousand every time. A failure prints the frame itself.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from robosignal.protocol import limits
from robosignal.protocol.errors import BadMessage, TooLarge, UnknownType
from robosignal.protocol.parsing import parse
from tests.protocol.test_parsing_vectors import BAD, GOOD, text_of

SEED = 20261124
FRAMES = 100_000
TOLD_CHARACTERS = 1024
"""More than any error's text: none quotes a whole frame."""

TEXTS = [text_of(vector) for vector in (*GOOD, *BAD)]
SHORT = [text for text in TEXTS if len(text) <= 1000]
FIELDS: list[dict[str, Any]] = [vector["frame"] for vector in GOOD]
NAMES = sorted({name for fields in FIELDS for name in fields})
VALUES = [value for fields in FIELDS for value in fields.values()]

PIECES: tuple[str, ...] = (
    *'{}[]":,\\/ \n\t\r\x00\x1f\x7f',
    *("null", "true", "false", "NaN", "-Infinity", "1e999", "-0", "0x1", "01", "9" * 400),
    *('"id":', '"type":', '"type":"ping"', '"payload":', "\\u0000", "\\ud800", "\\udc00\\ud800"),
    *("é", "\ud800", "\udfff", "\U0001f916", "\u2028", "\ufeff", "\u0130", "\u212a"),
    *("[" * 20, "{" * 20, '{"a":' * 17 + "1" + "}" * 17, "[[]," * 600),
)

STRANGE: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    2**53,
    2**64,
    1.5,
    [],
    {},
    "",
    *("x" * n for n in (200, 3000, 60_000)),
)

Mutate = Callable[[Random, str], str]


def _insert(random: Random, text: str) -> str:
    at = random.randrange(len(text) + 1)
    return text[:at] + random.choice(PIECES) + text[at:]


def _cut(random: Random, text: str) -> str:
    at = random.randrange(len(text) + 1)
    return text[:at] + text[at + random.randint(1, 12) :]


def _replace(random: Random, text: str) -> str:
    at = random.randrange(len(text) + 1)
    return (
        text[:at]
        + chr(random.choice((random.randrange(128), random.randrange(0x11000))))
        + (text[at + 1 :])
    )


def _repeat(random: Random, text: str) -> str:
    begin, end = sorted(random.randrange(len(text) + 1) for _ in range(2))
    return text[:end] + text[begin:end] * random.choice((1, 1, 2, 40)) + text[end:]


def _splice(random: Random, text: str) -> str:
    other = random.choice(SHORT)
    return text[: random.randrange(len(text) + 1)] + other[random.randrange(len(other) + 1) :]


def _swap(random: Random, text: str) -> str:
    """Return a frame that is JSON still, with some fields from anywhere."""
    del text
    fields = dict(random.choice(FIELDS))
    for _ in range(random.randint(1, 3)):
        fields[random.choice(NAMES)] = _value(random)
    return json.dumps(fields, ensure_ascii=random.random() < 0.5)


def _value(random: Random) -> Any:
    value = random.choice(VALUES)
    match random.randrange(6):
        case 0:
            return [value]
        case 1:
            return {random.choice(NAMES): value}
        case 2:
            return random.choice(STRANGE)
        case 3 if isinstance(value, str):
            return value + random.choice(PIECES)
        case _:
            return value


MUTATIONS: tuple[Mutate, ...] = (_insert, _cut, _replace, _repeat, _splice, *([_swap] * 5))


def frames() -> Iterator[str]:
    """Yield every frame, as the seed says."""
    random = Random(SEED)  # noqa: S311 - chooses tests, protects nothing
    for _ in range(FRAMES):
        text = random.choice(SHORT)
        for _ in range(random.choice((1, 1, 1, 2, 4))):
            text = random.choice(MUTATIONS)(random, text)
        yield text


def outcome(text: str) -> str:
    """Return what became of a frame; fail with the frame if that is nothing documented."""
    try:
        return type(parse(text)).__name__
    except (BadMessage, UnknownType, TooLarge) as error:
        refused = error
    except BaseException as error:
        raise AssertionError(f"seed {SEED}: {text!r}") from error
    told = str(refused)
    assert 0 < len(told) <= TOLD_CHARACTERS, text
    assert refused.reply_to is None or len(refused.reply_to) <= limits.NAME_CHARACTERS, text
    return refused.code


def test_a_hundred_thousand_frames_are_messages_or_documented_errors(
    record_property: Callable[[str, object], None],
) -> None:
    """Nothing else is raised; and the frames reach every message and every error of the parser."""
    came = Counter(outcome(text) for text in frames())
    record_property(f"parser, {came.total()} frames of seed {SEED}", dict(came.most_common()))

    assert came.total() == FRAMES
    assert len(came) == len({vector["means"]["type"] for vector in GOOD}) + 3
    assert min(came.values()) > 20, came
