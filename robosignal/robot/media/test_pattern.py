"""The test picture: who the robot is, when, which frame, who drives, and where it has driven.

A strip of blocks at the top left holds the frame's number for machines: a white block, a black
one, then the number's bits, so that a test or a page's canvas can read it from compressed video.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from fractions import Fraction
from functools import lru_cache
from threading import Lock
from unicodedata import normalize

from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av import VideoFrame

from robosignal.robot.drive import STILL, Drive
from robosignal.robot.media.encoding import CLOCK_RATE
from robosignal.robot.session.events import Show

WIDTH, HEIGHT = 640, 360
FRAMES_PER_SECOND = 20

BLOCK = 24
NUMBER_BITS = 24

# Luma of video levels (ITU-R BT.601): 16 is black, 235 white; 128 is no colour.
BLACK, WHITE, NO_COLOUR = 16, 235, 128
GROUND, GRID, GRID_STEP = 40, 56, 32
MARKER, MARKER_STILL, MARKER_MOVING, MARKER_RED = 32, 110, 200, 212

LUMA = WIDTH * HEIGHT
CHROMA = LUMA // 4

FIELD_TOP = 168
FIELD_BOTTOM = HEIGHT - BLOCK - MARKER

MARGIN = 16
SCALE = 3
"""How many pixels wide and high a dot of a letter is."""

Image = bytearray
"""YUV 4:2:0 in planes: `LUMA` bytes row by row, then the two colours at half size."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the marker is: both from 0 to 1, from the left and from the bottom."""

    x: float = 0.5
    y: float = 0.5


@dataclass(frozen=True, slots=True)
class Scene:
    """What one frame shows; `clock` is a text, `driver` is None while the lease is free.

    `stopped_by` says who has stopped the robot; `right_ended`: the driver may drive no more.
    """

    robot_id: str
    number: int
    clock: str
    driver: str | None = None
    epoch: int = 0
    place: Place = Place()
    drive: Drive = STILL
    stopped_by: str | None = None
    right_ended: bool = False


class Pattern:
    """The scene as it is now. `clock` returns steady seconds; `fps` is frames a second, above 0.

    Each frame is drawn once, when the first peer asks for it.
    """

    def __init__(
        self, robot_id: str, clock: Callable[[], float], fps: float = FRAMES_PER_SECOND
    ) -> None:
        self.fps = fps
        self._robot_id = robot_id
        self._clock = clock
        self._began = clock()
        self._shown = Show(None, 0)
        self._drive = STILL
        self._place = Place()
        self._placed = self._began
        self._drawn: tuple[int, Image] | None = None
        self._track: PatternTrack | None = None
        # The motors' thread moves the marker, and the event loop's draws it.
        self._moving = Lock()

    def show(self, shown: Show) -> None:
        """Show from now on who drives, and who has stopped the robot."""
        self._shown = shown

    def drive(self, drive: Drive) -> None:
        """Have the marker drive like this from now on."""
        with self._moving:
            self._move_marker()
            self._drive = drive

    def track(self) -> "PatternTrack":
        """Return the track that all peers watch; a new one after it was stopped."""
        if self._track is None or self._track.readyState == "ended":
            self._track = PatternTrack(self)
        return self._track

    @property
    def place(self) -> Place:
        """Where the marker is now."""
        with self._moving:
            self._move_marker()
            return self._place

    def number(self) -> int:
        """Return the number of the frame that is due now, from 1."""
        return 1 + int((self._clock() - self._began) * self.fps)

    def seconds_until(self, number: int) -> float:
        """Return how long it is until this frame is due; negative when it was."""
        return self._began + (number - 1) / self.fps - self._clock()

    def image(self, number: int) -> Image:
        """Return this frame, drawn on the first demand."""
        if self._drawn is None or self._drawn[0] != number:
            self._drawn = number, draw(self._scene(number))
        return self._drawn[1]

    def _scene(self, number: int) -> Scene:
        clock = datetime.now(UTC).strftime("%H:%M:%S.%f")[:-5] + " UTC"
        shown = self._shown
        return Scene(
            self._robot_id,
            number,
            clock,
            shown.driver,
            shown.epoch,
            self.place,
            self._drive,
            shown.stopped_by,
            shown.right_ended,
        )

    def _move_marker(self) -> None:
        now = self._clock()
        self._place = move(self._place, self._drive, now - self._placed)
        self._placed = now


