"""A store in which another message comes between two steps of the one under way."""

from collections.abc import Callable

from robosignal.gateway.store import LocalStore
from robosignal.protocol.errors import TryAgain
from robosignal.protocol.ids import ConnectionId, RobotId
from robosignal.server.core.conditional_writes import Write
from robosignal.server.core.records import Connection, Robot
from robosignal.server.core.steps import ConditionFailed, Written

Happening = Callable[[], object]


def nothing() -> None:
    """Happen in no way."""


class Between(LocalStore):
    """Each thing that is to happen does so once, right before such a write."""

    def __init__(self) -> None:
        super().__init__(None)
        self.before_robot: Happening = nothing
        self.before_row: Happening = nothing
        self._writes_left: int | None = None

    def throttle(self, after: int | None) -> None:
        """Be too busy for more writes to an item than so many; None: be so no more."""
        self._writes_left = after

    def write_robot(self, robot: RobotId, write: Write) -> Written[Robot] | ConditionFailed[Robot]:
        """Carry out a write to an item, after what comes before it."""
        happening, self.before_robot = self.before_robot, nothing
        happening()
        if self._writes_left == 0:
            raise TryAgain
        if self._writes_left is not None:
            self._writes_left -= 1
        return super().write_robot(robot, write)

    def write_connection(
        self, connection: ConnectionId, write: Write
    ) -> Written[Connection] | ConditionFailed[Connection]:
        """Carry out a write to a row, after what comes before it."""
        happening, self.before_row = self.before_row, nothing
        happening()
        return super().write_connection(connection, write)
