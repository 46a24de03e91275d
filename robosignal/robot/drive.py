"""What a driver asks of the robot, and how long it stays in force."""

from dataclasses import dataclass
from typing import Annotated, Self

from msgspec import Meta, Struct

WATCHDOG_MS = 500
"""A drive command is in force for this long, in ms: then the robot stops by itself."""

Axis = Annotated[float, Meta(ge=-1, le=1)]


class Drive(Struct, frozen=True):
    """Where to drive: `x` to the right and `y` forward, both from -1.0 to 1.0.

    1.0 is as fast as the robot may go; what speed that is, is the robot's own choice.
    """

    x: Axis
    y: Axis


STILL = Drive(0.0, 0.0)
"""The drive that stops the motors."""


@dataclass(frozen=True, slots=True)
class Motion:
    """What the robot does now; `until` is when the watchdog ends it, in ms, None while it is still.

    A new motion, `Motion()`, is one that has stopped.
    """

    drive: Drive = STILL
    until: int | None = None

    @classmethod
    def begin(cls, drive: Drive, now: int) -> Self:
        """Return the motion after a command that came at `now`, in ms."""
        return cls(drive, None if drive == STILL else now + WATCHDOG_MS)

    def is_over(self, now: int) -> bool:
        """Whether the watchdog ends this motion at `now`, in ms."""
        return self.until is not None and now >= self.until
