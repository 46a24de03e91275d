from fractions import Fraction

import numpy as np
import pytest
from av import VideoFrame

from robosignal.robot.drive import STILL, Drive
from robosignal.robot.media.test_pattern import HEIGHT, Pattern, PatternTrack
from tests.robot.pictures import number_in


class Clock:
    """A clock that goes when it is told."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        """Tell the time."""
        return self.seconds


def test_frame_is_drawn_once_for_all_peers() -> None:
    """The second demand for a number gets the same picture."""
    camera = Pattern("demo", Clock())

    assert camera.image(5) is camera.image(5)


def test_twenty_frames_are_due_in_a_second() -> None:
    """The first is number one."""
    clock = Clock()
    camera = Pattern("demo", clock)
    first = camera.number()
    clock.seconds += 1

    assert (first, camera.number()) == (1, 21)
    assert camera.seconds_until(22) == pytest.approx(0.05)


def test_marker_drives_between_commands_not_between_frames() -> None:
    """A stop counts from when it came, though nobody watched meanwhile."""
    clock = Clock()
    camera = Pattern("demo", clock)
    camera.drive(Drive(1.0, 0.0))
    clock.seconds += 0.6
    camera.drive(STILL)
    clock.seconds += 10

    assert camera.place.x == pytest.approx(0.7)


def shown(frame: VideoFrame) -> int | None:
    """Return the number in a frame."""
    return number_in(np.asarray(frame.to_ndarray(format="yuv420p"), dtype=np.uint8)[:HEIGHT])


async def test_slow_peer_leaves_frames_out() -> None:
    """What was missed is not sent late."""
    clock = Clock()
    track = PatternTrack(Pattern("demo", clock))
    first = await track.recv()
    clock.seconds += 2
    second = await track.recv()

    assert [shown(first), shown(second)] == [1, 41]


async def test_timestamps_follow_the_frame_numbers() -> None:
    """Twenty frames a second are 4500 ticks of RTP's clock each."""
    clock = Clock()
    track = PatternTrack(Pattern("demo", clock))
    first = await track.recv()
    clock.seconds += 0.05
    second = await track.recv()

    assert (second.pts or 0) - (first.pts or 0) == 4500
    assert second.time_base == Fraction(1, 90_000)
