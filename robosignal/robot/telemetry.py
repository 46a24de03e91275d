"""The telemetry that a robot's author declares, and what the robot publishes of it."""

import math
from collections.abc import Iterable, Mapping

from msgspec import Struct

from robosignal.robot.controls import check_distinct, check_name, check_unit

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
        for name, value in values.items():
            if name not in self._names:
                declared = ", ".join(self._names) or "none"
                raise ValueError(f"the field {name!r} is not declared in telemetry: {declared}")
            _check_value(name, value)
        return tuple(values.get(name) for name in self._names)


def _check_value(name: str, value: Value) -> None:
    if isinstance(value, str):
        if len(value) > TEXT_CHARACTERS:
            limit = f"a text must have at most {TEXT_CHARACTERS} characters"
            raise ValueError(f"{name}: {limit}, not {len(value)}")
    elif not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError(f"{name} must be a finite number, a bool or a text, not {value!r}")


def merge(older: Published, newer: Published) -> Published:
    """Return `older` with every value that `newer` has."""
    return tuple(
        then if now is None else now
        for then, now in zip(older or (None,) * len(newer), newer, strict=True)
    )
