"""What counts as a change of a robot: what is pushed to watchers and goes to the audit log."""

from typing import Any

import pytest

from robosignal.protocol.ids import ConnectionId, RobotId, UserId
from robosignal.server.core.conditional_writes import Write
from robosignal.server.core.records import Robot
from robosignal.server.core.steps import Parallel, Step, WriteRobot, Written, write_robot
from robosignal.server.core.watching import Change, pushing
from robosignal.server.core.writes import presence
from robosignal.server.executor import run
from tests.server.core.conditions.every_case import CASES

R1 = RobotId("r1")
ROBOT = Robot(robot_id=R1, owner_user_id=UserId("ann"), rev=7)


def changes_of(write: Write, outcome: Written[Robot]) -> list[Change]:
    """Return what is noted of a flow that makes this write, with this outcome."""
    noted: list[Change] = []

    def carry_out(step: Step) -> Any:
        if isinstance(step, WriteRobot):
            return outcome
        assert isinstance(step, Parallel)
        return tuple(() for _ in step.steps)

    run(pushing(write_robot(R1, write), 0, noted.append), carry_out)
    return noted


def test_a_write_whose_answer_was_lost_is_a_change() -> None:
    """What was there before is not known, and that it has changed is."""
    losing = presence.record_loss(ConnectionId("c1="))

    assert changes_of(losing, Written(None, ROBOT)) == [Change(losing, None, ROBOT)]


@pytest.mark.parametrize(
    "write", [several[0].write for several in CASES.values()], ids=lambda write: write.name
)
def test_whatever_raises_rev_or_changes_a_share_is_a_change_and_nothing_else(write: Write) -> None:
    """Renewals, places and losses of a holder are none."""
    noted = changes_of(write, Written(ROBOT, ROBOT))

    assert bool(noted) == (write.raises(("rev",)) or write.touches(("operators",)))
