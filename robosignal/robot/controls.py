"""What a robot's author declares that people can move, and the commands that come of it.

A control has a value: an axis a number, a button whether it is pressed, a choice one of its
options. On the wire and in the motors' thread values are in the order of the declaration.
"""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import SupportsFloat

from msgspec import Struct
from msgspec.structs import force_setattr

MOST_CONTROLS = 32
"""How many controls a robot may declare."""

MOST_OPTIONS = 32
"""How many options a choice may have."""

NAME_RULE = "must be 1 to 40 of A-Z a-z 0-9 _ -, the first one a letter"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,39}")

UNIT_CHARACTERS = 12
"""How long a unit may be, in characters."""

Given = float | bool | str | None
"""What a page gives one control; None, and what is missing at the end, leave it alone."""

Values = tuple[float | None, ...]
"""What each control is asked for; None leaves it alone: it rests, unless it holds.

A button has 1.0 while it is pressed, a choice the index of its option. `()` leaves all alone.
"""


class BadDeclaration(ValueError):
    """Something that a robot declares cannot be: `text` names the field and its limit."""

    def __init__(self, text: str) -> None:
        super().__init__(text)


def check_name(name: str) -> None:
    """Raise BadDeclaration unless `name` can be the name of something that is declared."""
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise BadDeclaration(f"the name {name!r} {NAME_RULE}")


def check_unit(name: str, unit: str) -> None:
    """Raise BadDeclaration unless `unit` can be the unit of what has this name."""
    if len(unit) > UNIT_CHARACTERS or not unit.isprintable():
        limit = f"must be at most {UNIT_CHARACTERS} printable characters"
        raise BadDeclaration(f"{name}: unit {limit}, not {unit!r}")


