"""What every source of history is asked, and what it finds."""

from dataclasses import dataclass, field

from robosignal.protocol.ids import RobotId, UserId
from robosignal.protocol.messages import Role
from robosignal.server.core.intervals import Interval

MOST = 10_000
"""How many intervals are read at most, the latest ones."""


class SourceFailed(Exception):
    """The history could not be read. The text says why, and what to do."""


@dataclass(frozen=True, slots=True)
class Question:
    """Which intervals: of which robot, in which span (epoch ms), of whom, in which role."""

    robot_id: RobotId | None
    since: int
    until: int
    now: int
    user_id: UserId | None = None
    role: Role | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """The intervals, in the order of their beginnings; and what is known of what is missing."""

    intervals: tuple[Interval, ...]
    gaps: tuple[tuple[int, int], ...] = ()
    """When the server did not run (epoch ms)."""
    kept_since: int | None = None
    """Nothing is kept of what ended before (epoch ms); None if that is not known."""
    is_cut: bool = field(default=False)
    """Whether there are more intervals than `MOST`."""
