"""The telemetry that a robot's author declares, and what the robot publishes of it."""

from collections.abc import Iterable, Mapping
from numbers import Integral, Real

from msgspec import Struct

from robosignal.robot.controls import check_distinct, check_name, check_unit, to_finite

MOST_FIELDS = 64
"""How many fields of telemetry a robot may declare."""

TEXT_CHARACTERS = 200
"""How long a text may be that is published."""

Value = float | bool | str
"""What a field may have: a finite number, true or false, or a text."""

Published = tuple[Value | None, ...]
"""The value of each field, in the order of the declaration; None where there is none."""


class Field(Struct, frozen=True):
    """A field of telemetry, such as the voltage of a battery.

    Args:
        name: its name, 1 to 40 of `A-Z a-z 0-9 _ -`, the first one a letter; unique.
        unit: what its numbers are in, such as `"V"`; at most 12 characters, for display.

    Raises:
        BadDeclaration: a field is not of that form.
    """

    name: str
    unit: str = ""

    def __post_init__(self) -> None:
        """Check the fields."""
        check_name(self.name)
        check_unit(self.name, self.unit)


class Fields:
    """The telemetry of one robot, in the order of its declaration."""

    def __init__(self, declared: Iterable[Field] = ()) -> None:
        self.declared = tuple(declared)
        for each in self.declared:
            if not isinstance(each, Field):
                raise TypeError(f"telemetry must be of Field, not {each!r}")
        self._names = [each.name for each in self.declared]
        check_distinct("telemetry", self._names, MOST_FIELDS)

    def arrange(self, values: Mapping[str, Value]) -> Published:
        """Return these values in the order of the declaration.

        Raise ValueError for a field that is not declared, or a value that none can have.
        """
        for name in values:
            if name not in self._names:
                declared = ", ".join(self._names) or "none"
                raise ValueError(f"the field {name!r} is not declared in telemetry: {declared}")
        read = {name: _read_value(name, value) for name, value in values.items()}
        return tuple(read.get(name) for name in self._names)


def _read_value(name: str, value: object) -> Value:
    """Return a value as it can be written, which its subclasses, such as NumPy's, cannot be."""
    if isinstance(value, str):
        return _read_text(name, str(value))
    if isinstance(value, bool):
        return value
    if isinstance(value, Real) and to_finite(value) is not None:
        return int(value) if isinstance(value, Integral) else float(value)
    raise ValueError(f"{name} must be a finite number, a bool or a text, not {value!r}")


def _read_text(name: str, text: str) -> str:
    if len(text) > TEXT_CHARACTERS:
        limit = f"a text must have at most {TEXT_CHARACTERS} characters"
        raise ValueError(f"{name}: {limit}, not {len(text)}")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise ValueError(f"{name}: a text must be Unicode without lone surrogates") from None
    return text


def merge(older: Published, newer: Published) -> Published:
    """Return `older` with every value that `newer` has."""
    return tuple(
        then if now is None else now
        for then, now in zip(older or (None,) * len(newer), newer, strict=True)
    )
