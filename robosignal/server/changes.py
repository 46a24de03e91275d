"""Recognises the steps that change a robot, for the observers that report changes."""

from dataclasses import dataclass

from robosignal.server.core.conditional_writes import Write
from robosignal.server.core.effects import Effect
from robosignal.server.core.records import Robot
from robosignal.server.core.steps import Action, WriteRobot, Written


@dataclass(frozen=True, slots=True)
class Change:
    """A write with an effect: on who drives a robot, on its presence, or on its operators.

    `before` is None if the write created the robot, or if the write's first answer was lost.
    """

    write: Write
    effect: Effect
    before: Robot | None
    after: Robot


def find_change(action: Action, outcome: object) -> Change | None:
    """Return the change that an action made, or None if it made none."""
    if not isinstance(action, WriteRobot) or action.write.effect is None:
        return None
    if not isinstance(outcome, Written):
        return None
    return Change(action.write, action.write.effect, outcome.before, outcome.after)