class PatternTrack(MediaStreamTrack):
    """The pattern as a camera. Frames for which its reader was too slow are left out."""

    kind = "video"

    def __init__(self, pattern: Pattern) -> None:
        super().__init__()
        self._pattern = pattern
        self._number = 0

    async def recv(self) -> VideoFrame:
        """Return the next frame when it is due."""
        if self.readyState != "live":
            raise MediaStreamError
        self._number = max(self._number + 1, self._pattern.number())
        await asyncio.sleep(max(0.0, self._pattern.seconds_until(self._number)))
        frame = make_frame(self._pattern.image(self._number))
        frame.pts = int(self._number * CLOCK_RATE / self._pattern.fps)
        frame.time_base = Fraction(1, CLOCK_RATE)
        return frame


def make_frame(image: Image) -> VideoFrame:
    """Return an image as a frame of video."""
    frame = VideoFrame(WIDTH, HEIGHT, "yuv420p")
    planes, at = memoryview(image), 0
    for plane, size in zip(frame.planes, (LUMA, CHROMA, CHROMA), strict=True):
        # Its stub says bytes; it takes any buffer, and a copy costs time.
        plane.update(planes[at : at + size])  # type: ignore[arg-type]
        at += size
    return frame


def move(place: Place, drive: Drive, seconds: float) -> Place:
    """Return where the marker is after driving like this for so long: across in three seconds."""
    x = min(1.0, max(0.0, place.x + drive.x * seconds / 3))
    y = min(1.0, max(0.0, place.y + drive.y * seconds / 3))
    return Place(x, y)


def draw(scene: Scene) -> Image:
    """Return the picture of a scene."""
    image = bytearray(_draw_ground(scene.robot_id))
    _draw_number(image, scene.number)
    _write(image, 72, scene.clock)
    _write(image, 104, f"frame {scene.number:06d}")
    _write(image, 136, _describe_driver(scene))
    _draw_sweep(image, scene.number)
    _draw_marker(image, scene.place, is_moving=scene.drive != STILL)
    return image


def _describe_driver(scene: Scene) -> str:
    if scene.stopped_by is not None:
        return f"STOPPED by {scene.stopped_by}"
    if scene.driver is None:
        return "no one drives"
    if scene.right_ended:
        return f"{scene.driver}: right ended"
    return f"{scene.driver} drives ({scene.epoch})"


