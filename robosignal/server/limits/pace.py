"""How often one robot's lease may change hands, and how often its watchers are notified.

A change costs a call for each user who may see the robot, and a post for each connection that
watches it. `LeasePace` limits how often one user takes one robot's lease, and pushes beyond a
robot's pace are deferred and sent with its latest state. Ending something is never refused.

The first event after a deferred push is due sends it, or a timer that asks each second, as in the
local gateway. A Lambda environment that gets no further event sends none: its watchers ask again
when what they were told is no longer valid.
"""

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock
from typing import Any

from robosignal.protocol.errors import TryAgain
from robosignal.protocol.ids import RobotId, UserId
from robosignal.server.core.effects import LEASE_GIVEN
from robosignal.server.core.records import Robot
from robosignal.server.core.steps import Action, CheckRobot, ConditionFailed, WriteRobot, Written
from robosignal.server.executor import Execute
from robosignal.server.ports import Limiter

KEPT = 1_000
"""How many robots' pushes are deferred at most."""


class DeferredPushes:
    """The robots whose pushes wait in this process, with their latest known state."""

    def __init__(self) -> None:
        self._robots: OrderedDict[RobotId, Robot] = OrderedDict()
        self._lock = Lock()

    def add(self, robot: Robot) -> None:
        """Keep a robot's state, unless a newer one is kept; beyond `KEPT` the oldest is dropped."""
        with self._lock:
            known = self._robots.get(robot.robot_id)
            if known is None or known.rev <= robot.rev:
                self._robots[robot.robot_id] = robot
            if len(self._robots) > KEPT:
                self._robots.popitem(last=False)

    def drop(self, robot: RobotId) -> None:
        """Drop the push that waits for this robot, if any."""
        with self._lock:
            self._robots.pop(robot, None)

    def pop_due(self, limiter: Limiter, now: int) -> Robot | None:
        """Remove and return the robot that has waited longest, if its pace allows a push now."""
        with self._lock:
            robot_id = next(iter(self._robots), None)
            if robot_id is None or not limiter.may_push(robot_id, now):
                return None
            return self._robots.pop(robot_id)


@dataclass(frozen=True, slots=True)
class Pace:
    """The pace of pushes, at one event's time (epoch ms)."""

    limiter: Limiter
    deferred: DeferredPushes
    now: int

    def may_push(self, robot: RobotId) -> bool:
        """Say whether this robot's watchers are notified now; if so, drop the push that waits."""
        allowed = self.limiter.may_push(robot, self.now)
        if allowed:
            self.deferred.drop(robot)
        return allowed

    def defer_push(self, robot: Robot) -> None:
        """Keep this robot's state for a later push."""
        self.deferred.add(robot)

    def next_push(self) -> Robot | None:
        """Remove and return a robot whose deferred push is due now; None if there is none."""
        return self.deferred.pop_due(self.limiter, self.now)


@dataclass(frozen=True, slots=True)
class LeasePace:
    """Refuses a write by which one user would take one robot's lease too often.

    Implements `robosignal.server.executor.Guard`. A write that would fail anyway gets the outcome
    that explains it, by a read.
    """

    limiter: Limiter
    user: UserId
    now: int

    def __call__(self, action: Action, execute: Execute) -> Any:
        """Return the action's outcome. Raise TryAgain if the user has taken the lease too often."""
        if not isinstance(action, WriteRobot) or action.write.effect not in LEASE_GIVEN:
            return execute(action)
        robot_id = action.robot_id
        if not self.limiter.may_take(self.user, robot_id, self.now):
            found = execute(CheckRobot(robot_id, action.write))
            if isinstance(found, ConditionFailed):
                return found
            raise TryAgain(robot_id)
        outcome = execute(action)
        if isinstance(outcome, Written):
            self.limiter.note_taken(self.user, robot_id, self.now)
        return outcome
