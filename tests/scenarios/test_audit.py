"""Every change of control leaves one line that says who, whom, which robot and why."""

import pytest

from robosignal.protocol.ids import ConnectionId, SessionId
from robosignal.server.audit import RobotWrite, log_line, make_line
from robosignal.server.core.writes import lease, presence
from tests.world import World

SDP = {"sdp": "o"}
ME, SID = ConnectionId("c1="), SessionId("r1:c1=")


def test_a_takeover_is_logged_with_who_and_whom(
    local_world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """The line names both users, the robot, the epoch and the write; and no token."""
    caplog.set_level("INFO", "signaling.audit")
    local_world.robot("r1", "owner")
    local_world.connect("owner").ask(type="offer", robotId="r1", payload=SDP)
    caplog.clear()

    local_world.connect("boss", groups=["ADMINS"]).ask(type="takeover", robotId="r1")

    (line,) = caplog.records
    said = {name: getattr(line, name) for name in ("reason", "robot", "epoch", "by", "holder")}
    assert said == {
        "reason": "admin",
        "robot": "r1",
        "epoch": 3,
        "by": "boss",
        "holder": "boss",
    }
    assert getattr(line, "displaced", None) == "owner"
    assert "eyJ" not in line.getMessage()


def test_a_first_registration_and_a_restart_have_reasons_of_their_own(
    local_world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """Who claimed a robot id is found by its reason."""
    caplog.set_level("INFO", "signaling.audit")

    local_world.robot("r1", "owner")
    local_world.robot("r1", "owner")

    assert [getattr(line, "reason", None) for line in caplog.records] == ["claimed", "restarted"]


def test_pings_and_relays_leave_no_line(
    local_world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """What does not change control is not audited."""
    robot = local_world.robot("r1", "owner")
    driver = local_world.connect("owner")
    session = driver.ask(type="offer", robotId="r1", payload=SDP)["sessionId"]
    caplog.set_level("INFO", "signaling.audit")
    caplog.clear()

    robot.ask(type="answer", sessionId=session, payload=SDP)
    robot.ask(type="ping", robotId="r1")
    driver.ask(type="ping", sessionId=session)

    assert caplog.records == []


def test_a_change_whose_answer_was_lost_names_no_one_it_does_not_know(
    local_world: World, caplog: pytest.LogCaptureFixture
) -> None:
    """The holder before last is not who was displaced."""
    caplog.set_level("INFO", "signaling.audit")
    local_world.robot("r1", "owner")
    local_world.connect("eve", groups=["ADMINS"]).offer()
    local_world.connect("owner").ask(type="takeover", robotId="r1")
    robot = local_world.item()
    caplog.clear()

    for write in (
        lease.leave(SID, ME),
        lease.roll_back_with_robot(SID, ME, ME),
        presence.record_loss(ME),
        presence.unregister(ME),
    ):
        line = make_line(RobotWrite(write, None, robot, None, local_world.now))
        assert line is not None
        log_line(line, write)

    said = [(line.getMessage(), getattr(line, "displaced", None)) for line in caplog.records]
    assert said == [
        ("control changed", None),
        ("control changed", None),
        ("presence changed", None),
        ("control changed", "eve"),
    ]
