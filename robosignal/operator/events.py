"""What a session tells of control, of stops and of its state."""

from dataclasses import dataclass
from typing import Literal

from robosignal.protocol.frames import Person

State = Literal["connecting", "live", "waiting", "ended"]
"""`connecting`; `live` once everything that the robot declared has arrived; `waiting` for the
robot, for a path to it, or for the server; or `ended`.
"""


@dataclass(frozen=True, slots=True)
class ControlGained:
    """This session drives from now on, at the robot's `epoch`."""

    epoch: int


@dataclass(frozen=True, slots=True)
class ControlLost:
    """This session no longer drives, and goes on viewing.

    `to` is who has taken control; None if no one has, as after `release`, or if that is not known.
    `epoch` is the robot's.
    """

    to: Person | None
    epoch: int


@dataclass(frozen=True, slots=True)
class DriverChanged:
    """While this session views: `driver` drives from now on, None for no one, at `epoch`."""

    driver: Person | None
    epoch: int


@dataclass(frozen=True, slots=True)
class ControlRequested:
    """The viewer `by` asks for this session's control; `grant` and `deny` take `session_id`."""

    session_id: str
    by: Person | None


@dataclass(frozen=True, slots=True)
class ControlDenied:
    """The driver `by` keeps the control that this session has asked for."""

    by: Person | None


@dataclass(frozen=True, slots=True)
class Stopped:
    """The person named `by` has stopped the robot; None: the stop was cleared."""

    by: str | None


@dataclass(frozen=True, slots=True)
class StopRefused:
    """This session may not do `what`: `"stop"` the robot, or `"clear-stop"`."""

    what: str


@dataclass(frozen=True, slots=True)
class StateChanged:
    """The session's `state`, and in `why` a sentence for people, None while nothing is wrong."""

    state: State
    why: str | None


Event = (
    ControlGained
    | ControlLost
    | DriverChanged
    | ControlRequested
    | ControlDenied
    | Stopped
    | StopRefused
    | StateChanged
)
"""What `Session.events` yields."""