def check_number(name: str, field: str, value: float) -> None:
    """Raise BadDeclaration unless `value`, the `field` of what has this name, is finite."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if not is_number or to_finite(value) is None:
        raise BadDeclaration(f"{name}: {field} must be a finite number, not {value!r}")


def to_finite(number: SupportsFloat) -> float | None:
    """Return `number` as a float; None if that is not finite, or too large for one."""
    try:
        value = float(number)
    except OverflowError:
        return None
    return value if math.isfinite(value) else None


def check_distinct(what: str, names: Sequence[str], most: int) -> None:
    """Raise BadDeclaration if there are too many of these names, or two are the same."""
    if len(names) > most:
        raise BadDeclaration(f"{what} must be at most {most}, not {len(names)}")
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise BadDeclaration(f"{what}: the name {twice!r} must not occur twice")


class _Named(Struct, frozen=True, rename="camel"):
    name: str


class Axis(_Named, frozen=True, kw_only=True, tag_field="type", tag="axis"):
    """An axis that people set to a number, such as a camera's pan or the speed of a wheel.

    Args:
        name: its name, 1 to 40 of `A-Z a-z 0-9 _ -`, the first one a letter; unique.
        unit: what its numbers are in, such as `"deg"`; at most 12 characters, for display.
        least: the lowest value.
        most: the highest value, above `least`. What is asked for beyond is cut off.
        rest: the value that it begins with, and that every stop sets it to at once.
        holds: a stop leaves it where it is, as an arm's joint must stay; `rest` is then only
            where it begins.
        rate: the most that it changes, in units a second, above 0; None for no limit. `on_command`
            is then called every 20 ms until the value is reached.

    Raises:
        BadDeclaration: a field is out of its range.
    """

    unit: str = ""
    least: float = -1.0
    most: float = 1.0
    rest: float = 0.0
    holds: bool = False
    rate: float | None = None

    def __post_init__(self) -> None:
        """Check the fields."""
        check_name(self.name)
        check_unit(self.name, self.unit)
        for field in ("least", "most", "rest"):
            check_number(self.name, field, getattr(self, field))
        if not self.least < self.most:
            below = f"least must be below most, which is {self.most:g}"
            raise BadDeclaration(f"{self.name}: {below}, not {self.least:g}")
        if not self.least <= self.rest <= self.most:
            within = f"rest must be from least to most, {self.least:g} to {self.most:g}"
            raise BadDeclaration(f"{self.name}: {within}, not {self.rest:g}")
        if self.rate is not None:
            check_number(self.name, "rate", self.rate)
            if not self.rate > 0:
                raise BadDeclaration(f"{self.name}: rate must be above 0, not {self.rate:g}")
        for field in ("least", "most", "rest", "rate"):
            value = getattr(self, field)
            # What is declared must be written to pages, which NumPy's numbers cannot be.
            if value is not None and type(value) not in {int, float}:
                force_setattr(self, field, float(value))

    def read(self, given: Given) -> float | None:
        """Return the value that `given` means; None if that leaves it alone.

        Raise ValueError if it is no number.
        """
        if given is None:
            return None
        if isinstance(given, bool | str):
            raise ValueError(f"{self.name} takes a number")  # noqa: TRY004 - as for the others
        value = to_finite(given)
        if value is None:
            raise ValueError(f"{self.name} takes a finite number")
        value = min(self.most, max(self.least, value))
        return None if value == self.rest and not self.holds else value

    @property
    def start(self) -> float:
        """The value that it begins with."""
        return self.rest

    def approach(self, value: float, target: float, seconds: float) -> float:
        """Return the value that `rate` allows, `seconds` after `value` on the way to `target`."""
        if self.rate is None:
            return target
        step = self.rate * seconds
        return value + min(step, max(-step, target - value))


class Button(_Named, frozen=True, tag_field="type", tag="button"):
    """A button: it is pressed as long as the driver holds it; every stop releases it.

    Args:
        name: its name, 1 to 40 of `A-Z a-z 0-9 _ -`, the first one a letter; unique.

    Raises:
        BadDeclaration: the name is not of that form.
    """

    def __post_init__(self) -> None:
        """Check the name."""
        check_name(self.name)

    def read(self, given: Given) -> float | None:
        """Return 1.0 if `given` is true, else None. Raise ValueError for neither true nor false."""
        if given is not None and not isinstance(given, bool):
            raise ValueError(f"{self.name} takes true or false")
        return 1.0 if given else None

    @property
    def holds(self) -> bool:
        """Whether a stop leaves it as it is."""
        return False

    @property
    def start(self) -> float:
        """The value that it begins with."""
        return 0.0


class Choice(_Named, frozen=True, tag_field="type", tag="choice"):
    """A choice of one of several options, such as a gear; every stop leaves it as it is.

    Args:
        name: its name, 1 to 40 of `A-Z a-z 0-9 _ -`, the first one a letter; unique.
        options: 2 to 32 different texts of at most 40 printable characters. It begins with the
            first one.

    Raises:
        BadDeclaration: the name or an option is not of that form.
    """

    options: Sequence[str]

    def __post_init__(self) -> None:
        """Check the fields."""
        check_name(self.name)
        # A list serves as well, but what is declared must not change any more.
        force_setattr(self, "options", tuple(self.options))
        check_distinct(f"{self.name}: options", self.options, MOST_OPTIONS)
        if len(self.options) < 2:  # noqa: PLR2004 - with one there is no choice
            raise BadDeclaration(f"{self.name}: options must be at least 2")
        for option in self.options:
            if not (0 < len(option) <= 40 and option.isprintable()):  # noqa: PLR2004 - as names
                limit = "an option must have 1 to 40 printable characters"
                raise BadDeclaration(f"{self.name}: {limit}, not {option!r}")

    def read(self, given: Given) -> float | None:
        """Return the index of the option `given`, None for none. Raise ValueError for another."""
        if given is None:
            return None
        if not isinstance(given, str) or given not in self.options:
            raise ValueError(f"{self.name} takes one of its options")
        return float(self.options.index(given))

    @property
    def holds(self) -> bool:
        """Whether a stop leaves it as it is."""
        return True

    @property
    def start(self) -> float:
        """The value that it begins with."""
        return 0.0


Control = Axis | Button | Choice
"""What a robot may declare that people can move."""


@dataclass(frozen=True, slots=True)
class Command:
    """What the robot is to do now with the controls that it has declared.

    `axes`, `buttons` and `choices` have every control of their kind, by name: the values of the
    axes in their units, whether each button is pressed, and the option that each choice has.
    `is_stop` says that nothing is to move: the axes rest, or hold, and no button is pressed.
    """

    axes: Mapping[str, float]
    buttons: Mapping[str, bool]
    choices: Mapping[str, str]
    is_stop: bool


CommandHandler = Callable[[Command], None]
"""Sets the controls like this until it is called again; `is_stop` says that nothing may move.

