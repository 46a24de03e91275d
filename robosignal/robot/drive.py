"""What a driver asks of the robot, how long it stays in force, and what the author allows of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Self

from msgspec import Meta, Struct

from robosignal.robot.channels import Channel
from robosignal.robot.controls import Controls, Values
from robosignal.robot.telemetry import Fields

WATCHDOG_MS = 500
"""A drive command is in force for this long, in ms: then the robot stops by itself."""

FRESH_MS = 1000
"""A command is obeyed if its sender has heard from the robot in the last so many ms."""

Part = Annotated[float, Meta(ge=-1, le=1)]


class Drive(Struct, frozen=True):
    """Where to drive: `x` to the right and `y` forward, both from -1.0 to 1.0.

    1.0 is as fast as the robot may go; what speed that is, is the robot's own choice.
    """

    x: Part
    y: Part


def check_drive(drive: Drive) -> None:
    """Raise ValueError unless both axes of a program's `drive` are numbers from -1.0 to 1.0."""
    for name, value in (("x", drive.x), ("y", drive.y)):
        # Not a number is within no range.
        if not -1 <= value <= 1:
            raise ValueError(f"{name} of drive must be from -1.0 to 1.0, not {value}")


STILL = Drive(0.0, 0.0)
"""The drive that stops the motors."""

COMMAND_HZ = 20.0
"""How many commands a second pages send, unless the robot's author asks for more."""


@dataclass(frozen=True, slots=True)
class Target:
    """What the motors are asked for: the drive, and the values of the controls declared."""

    drive: Drive = STILL
    values: Values = ()


REST = Target()
"""What stops the motors: nothing drives, and no control is asked for anything."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What the robot's author sets of its commands.

    `fps` is how many frames a second its picture has, None without a picture. Without `old_pages`,
    pages that cannot prove that their commands are fresh are refused. `has_drive` is whether a
    `Drive` moves anything, `command_hz` how many commands a second pages should send, and
    `cameras` the names of its cameras, if they have any. `channels` are the application's own, by
    their labels. `has_audio` is whether it sends sound, and `has_talk_back` whether it plays the
    driver's voice.
    """

    watchdog_ms: int = WATCHDOG_MS
    fresh_ms: int = FRESH_MS
    old_pages: bool = True
    fps: float | None = None
    controls: Controls = field(default_factory=Controls)
    telemetry: Fields = field(default_factory=Fields)
    has_drive: bool = True
    command_hz: float = COMMAND_HZ
    cameras: tuple[str, ...] = ()
    has_audio: bool = False
    has_talk_back: bool = False
    channels: Mapping[str, Channel] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Motion:
    """What the robot does now; `until` is when the watchdog ends it, in ms, None while it is still.

    A new motion, `Motion()`, is one that has stopped.
    """

    target: Target = REST
    until: int | None = None

    @classmethod
    def begin(cls, target: Target, now: int, watchdog_ms: int = WATCHDOG_MS) -> Self:
        """Return the motion after a command that was obeyed at `now`, in ms."""
        return cls(target, None if target == REST else now + watchdog_ms)

    def is_over(self, now: int) -> bool:
        """Whether the watchdog ends this motion at `now`, in ms."""
        return self.until is not None and now >= self.until


@dataclass(frozen=True, slots=True)
class Limits:
    """The most that `on_drive` is called with, whatever the driver asks for.

    Args:
        x: the largest value to either side, from 0.0 to 1.0.
        y: the largest value ahead or back, from 0.0 to 1.0.
        slew: the largest change of each axis in a second, above 0; None for no limit. `on_drive`
            is then called every 20 ms until the drive is reached. A stop is never slowed down.

    Raises:
        ValueError: a value is out of its range.
    """

    x: float = 1.0
    y: float = 1.0
    slew: float | None = None

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name, most in (("x", self.x), ("y", self.y)):
            if not 0 <= most <= 1:
                raise ValueError(f"{name} of limits must be from 0.0 to 1.0, not {most}")
        if self.slew is not None and not self.slew > 0:
            raise ValueError(f"slew of limits must be above 0, not {self.slew}")

    def clamp(self, drive: Drive) -> Drive:
        """Return `drive` with its axes within plus and minus this `x` and `y`."""
        return Drive(_clamp(drive.x, self.x), _clamp(drive.y, self.y))

    def approach(self, drive: Drive, target: Drive, seconds: float) -> Drive:
        """Return the drive on the way from `drive` to `target` that `slew` allows.

        `seconds` is how long ago `drive` began, in seconds, at least 0. `STILL` is reached at once.
        """
        if self.slew is None or target == STILL:
            return target
        most = self.slew * seconds
        return Drive(
            drive.x + _clamp(target.x - drive.x, most), drive.y + _clamp(target.y - drive.y, most)
        )


def _clamp(value: float, most: float) -> float:
    return min(most, max(-most, value))
