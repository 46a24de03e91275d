"""A robot in a process of its own that prints its motion, and whose camera stops at a signal."""

from collections.abc import Iterator
from contextlib import contextmanager

from tests.e2e.processes import Process

ROBOT = "rover-1"
OWNER = "olga"

# Its camera stops at SIGUSR1, and goes on at SIGUSR2.
ROVER = """
import asyncio, logging, signal, sys, time
from av import VideoFrame
from aiortc import VideoStreamTrack
from robosignal.robot import Robot

is_filming = True

def film(signum, _frame):
    global is_filming
    is_filming = signum == signal.SIGUSR2

class Camera(VideoStreamTrack):
    async def recv(self):
        while not is_filming:
            await asyncio.sleep(0.01)
        pts, base = await self.next_timestamp()
        frame = VideoFrame(320, 240, "yuv420p")
        for plane in frame.planes:
            plane.update(bytes([pts // 3000 % 200]) * plane.buffer_size)
        frame.pts, frame.time_base = pts, base
        return frame

signal.signal(signal.SIGUSR1, film)
signal.signal(signal.SIGUSR2, film)
logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
url, robot, token = sys.argv[1:]
move = lambda drive: print("moves", drive.y, flush=True)
asyncio.run(Robot(url, robot, token=token, on_drive=move, video=lambda: Camera(), fps=20).run())
"""


@contextmanager
def running_rover(url: str, token: str, within: tuple[str, ...] = ()) -> Iterator[Process]:
    """Have the robot, whose token is its owner's, online at this WebSocket's address until left.

    `within` is as `Process` takes it.
    """
    process = Process.of_code(ROVER, url, ROBOT, token, within=within)
    process.wait_for(f"^{ROBOT}: online")
    try:
        yield process
    finally:
        process.stop()
