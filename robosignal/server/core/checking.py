"""Reads before it writes for senders whose writes are likely refused: test, then test-and-set.

`checked` wraps a client's flow, so no message can be forgotten. A refused conditional write costs
a DynamoDB key as much as one that is carried out, and a key takes 1,000 a second: strangers
must not use up a robot's. Never decides a right: the read is judged by the write's own
condition, and what the read lets through is still written under it.
"""

from typing import Protocol

from msgspec import structs

from robosignal.protocol.errors import SignalingError
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

TRIFLE_MS = 1000
"""A renewal that lengthens by less is not worth a write."""


class Reputation(Protocol):
    """What is remembered of one sender's writes to robots."""

    def is_doubtful(self, robot: RobotId) -> bool:
        """Whether the next write to this robot is to be checked first."""

    def has_renewed(self, robot: RobotId) -> bool:
        """Whether the sender has renewed something there less than a second ago."""

    def note(self, robot: RobotId, *, refused: bool) -> None:
        """Note whether the sender's write was refused."""

    def note_renewal(self, robot: RobotId) -> None:
        """Note that the sender has renewed something."""


def checked(flow: Flow[Decided], reputation: Reputation) -> Flow[Decided]:
    """Run a flow, and check its writes by a read first where its sender's reputation asks for it.

    The outcome is the same: the write would have been refused at the time of the read.
    """
    refused: set[RobotId] = set()

    def carried_out(step: Step) -> StepFlow:
        outcome = yield from _carried_out(step, reputation)
        _note(step, outcome, reputation, refused)
        return outcome

    try:
        return (yield from stepping(flow, carried_out))
    except SignalingError:
        for robot in refused:
            reputation.note(robot, refused=True)
        raise


def _carried_out(step: Step, reputation: Reputation) -> StepFlow:
    if not isinstance(step, WriteRobot):
        return (yield step)
    robot, write = step.robot_id, step.write
    again = write.renewal and reputation.has_renewed(robot)
    if not again and not reputation.is_doubtful(robot):
        return (yield step)
    found: Written[Robot] | ConditionFailed[Robot] = yield CheckRobot(robot, write)
    if isinstance(found, ConditionFailed) or (again and _is_trifle(found)):
        return found
    return (yield step)


def _note(step: Step, outcome: object, reputation: Reputation, refused: set[RobotId]) -> None:
    if not isinstance(step, WriteRobot):
        return
    if isinstance(outcome, Written):
        refused.discard(step.robot_id)
        reputation.note(step.robot_id, refused=False)
        if step.write.renewal:
            reputation.note_renewal(step.robot_id)
    else:
        refused.add(step.robot_id)


def _is_trifle(renewed: Written[Robot]) -> bool:
    """Say whether a renewal would lengthen by less than a second, and change nothing else."""
    before, after = renewed.before, renewed.after
    if before is None or _timeless(before) != _timeless(after):
        return False
    pairs = zip(_times(before), _times(after), strict=True)
    return all(0 <= then - now < TRIFLE_MS for now, then in pairs)


def _timeless(robot: Robot) -> Robot:
    held = robot.controller and structs.replace(robot.controller, until=0)
    viewers = {each: structs.replace(viewer, until=0) for each, viewer in robot.viewers.items()}
    return structs.replace(robot, presence_until=0, controller=held, viewers=viewers)


def _times(robot: Robot) -> list[int]:
    return [robot.presence_until, *(session.until for session in robot.engaged())]
