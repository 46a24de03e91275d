"""How often one robot's control may change hands, and how often its watchers are told.

A change costs a call for each user who may see the robot, and a post for each who watches. A
driver could cause that without end: `paced` limits how often one user takes one robot's lease,
and pushes beyond a robot's pace are sent later, with its latest state. Never refuses an end.
"""

from typing import Protocol

from robosignal.protocol.errors import TryAgain
from robosignal.protocol.ids import RobotId
from robosignal.server.core.records import Robot
from robosignal.server.core.steps import (
    CheckRobot,
    ConditionFailed,
    Decided,
    Flow,
    Step,
    StepFlow,
    WriteRobot,
    Written,
    stepping,
)
from robosignal.server.core.writes.lease import TAKING


class Pace(Protocol):
    """What one sender, and everyone, has done recently."""

    def may_take(self, robot: RobotId) -> bool:
        """Whether the sender's user may take this robot's lease once more now."""

    def note_taken(self, robot: RobotId) -> None:
        """Note that the sender's user has taken this robot's lease."""

    def may_push(self, robot: RobotId) -> bool:
        """Whether this robot's watchers are told now: count it if so."""

    def defer_push(self, robot: Robot) -> None:
        """Keep this robot's state, for a later push to its watchers."""

    def next_push(self) -> Robot | None:
        """Return a robot whose watchers are to be told now, once; None when there is none."""


class Unpaced:
    """Implements `Pace` without any bound."""

    def may_take(self, robot: RobotId) -> bool:  # noqa: ARG002 - any
        """Allow it."""
        return True

    def note_taken(self, robot: RobotId) -> None:
        """Keep nothing."""

    def may_push(self, robot: RobotId) -> bool:  # noqa: ARG002 - any
        """Allow it."""
        return True

    def defer_push(self, robot: Robot) -> None:
        """Keep nothing."""

    def next_push(self) -> Robot | None:
        """Defer nothing."""
        return None


def paced(flow: Flow[Decided], pace: Pace) -> Flow[Decided]:
    """Run a flow, and raise TryAgain in it where its user would take a lease too often.

    A message that would be refused in any case gets its own refusal, by a read.
    """

    def carried_out(step: Step) -> StepFlow:
        if not isinstance(step, WriteRobot) or step.write.name not in TAKING:
            return (yield step)
        if not pace.may_take(step.robot_id):
            found: object = yield CheckRobot(step.robot_id, step.write)
            if isinstance(found, ConditionFailed):
                return found
            raise TryAgain(step.robot_id)
        outcome = yield step
        if isinstance(outcome, Written):
            pace.note_taken(step.robot_id)
        return outcome

    return stepping(flow, carried_out)
