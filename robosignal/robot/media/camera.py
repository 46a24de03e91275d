"""The video that all peers watch: each frame is drawn once, when somebody wants it.

Knows the clock and the present scene; never peers or signaling.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from fractions import Fraction
from threading import Lock

from aiortc import MediaStreamTrack
from aiortc.mediastreams import MediaStreamError
from av import VideoFrame

from robosignal.robot.media.picture import FRAMES_PER_SECOND, Image, Place, Scene, draw, driven
from robosignal.robot.session.commands import STILL, Drive

CLOCK_RATE = 90_000
"""RTP's clock for video (RFC 6184, section 8.2.1, and RFC 7741, section 4.1), in Hz."""


class Camera:
    """The scene as it is now. `clock` tells steady seconds."""

    def __init__(self, robot_id: str, clock: Callable[[], float]) -> None:
        self._robot_id = robot_id
        self._clock = clock
        self._began = clock()
        self._driver: str | None = None
        self._epoch = 0
        self._drive = STILL
        self._place = Place()
        self._placed = self._began
        self._drawn: tuple[int, Image] | None = None
        # It is moved by the motors' thread, and drawn by the event loop's.
        self._moving = Lock()

    def show(self, driver: str | None, epoch: int) -> None:
        """Show from now on who drives."""
        self._driver, self._epoch = driver, epoch

    def move(self, drive: Drive) -> None:
        """Let the marker drive like this from now on."""
        with self._moving:
            self._drive_on()
            self._drive = drive

    @property
    def place(self) -> Place:
        """Where the marker is now."""
        with self._moving:
            self._drive_on()
            return self._place

    def number(self) -> int:
        """Return the number of the frame that is due now, from 1."""
        return 1 + int((self._clock() - self._began) * FRAMES_PER_SECOND)

    def seconds_until(self, number: int) -> float:
        """Return how long it is until this frame is due; negative when it was."""
        return self._began + (number - 1) / FRAMES_PER_SECOND - self._clock()

    def image(self, number: int) -> Image:
        """Return this frame, drawn on the first demand."""
        if self._drawn is None or self._drawn[0] != number:
            self._drawn = number, draw(self._scene(number))
        return self._drawn[1]

    def _scene(self, number: int) -> Scene:
        clock = datetime.now(UTC).strftime("%H:%M:%S.%f")[:-5] + " UTC"
        return Scene(
            self._robot_id, number, clock, self._driver, self._epoch, self.place, self._drive
        )

    def _drive_on(self) -> None:
        now = self._clock()
        self._place = driven(self._place, self._drive, now - self._placed)
        self._placed = now


class CameraTrack(MediaStreamTrack):
    """One peer's view of the camera. Frames that it was too slow for are left out."""

    kind = "video"

    def __init__(self, camera: Camera) -> None:
        super().__init__()
        self._camera = camera
        self._number = 0

    async def recv(self) -> VideoFrame:
        """Return the next frame when it is due."""
        if self.readyState != "live":
            raise MediaStreamError
        self._number = max(self._number + 1, self._camera.number())
        await asyncio.sleep(max(0.0, self._camera.seconds_until(self._number)))
        # A frame of its own for each peer: an encoder marks the frame that it makes a key frame.
        frame = VideoFrame.from_ndarray(self._camera.image(self._number), format="yuv420p")
        frame.pts = self._number * CLOCK_RATE // FRAMES_PER_SECOND
        frame.time_base = Fraction(1, CLOCK_RATE)
        return frame
