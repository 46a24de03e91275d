"""What counts as a change of a robot: what goes to the audit log, and is pushed to watchers."""

import pytest

from robosignal.protocol.ids import ConnectionId, RobotId, UserId
from robosignal.server.changes import Change, find_change
from robosignal.server.core.conditional_writes import Write
from robosignal.server.core.effects import Effect
from robosignal.server.core.records import Robot
from robosignal.server.core.steps import WriteRobot, Written
from robosignal.server.core.writes import presence
from tests.server.core.conditions.every_case import CASES

R1 = RobotId("r1")
ROBOT = Robot(robot_id=R1, owner_user_id=UserId("ann"), rev=7)


def test_a_write_whose_answer_was_lost_is_a_change() -> None:
    """What was there before is not known, and that it has changed is."""
    losing = presence.record_loss(ConnectionId("c1="))

    change = find_change(WriteRobot(R1, losing), Written(None, ROBOT))

    assert change == Change(losing, Effect.LOST, None, ROBOT)


@pytest.mark.parametrize(
    "write", [several[0].write for several in CASES.values()], ids=lambda write: write.name
)
def test_whatever_raises_rev_or_changes_a_share_is_a_change_and_nothing_else(write: Write) -> None:
    """Renewals, places and losses of a holder are none."""
    change = find_change(WriteRobot(R1, write), Written(ROBOT, ROBOT))

    changes_keys = any(each.path[0] == "keys" for each in write.then)
    changes_rights = write.changes(("operators",)) or write.changes(("inviting",))
    assert bool(change) == (write.increments(("rev",)) or changes_rights or changes_keys)
