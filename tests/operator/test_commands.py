"""When commands go out, by a clock of the test's: what a program and a page have in common."""

from typing import cast

import pytest

from robosignal.operator.channels import (
    Capabilities,
    DataChannels,
    Heartbeat,
    RefusedCounts,
    Target,
)
from robosignal.operator.commands import CommandSender, Standing
from robosignal.robot.drive import STILL, Drive

AHEAD = Drive(0.0, 1.0)


class Recorder:
    """Where commands go: each with the time, the epoch and the robot's clock."""

    def __init__(self, clock: "Clock") -> None:
        self.sent: list[tuple[float, int, int, Target]] = []
        self._clock = clock

    def send_command(self, epoch: int, t: int, target: Target) -> int:
        """Note a command."""
        self.sent.append((self._clock.ms, epoch, t, target))
        return len(self.sent)

    @property
    def drives(self) -> list[tuple[float, Drive]]:
        """When each drive went out."""
        return [(at, target.drive) for at, _, _, target in self.sent]


class Clock:
    """Time that only the test moves on."""

    ms = 1000.0


class Driving:
    """A sender that drives at epoch 5, and has heard a robot that is armed."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.recorder = Recorder(self.clock)
        self.standing = Standing(is_driver=True, epoch=5)
        self.refusals: list[int] = []
        self.sender = CommandSender(
            cast("DataChannels", self.recorder),
            lambda: self.clock.ms,
            lambda: self.standing,
            self.refusals.append,
        )
        self.sender.open()
        self.sender.capabilities = Capabilities(2, 1000, 500, None)
        self.beat()

    def beat(self, **fields: object) -> None:
        """Hear a heartbeat."""
        given = {"t": int(self.clock.ms), "n": 1, "epoch": 5, "armed": True, "driver": "Olga"}
        given |= {"refused": RefusedCounts()} | fields
        self.sender.hear(Heartbeat(**given))  # type: ignore[arg-type]

    def wait(self, ms: int, *, beats: bool = True) -> None:
        """Let time pass, in steps of 5 ms, with a heartbeat and a look at what is due in each."""
        for _ in range(ms // 5):
            self.clock.ms += 5
            if beats:
                self.beat()
            self.sender.repeat()


@pytest.fixture
def driving() -> Driving:
    """Return it."""
    return Driving()


def test_each_command_goes_twice(driving: Driving) -> None:
    """The second time 12 ms later at the soonest, with the newest clock of the robot."""
    assert driving.sender.send_drive(AHEAD)
    driving.wait(40)

    (first, epoch, t, _), (second, _, later, _) = driving.recorder.sent
    assert (epoch, t) == (5, 1000)
    assert second - first == 15
    assert later == 1015


def test_it_does_not_go_again_late_or_at_another_epoch(driving: Driving) -> None:
    """After the program has not run for a while it may no longer be meant."""
    driving.sender.send_drive(AHEAD)
    driving.clock.ms += 61
    driving.sender.repeat()
    driving.sender.send_drive(AHEAD)
    driving.standing = Standing(is_driver=True, epoch=6)
    driving.wait(20)

    assert len(driving.recorder.sent) == 2


def test_a_driver_that_asks_for_nothing_sends_zeros(driving: Driving) -> None:
    """20 times a second; one who views sends nothing."""
    driving.wait(200)
    while_driving = len(driving.recorder.sent)
    driving.standing = Standing(is_driver=False, epoch=5)
    driving.wait(200)

    assert {drive for _, drive in driving.recorder.drives} == {STILL}
    assert while_driving == len(driving.recorder.sent) == 4


def test_it_stops_when_the_program_does(driving: Driving) -> None:
    """A motion is in force for 500 ms, and zeros follow."""
    driving.sender.send_drive(AHEAD)
    driving.wait(700)
    zeros = [at for at, drive in driving.recorder.drives if drive == STILL]

    assert zeros[0] == 1500


def test_motion_that_was_interrupted_does_not_go_on(driving: Driving) -> None:
    """Until nothing was asked for once; a pause does as well."""
    driving.sender.send_drive(AHEAD)
    driving.beat(armed=False)
    driving.beat()
    after = driving.sender.send_drive(AHEAD)
    driving.sender.send_drive(STILL)
    after_zero = driving.sender.send_drive(AHEAD)
    driving.beat(armed=False)
    driving.beat()
    again = driving.sender.send_drive(AHEAD)
    driving.wait(500)
    after_pause = driving.sender.send_drive(AHEAD)

    assert (after, after_zero, again, after_pause) == (False, True, False, True)


def test_no_motion_goes_to_a_robot_that_is_silent(driving: Driving) -> None:
    """For as long as its freshness limit; zeros do, and are of no harm."""
    driving.wait(1005, beats=False)

    assert driving.sender.blocked == "silent"
    assert not driving.sender.send_drive(AHEAD)


def test_a_stop_blocks_until_it_is_cleared(driving: Driving) -> None:
    """It does not matter who has stopped it."""
    driving.sender.stopped_by = "Olga"
    assert driving.sender.blocked == "stopped"
    driving.sender.stopped_by = None
    assert driving.sender.blocked is None


def test_the_end_of_the_right_shows_in_refused_zeros(driving: Driving) -> None:
    """At our own epoch, and without a driver."""
    driving.beat(driver=None, refused=RefusedCounts(refused=1))
    ended = driving.sender.blocked
    driving.beat()

    assert (ended, driving.sender.blocked) == ("right-ended", None)


def test_a_robot_that_refuses_at_another_epoch_is_reported(driving: Driving) -> None:
    """After half a second: a change of driver reaches it and us by different ways."""
    driving.beat(epoch=6, refused=RefusedCounts(refused=1))
    at_once = list(driving.refusals)
    driving.clock.ms += 500
    driving.beat(epoch=6, refused=RefusedCounts(refused=2))

    assert at_once == []
    assert driving.refusals == [6]


def test_a_heartbeat_that_was_overtaken_is_ignored(driving: Driving) -> None:
    """Its clock would make commands older than they are."""
    driving.clock.ms += 50
    driving.beat()
    driving.beat(t=1020, armed=False)
    driving.sender.send_drive(AHEAD)

    assert driving.recorder.sent[-1][2] == 1050


def test_drive_and_values_go_in_one_command(driving: Driving) -> None:
    """Each as long as it is in force."""
    driving.sender.send_drive(AHEAD)
    driving.sender.send_values((0.5, None, True))
    both = driving.recorder.sent[-1][3]
    driving.wait(400)
    driving.sender.send_values((0.5,))
    driving.wait(200)
    driving.sender.send_values((0.5,))

    assert both == Target(AHEAD, (0.5, None, True))
    assert driving.recorder.sent[-1][3] == Target(STILL, (0.5,))
