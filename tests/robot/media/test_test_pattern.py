from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from av import VideoFrame
from hypothesis import given
from hypothesis import strategies as st

from robosignal.robot.drive import STILL, Drive
from robosignal.robot.media.test_pattern import (
    CHROMA,
    HEIGHT,
    LUMA,
    WIDTH,
    Pattern,
    PatternTrack,
    Place,
    Scene,
    draw,
    draw_text,
    move,
)
from tests.robot.pictures import Planes, number_in, planes

SCENE = Scene("demo", 1, "12:00:00.0 UTC")


def luma(scene: Scene) -> Planes:
    """Return the grey part of the scene's picture."""
    return planes(draw(scene))[:HEIGHT]


@given(st.integers(0, 2**24 - 1))
def test_number_can_be_read_back(number: int) -> None:
    """The strip shows the number of the frame."""
    assert number_in(luma(replace(SCENE, number=number))) == number


def test_number_starts_again_when_the_strip_is_full() -> None:
    """Nine days of frames later the strip shows the lowest bits."""
    assert number_in(luma(replace(SCENE, number=2**24 + 5))) == 5


def test_picture_without_a_strip_has_no_number() -> None:
    """A black frame, as before the first key frame, is not number zero."""
    assert number_in(np.full((HEIGHT, WIDTH), 16, dtype=np.uint8)) is None


@pytest.mark.parametrize(
    "changed",
    [
        replace(SCENE, robot_id="other"),
        replace(SCENE, clock="12:00:00.1 UTC"),
        replace(SCENE, number=2),
        replace(SCENE, driver="Alice"),
        replace(SCENE, driver="Alice", epoch=3),
        replace(SCENE, place=Place(0.2, 0.2)),
        replace(SCENE, drive=Drive(0.0, 1.0)),
    ],
)
def test_each_part_of_the_scene_is_seen(changed: Scene) -> None:
    """No two scenes look alike."""
    assert draw(SCENE) != draw(changed)


@given(st.text(max_size=200), st.floats(0, 1), st.floats(0, 1))
def test_any_scene_can_be_drawn(name: str, x: float, y: float) -> None:
    """Names of any letters and length, and each place, fit the picture."""
    image = draw(replace(SCENE, driver=name, place=Place(x, y)))

    assert len(image) == LUMA + 2 * CHROMA


@given(st.floats(-1, 1), st.floats(-1, 1), st.floats(0, 1000))
def test_marker_stays_in_the_picture(x: float, y: float, seconds: float) -> None:
    """However long one drives, the marker stops at the edge."""
    place = move(Place(), Drive(x, y), seconds)

    assert 0 <= place.x <= 1
    assert 0 <= place.y <= 1


def test_forward_is_up_and_right_is_right() -> None:
    """The marker goes where the driver pushes."""
    assert move(Place(0.5, 0.5), Drive(1.0, 0.5), 0.6) == Place(0.7, 0.6)


def test_still_marker_stays() -> None:
    """Time alone moves nothing."""
    assert move(Place(0.1, 0.2), STILL, 100.0) == Place(0.1, 0.2)


def test_accents_are_dropped_and_unknown_letters_shown_as_one() -> None:
    """A name stays readable, and its length is not hidden."""
    assert draw_text("José") == draw_text("JOSE")
    assert draw_text("東") == draw_text("?")


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
    """A stop counts from when it came, though there was no viewer meanwhile."""
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