@lru_cache(maxsize=4)
def _draw_ground(robot_id: str) -> bytes:
    plain = bytes([GROUND]) * WIDTH
    lined = bytes([GRID]) * WIDTH
    dotted = bytearray(plain)
    dotted[::GRID_STEP] = bytes([GRID]) * (WIDTH // GRID_STEP)
    field = (
        lined if (row - FIELD_TOP) % GRID_STEP == 0 else dotted for row in range(FIELD_TOP, HEIGHT)
    )
    image = bytearray(plain * FIELD_TOP + b"".join(field) + bytes([NO_COLOUR]) * 2 * CHROMA)
    _write(image, 40, robot_id)
    return bytes(image)


def _fill(image: Image, top: int, height: int, left: int, row: bytes) -> None:
    """Repeat a row of luma from this place downwards."""
    for at in range(top * WIDTH + left, (top + height) * WIDTH + left, WIDTH):
        image[at : at + len(row)] = row


def _draw_number(image: Image, number: int) -> None:
    bits = f"10{number % 2**NUMBER_BITS:0{NUMBER_BITS}b}"
    row = b"".join(_BLOCKS[bit] for bit in bits)
    _fill(image, 0, BLOCK, 0, row)


_BLOCKS = {"0": bytes([BLACK]) * BLOCK, "1": bytes([WHITE]) * BLOCK}


def _write(image: Image, top: int, text: str) -> None:
    for number, row in enumerate(draw_text(text)):
        _fill(image, top + number * SCALE, SCALE, MARGIN, row[: WIDTH - 2 * MARGIN])


def _draw_sweep(image: Image, number: int) -> None:
    left = number * 8 % WIDTH
    row = bytes([WHITE]) * min(32, WIDTH - left)
    _fill(image, HEIGHT - BLOCK // 2, BLOCK // 2, left, row)


def _draw_marker(image: Image, place: Place, *, is_moving: bool) -> None:
    # Even numbers, because a dot of colour covers two by two dots of luma.
    left = int(place.x * (WIDTH - MARKER)) & ~1
    top = int(FIELD_BOTTOM - place.y * (FIELD_BOTTOM - FIELD_TOP)) & ~1
    _fill(image, top, MARKER, left, bytes([MARKER_MOVING if is_moving else MARKER_STILL]) * MARKER)
    red = bytes([MARKER_RED]) * (MARKER // 2)
    first = LUMA + CHROMA + top // 2 * (WIDTH // 2) + left // 2
    for at in range(first, first + MARKER // 2 * (WIDTH // 2), WIDTH // 2):
        image[at : at + MARKER // 2] = red


# Letters of five by seven dots.

ROWS, COLUMNS = 7, 5

GLYPHS = {
    "0": "0e11131519110e",
    "1": "040c040404040e",
    "2": "0e11010204081f",
    "3": "1f02040201110e",
    "4": "02060a121f0202",
    "5": "1f101e0101110e",
    "6": "0608101e11110e",
    "7": "1f010204080808",
    "8": "0e11110e11110e",
    "9": "0e11110f01020c",
    "A": "0e11111f111111",
    "B": "1e11111e11111e",
    "C": "0e11101010110e",
    "D": "1c12111111121c",
    "E": "1f10101e10101f",
    "F": "1f10101e101010",
    "G": "0e11101711110f",
    "H": "1111111f111111",
    "I": "0e04040404040e",
    "J": "0702020202120c",
    "K": "11121418141211",
    "L": "1010101010101f",
    "M": "111b1515111111",
    "N": "11111915131111",
    "O": "0e11111111110e",
    "P": "1e11111e101010",
    "Q": "0e11111115120d",
    "R": "1e11111e141211",
    "S": "0f10100e01011e",
    "T": "1f040404040404",
    "U": "1111111111110e",
    "V": "11111111110a04",
    "W": "1111111515150a",
    "X": "11110a040a1111",
    "Y": "1111110a040404",
    "Z": "1f01020408101f",
    ".": "00000000000c0c",
    ":": "000c0c000c0c00",
    "-": "0000001f000000",
    "_": "0000000000001f",
    "(": "02040808080402",
    ")": "08040202020408",
    "@": "0e11010d15150e",
    "/": "00010204081000",
    "?": "0e110102040004",
    " ": "00000000000000",
}


@lru_cache(maxsize=64)
def draw_text(text: str) -> tuple[bytes, ...]:
    """Return `ROWS` rows of luma for one line of text, each to be repeated `SCALE` times.

    Letters without a glyph become `?`; accents are dropped, so that a name stays readable.
    """
    letters = [letter for letter in normalize("NFKD", text).upper() if not _is_accent(letter)]
    rows = [bytes.fromhex(GLYPHS.get(letter, GLYPHS["?"])) for letter in letters]
    return tuple(b"".join(_DOTS[glyph[row]] for glyph in rows) for row in range(ROWS))


def _is_accent(letter: str) -> bool:
    return "\u0300" <= letter <= "\u036f"


# The sixth bit from the right is always clear: it is the gap between two letters.
_DOTS = [
    b"".join(
        bytes([WHITE if bits >> place & 1 else GROUND]) * SCALE for place in range(COLUMNS, -1, -1)
    )
    for bits in range(2**COLUMNS)
]
