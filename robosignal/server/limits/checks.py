"""Reads before it writes, for senders whose writes are likely to be refused.

A refused conditional write costs a DynamoDB key as much as one that is carried out, and a key takes
1,000 a second: strangers must not use up a robot's. So after refusals, the write's own condition is
first evaluated on a consistent read, and the write follows only if the condition holds. This
decides no rights: what passes the check is still written conditionally.

What is remembered is in this process's memory. A Lambda environment knows only its own messages,
and allows a few refused writes: so few that a thousand environments together do one robot no harm.
"""

from dataclasses import dataclass, field
from typing import Any

from msgspec import structs

from robosignal.protocol.ids import ConnectionId, RobotId, UserId
from robosignal.server.core.records import Connection, Robot
from robosignal.server.core.steps import Action, CheckRobot, ConditionFailed, WriteRobot, Written
from robosignal.server.executor import Execute
from robosignal.server.limits.bounded import Bounded
from robosignal.server.limits.limiter import Bucket, Rate, new_bucket

KEPT = 10_000
"""How many senders, users and robots are remembered at most."""

MINOR_MS = 1000
"""A renewal that extends something by less is not worth a write."""

OF_USER = Rate(0.2 / 1000, 10)
"""Refused writes of one user, to any robots: ten at once, and one more every five seconds."""

TO_ROBOT = Rate(1 / 1000, 10)
"""Refused writes to one robot, by all users: ten at once, and one more each second."""

Pair = tuple[ConnectionId, RobotId]


class Reputations:
    """What is remembered of all senders.

    The first write of a connection to a robot is not checked. After a refusal, the connection is
    checked at that robot until a write of its succeeds. If its user, or that robot, has met too
    many refusals, so is every other connection that has not yet written there successfully.
    """

    def __init__(self) -> None:
        self._succeeded: Bounded[Pair, bool] = Bounded(KEPT)
        self._renewed: Bounded[Pair, int] = Bounded(KEPT)
        self._of_user: Bounded[UserId, Bucket] = Bounded(KEPT)
        self._to_robot: Bounded[RobotId, Bucket] = Bounded(KEPT)

    def is_doubtful(self, sender: Connection, robot: RobotId, now: int) -> bool:
        """Say whether the sender's next write to this robot is checked first. `now`: epoch ms."""
        succeeded = self._succeeded.get((sender.connection_id, robot))
        if succeeded is not None:
            return not succeeded
        buckets = self._of_user.get(sender.counted_user), self._to_robot.get(robot)
        return any(bucket is not None and bucket.fill(now) < 1 for bucket in buckets)

    def has_renewed(self, sender: Connection, robot: RobotId, now: int) -> bool:
        """Say whether the sender has renewed something there less than a second ago."""
        renewed = self._renewed.get((sender.connection_id, robot))
        return renewed is not None and 0 <= now - renewed < MINOR_MS

    def note_success(self, sender: Connection, robot: RobotId) -> None:
        """Note that a write of the sender's was carried out."""
        self._succeeded.keep((sender.connection_id, robot), value=True)

    def note_refusal(self, sender: Connection, robot: RobotId, now: int) -> None:
        """Note that the sender's message was refused after a write whose condition failed."""
        self._succeeded.keep((sender.connection_id, robot), value=False)
        self._of_user.get_or_make(sender.counted_user, lambda: new_bucket(OF_USER, now)).take(now)
        self._to_robot.get_or_make(robot, lambda: new_bucket(TO_ROBOT, now)).take(now)

    def note_renewal(self, sender: Connection, robot: RobotId, now: int) -> None:
        """Note that the sender has renewed something."""
        self._renewed.keep((sender.connection_id, robot), now)


@dataclass(slots=True)
class CheckFirst:
    """Checks one message's writes by a read first, where its sender's reputation calls for it.

    Implements `robosignal.server.executor.Guard`. The outcome is the same as without it: the
    condition would have failed at the time of the read.
    """

    reputations: Reputations
    sender: Connection
    now: int
    """The message's time, in epoch ms."""
    failed: set[RobotId] = field(default_factory=set)
    """The robots to which this message's last write failed."""

    def __call__(self, action: Action, execute: Execute) -> Any:
        """Return the action's outcome; for a write that is checked in vain, the check's."""
        if not isinstance(action, WriteRobot):
            return execute(action)
        outcome = self._write(action, execute)
        robot = action.robot_id
        if not isinstance(outcome, Written):
            self.failed.add(robot)
            return outcome
        self.failed.discard(robot)
        self.reputations.note_success(self.sender, robot)
        if action.write.renewal:
            self.reputations.note_renewal(self.sender, robot, self.now)
        return outcome

    def _write(self, action: WriteRobot, execute: Execute) -> Any:
        robot, write = action.robot_id, action.write
        again = write.renewal and self.reputations.has_renewed(self.sender, robot, self.now)
        if not again and not self.reputations.is_doubtful(self.sender, robot, self.now):
            return execute(action)
        found = execute(CheckRobot(robot, write))
        if isinstance(found, ConditionFailed) or (again and _is_minor(found)):
            return found
        return execute(action)

    def note_refusal(self) -> None:
        """Note that the message was refused: the writes that failed count against its sender."""
        for robot in self.failed:
            self.reputations.note_refusal(self.sender, robot, self.now)


def _is_minor(renewed: Written[Robot]) -> bool:
    """Say whether a renewal would extend by less than a second, and change nothing else."""
    before, after = renewed.before, renewed.after
    if before is None or _without_times(before) != _without_times(after):
        return False
    pairs = zip(_times(before), _times(after), strict=True)
    return all(0 <= then - now < MINOR_MS for now, then in pairs)


def _without_times(robot: Robot) -> Robot:
    held = robot.controller and structs.replace(robot.controller, until=0)
    viewers = {each: structs.replace(viewer, until=0) for each, viewer in robot.viewers.items()}
    return structs.replace(robot, presence_until=0, controller=held, viewers=viewers)


def _times(robot: Robot) -> list[int]:
    return [robot.presence_until, *(session.until for session in robot.all_sessions())]