It is called in the thread of `DriveHandler`, under the same rules.
"""


class Controls:
    """The controls of one robot, in the order of their declaration."""

    def __init__(self, declared: Iterable[Control] = ()) -> None:
        self.declared = tuple(declared)
        for each in self.declared:
            if not isinstance(each, Control):
                raise TypeError(f"controls must be Axis, Button or Choice, not {each!r}")
        check_distinct("controls", [each.name for each in self.declared], MOST_CONTROLS)

    @property
    def start(self) -> tuple[float, ...]:
        """The values that they begin with."""
        return tuple(each.start for each in self.declared)

    def read(self, given: Sequence[Given]) -> Values:
        """Return what a page asks for, cut to the axes' ranges; `()` if everything is left alone.

        Raise ValueError if there are too many values, or one that its control cannot have.
        """
        if len(given) > len(self.declared):
            raise ValueError(f"there are {len(self.declared)} controls, and {len(given)} values")
        values = tuple(
            each.read(value) for each, value in zip(self.declared, given, strict=False)
        ) + (None,) * (len(self.declared) - len(given))
        return values if any(value is not None for value in values) else ()

    def arrange(self, values: Mapping[str, Given]) -> tuple[Given, ...]:
        """Return values by name in the order of the declaration.

        Raise ValueError for a name that is not declared, or a value that its control cannot have.
        """
        names = [each.name for each in self.declared]
        for name in values:
            if name not in names:
                declared = ", ".join(names) or "none"
                raise ValueError(f"the control {name!r} is not declared in controls: {declared}")
        given = tuple(values.get(name) for name in names)
        self.read(given)
        return given

    def resolve(self, asked: Values, output: tuple[float, ...]) -> tuple[float, ...]:
        """Return the value of each control that `asked` comes to where they are at `output`."""
        asked = asked or (None,) * len(self.declared)
        return tuple(
            value if value is not None else now if each.holds else each.start
            for each, value, now in zip(self.declared, asked, output, strict=True)
        )

    def approach(
        self, output: tuple[float, ...], target: tuple[float, ...], seconds: float
    ) -> tuple[float, ...]:
        """Return the values on the way from `output` to `target` that the axes' rates allow."""
        return tuple(
            each.approach(now, value, seconds) if isinstance(each, Axis) else value
            for each, now, value in zip(self.declared, output, target, strict=True)
        )

    def find_held(self, output: tuple[float, ...]) -> tuple[float | str | None, ...]:
        """Return where the controls are that a stop leaves so; None for each other one."""
        return tuple(
            (each.options[int(now)] if isinstance(each, Choice) else now) if each.holds else None
            for each, now in zip(self.declared, output, strict=True)
        )

    @property
    def held_at_start(self) -> tuple[float | str | None, ...]:
        """What `find_held` returns at the beginning; `()` if none of them holds."""
        held = self.find_held(self.start)
        return held if any(value is not None for value in held) else ()

    def describe(self, output: tuple[float, ...], *, is_stop: bool) -> Command:
        """Return the command that tells these values to the robot's program."""
        pairs = list(zip(self.declared, output, strict=True))
        axes = {each.name: now for each, now in pairs if isinstance(each, Axis)}
        buttons = {each.name: now == 1 for each, now in pairs if isinstance(each, Button)}
        choices = {
            each.name: each.options[int(now)] for each, now in pairs if isinstance(each, Choice)
        }
        return Command(
            MappingProxyType(axes), MappingProxyType(buttons), MappingProxyType(choices), is_stop
        )
