"""`python camera_robot.py URL`: a robot with a camera that gives pictures as USB cameras do.

It is a program of its own, whose processor time and end are its own. It needs nothing of this
project but its public names, so that it runs with other versions of it too.
"""

import argparse
import asyncio
import logging
import signal
import sys
from fractions import Fraction

import numpy as np
from aiortc import MediaStreamTrack
from av import VideoFrame

from robosignal.robot import Robot

WIDTH, HEIGHT = 640, 360
FRAMES_PER_SECOND = 20
BLOCK, NUMBER_BITS = 24, 24
LOOP = 64
"""How many pictures there are; each shows its number, as the test picture does."""


class Camera(MediaStreamTrack):
    """Gives pictures of a moving scene with the noise of a sensor, drawn beforehand."""

    kind = "video"

    def __init__(self, pixels: str) -> None:
        super().__init__()
        self._pixels = pixels
        self._pictures = [draw(number, pixels) for number in range(LOOP)]
        self._number = 0
        self._began: float | None = None

    async def recv(self) -> VideoFrame:
        """Return the next picture when it is due."""
        now = asyncio.get_running_loop().time()
        if self._began is None:
            self._began = now
        self._number += 1
        await asyncio.sleep(max(0.0, self._began + self._number / FRAMES_PER_SECOND - now))
        picture = self._pictures[self._number % LOOP]
        frame = VideoFrame.from_ndarray(picture, format=self._pixels)
        frame.pts, frame.time_base = self._number, Fraction(1, FRAMES_PER_SECOND)
        return frame


def draw(number: int, pixels: str) -> np.ndarray:
    """Return one picture in this pixel format."""
    random = np.random.default_rng(number)
    across = np.arange(WIDTH) + 4 * number
    down = np.arange(HEIGHT)[:, np.newaxis]
    scene = 128 + 60 * np.sin(across / 40) * np.cos(down / 30)
    grain = random.normal(0, 4, (HEIGHT, WIDTH))
    image = np.repeat(np.clip(scene + grain, 0, 255)[:, :, np.newaxis], 3, axis=2)
    for place, bit in enumerate(f"10{number:0{NUMBER_BITS}b}"):
        image[:BLOCK, place * BLOCK : (place + 1) * BLOCK] = 255 * int(bit)
    frame = VideoFrame.from_ndarray(image.astype(np.uint8), format="rgb24")
    return frame.reformat(format=pixels).to_ndarray()


async def main() -> None:
    """Be the robot until SIGTERM."""
    parser = argparse.ArgumentParser()
    parser.add_argument("url")
    parser.add_argument("--pixels", default="yuyv422")
    asked = parser.parse_args()
    camera = Camera(asked.pixels)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await Robot(asked.url, "demo", token="a.good.token", video=camera).run(stop=stop)
    camera.stop()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, stream=sys.stdout)
    logging.getLogger("aioice").setLevel(logging.WARNING)
    asyncio.run(main())
