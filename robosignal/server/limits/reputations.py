"""Remembers, in this process's memory, whose writes to robots were refused: who reads first.

A Lambda environment knows only its own messages, and each allows a few refused writes: so few
that a thousand environments together are no danger to one robot's item.
"""

from dataclasses import dataclass

from robosignal.protocol.ids import ConnectionId, RobotId, UserId
from robosignal.server.core.checking import TRIFLE_MS
from robosignal.server.core.records import Connection
from robosignal.server.limits.bounded import Bounded
from robosignal.server.limits.limiter import Bucket, Rate, full

KEPT = 10_000

OF_USER = Rate(0.2 / 1000, 10)
"""Refused writes of one user, on whatever robots: ten, and one more every five seconds."""

TO_ROBOT = Rate(1 / 1000, 10)
"""Refused writes to one robot, by all users: ten, and one more each second."""

Pair = tuple[ConnectionId, RobotId]


class Reputations:
    """What is known of everyone. An honest first try is written without a read before it.

    A connection that was refused is checked at that robot until it gets something there. Once
    its user, or that robot, has met too many refusals, so is any other connection that has got
    nothing there yet.
    """

    def __init__(self) -> None:
        self._won: Bounded[Pair, bool] = Bounded(KEPT)
        self._renewed: Bounded[Pair, int] = Bounded(KEPT)
        self._of_user: Bounded[UserId, Bucket] = Bounded(KEPT)
        self._to_robot: Bounded[RobotId, Bucket] = Bounded(KEPT)

    def of(self, sender: Connection, now: int) -> "Known":
        """Return what is known of a sender at `now` (epoch ms)."""
        return Known(self, sender, now)

    def is_doubtful(self, sender: Connection, robot: RobotId, now: int) -> bool:
        """Whether the sender's next write to this robot is to be checked first."""
        won = self._won.get((sender.connection_id, robot))
        if won is not None:
            return not won
        buckets = self._of_user.get(sender.user_id), self._to_robot.get(robot)
        return any(bucket is not None and bucket.fill(now) < 1 for bucket in buckets)

    def has_renewed(self, sender: Connection, robot: RobotId, now: int) -> bool:
        """Whether the sender has renewed something there less than a second ago."""
        renewed = self._renewed.get((sender.connection_id, robot))
        return renewed is not None and 0 <= now - renewed < TRIFLE_MS

    def note(self, sender: Connection, robot: RobotId, now: int, *, refused: bool) -> None:
        """Note that the sender got what it asked for, or nothing."""
        self._won.keep((sender.connection_id, robot), not refused)
        if refused:
            self._of_user.get_or_make(sender.user_id, lambda: full(OF_USER, now)).take(now)
            self._to_robot.get_or_make(robot, lambda: full(TO_ROBOT, now)).take(now)

    def note_renewal(self, sender: Connection, robot: RobotId, now: int) -> None:
        """Note that the sender has renewed something."""
        self._renewed.keep((sender.connection_id, robot), now)


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of one sender. Implements `robosignal.server.core.checking.Reputation`."""

    reputations: Reputations
    sender: Connection
    now: int

    def is_doubtful(self, robot: RobotId) -> bool:
        """Whether the next write to this robot is to be checked first."""
        return self.reputations.is_doubtful(self.sender, robot, self.now)

    def has_renewed(self, robot: RobotId) -> bool:
        """Whether the sender has renewed something there less than a second ago."""
        return self.reputations.has_renewed(self.sender, robot, self.now)

    def note(self, robot: RobotId, *, refused: bool) -> None:
        """Note that the sender got what it asked for, or nothing."""
        self.reputations.note(self.sender, robot, self.now, refused=refused)

    def note_renewal(self, robot: RobotId) -> None:
        """Note that the sender has renewed something."""
        self.reputations.note_renewal(self.sender, robot, self.now)
