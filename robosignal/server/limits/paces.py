"""Paces of one process: what its limiter allows, and which robots' pushes wait.

The first event after a push is due sends it, or a timer that asks each second, as in the local
gateway. A Lambda environment without a further event sends none; its watchers list again when
what they were told is no longer valid.
"""

from collections import OrderedDict
from dataclasses import dataclass
from threading import Lock

from robosignal.protocol.ids import RobotId, UserId
from robosignal.server.core.records import Robot
from robosignal.server.ports import Limiter

KEPT = 1_000


class Paces:
    """What everyone has done recently."""

    def __init__(self, limiter: Limiter) -> None:
        self.limiter = limiter
        self._deferred: OrderedDict[RobotId, Robot] = OrderedDict()
        self._lock = Lock()

    def of(self, user: UserId | None, now: int) -> "Paced":
        """Return the pace of a user's message at `now` (epoch ms); of an event's without a user."""
        return Paced(self, user, now)

    def defer_push(self, robot: Robot) -> None:
        """Keep a robot's state, unless a newer one is kept; beyond `KEPT` the oldest is dropped."""
        with self._lock:
            known = self._deferred.get(robot.robot_id)
            if known is None or known.rev <= robot.rev:
                self._deferred[robot.robot_id] = robot
            if len(self._deferred) > KEPT:
                self._deferred.popitem(last=False)

    def drop_push(self, robot: RobotId) -> None:
        """Drop the push that waits for this robot, if any."""
        with self._lock:
            self._deferred.pop(robot, None)

    def next_push(self, now: int) -> Robot | None:
        """Remove and return the robot that has waited longest, if its pace allows a push now."""
        with self._lock:
            robot_id = next(iter(self._deferred), None)
            if robot_id is None or not self.limiter.may_push(robot_id, now):
                return None
            return self._deferred.pop(robot_id)


@dataclass(frozen=True, slots=True)
class Paced:
    """The pace of one message. Implements `robosignal.server.core.pacing.Pace`."""

    paces: Paces
    user: UserId | None
    now: int

    def may_take(self, robot: RobotId) -> bool:
        """Whether the sender's user may take this robot's lease once more."""
        return self.user is None or self.paces.limiter.may_take(self.user, robot, self.now)

    def note_taken(self, robot: RobotId) -> None:
        """Note that the sender's user has taken this robot's lease."""
        if self.user is not None:
            self.paces.limiter.note_taken(self.user, robot, self.now)

    def may_push(self, robot: RobotId) -> bool:
        """Whether this robot's watchers are told now; that also replaces a push that waits."""
        allowed = self.paces.limiter.may_push(robot, self.now)
        if allowed:
            self.paces.drop_push(robot)
        return allowed

    def defer_push(self, robot: Robot) -> None:
        """Keep this robot's state, for a later push to its watchers."""
        self.paces.defer_push(robot)

    def next_push(self) -> Robot | None:
        """Return a robot whose watchers are to be told now, once."""
        return self.paces.next_push(self.now)
