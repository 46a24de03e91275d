"""Who drives, as the robot's program is told, and whether it may move the robot itself."""

from robosignal.protocol.ids import InstanceId, RobotId
from robosignal.robot.session import machine
from robosignal.robot.session.events import Tick
from robosignal.robot.session.people import find_people
from robosignal.robot.session.registration import Identity, Registration
from robosignal.robot.session.state import RobotState
from tests.robot.session.test_rights import feed, offered


def test_a_robot_whose_drivers_right_has_ended_is_not_free_before_the_lease_is() -> None:
    """The right may be renewed, and the driver goes on: until then the program moves nothing."""
    new = RobotState(Registration(Identity(RobotId("demo"), InstanceId("run-1"))))
    driven, _ = offered({"drive": True, "rightSeconds": 1})
    ended, _ = machine.step(driven, Tick(), 1000)
    released, _ = feed(ended, 1100, type="control", epoch=3)
    told = [find_people(state) for state in (new, driven, ended, released)]

    assert [each.driver is not None for each in told] == [False, True, False, False]
    assert [each.is_free for each in told] == [False, False, False, True]
