"""The robot's test picture: who it is, when, which frame, who drives, and where it has driven.

Knows a scene and draws it; never clocks, tracks or peers. A strip of blocks bears the frame's
number for machines: a test, or a page's canvas, can read it back out of compressed video.
"""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from robosignal.robot.media.font import line
from robosignal.robot.session.commands import STILL, Drive

WIDTH, HEIGHT = 640, 360
FRAMES_PER_SECOND = 20

BLOCK = 24
NUMBER_BITS = 24
"""The strip: from the top left corner a white block, a black one, then the number's bits."""

# Luma of video levels (ITU-R BT.601): 16 is black, 235 white; 128 is no colour.
BLACK, WHITE, NO_COLOUR = 16, 235, 128
GROUND, GRID = 40, 56
MARKER = 32
MARKER_RED = 212

FIELD_TOP = 168
FIELD_BOTTOM = HEIGHT - BLOCK - MARKER

Image = NDArray[np.uint8]
"""YUV 4:2:0 in planes: `HEIGHT` rows of luma, then the two colours at half size."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the marker is: both from 0 to 1, from the left and from the bottom."""

    x: float = 0.5
    y: float = 0.5


@dataclass(frozen=True, slots=True)
class Scene:
    """What one frame shows; `clock` is a text, `driver` None for nobody."""

    robot_id: str
    number: int
    clock: str
    driver: str | None = None
    epoch: int = 0
    place: Place = Place()
    drive: Drive = STILL


def driven(place: Place, drive: Drive, seconds: float) -> Place:
    """Return where the marker is after driving like this for so long: across in three seconds."""
    x = min(1.0, max(0.0, place.x + drive.x * seconds / 3))
    y = min(1.0, max(0.0, place.y + drive.y * seconds / 3))
    return Place(x, y)


def draw(scene: Scene) -> Image:
    """Return the picture of a scene."""
    image = _ground(scene.robot_id).copy()
    luma = image[:HEIGHT]
    _strip(luma, scene.number)
    _write(luma, 72, scene.clock)
    _write(luma, 104, f"frame {scene.number:06d}")
    _write(luma, 136, _standing(scene))
    _sweep(luma, scene.number)
    _marker(image, scene.place, moving=scene.drive != STILL)
    return image


def number_in(luma: Image) -> int | None:
    """Return the frame number that the strip bears; None where there is no strip."""
    middle = luma[BLOCK // 2, BLOCK // 2 : (NUMBER_BITS + 2) * BLOCK : BLOCK]
    white, black = int(middle[0]), int(middle[1])
    if white - black < (WHITE - BLACK) // 2:
        return None
    bits = middle[2:] > (white + black) // 2
    return int("".join("1" if bit else "0" for bit in bits), 2)


def _standing(scene: Scene) -> str:
    if scene.driver is None:
        return "nobody drives"
    return f"{scene.driver} drives ({scene.epoch})"


@lru_cache(maxsize=4)
def _ground(robot_id: str) -> Image:
    image = np.full((HEIGHT * 3 // 2, WIDTH), NO_COLOUR, dtype=np.uint8)
    image[:HEIGHT] = GROUND
    image[FIELD_TOP:HEIGHT:32] = GRID
    image[FIELD_TOP:HEIGHT, ::32] = GRID
    _write(image[:HEIGHT], 40, robot_id)
    return image


def _strip(luma: Image, number: int) -> None:
    bits = [1, 0, *(number >> place & 1 for place in range(NUMBER_BITS - 1, -1, -1))]
    row = np.repeat(np.where(np.array(bits) == 1, WHITE, BLACK).astype(np.uint8), BLOCK)
    luma[:BLOCK, : row.size] = row


def _write(luma: Image, top: int, text: str) -> None:
    dots = line(text, 3)[:, : WIDTH - 32]
    place = luma[top : top + dots.shape[0], 16 : 16 + dots.shape[1]]
    place[dots] = WHITE


def _sweep(luma: Image, number: int) -> None:
    left = number * 8 % WIDTH
    luma[HEIGHT - BLOCK // 2 :, left : left + 32] = WHITE


def _marker(image: Image, place: Place, *, moving: bool) -> None:
    # Even numbers, because a dot of colour covers two by two dots of luma.
    left = int(place.x * (WIDTH - MARKER)) & ~1
    top = int(FIELD_BOTTOM - place.y * (FIELD_BOTTOM - FIELD_TOP)) & ~1
    image[top : top + MARKER, left : left + MARKER] = 200 if moving else 110
    red = image[HEIGHT * 5 // 4 :].reshape(HEIGHT // 2, WIDTH // 2)
    red[top // 2 : (top + MARKER) // 2, left // 2 : (left + MARKER) // 2] = MARKER_RED
