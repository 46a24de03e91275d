"""A robot whose camera hangs, in a process of its own that is told to end."""

import asyncio
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.e2e.processes import Process
from tests.robot.server import ALICE, SignalingServer, browser

PATIENT_SECONDS = 25
"""How long the end may take, on a busy machine: a camera that holds the process holds it for ever.
"""

ENDS = """
import asyncio, signal, sys, threading
from aiortc.contrib.media import MediaPlayer
from aiortc.mediastreams import VideoStreamTrack
from robosignal.robot import Robot

async def main(video):
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    await Robot(sys.argv[1], "demo", token="t", video=video).run(stop=stop)
    print("the robot has ended", flush=True)
"""

PLAYER = """
def open_camera():
    options = {"video_size": "64x64", "pixel_format": "gray"}
    return MediaPlayer(sys.argv[2], format="rawvideo", options=options).video

asyncio.run(main(open_camera))
"""
"""FFmpeg waits in a thread of aiortc's for the next picture."""

OWN_PLAYER = """
async def own():
    options = {"video_size": "64x64", "pixel_format": "gray"}
    await main(MediaPlayer(sys.argv[2], format="rawvideo", options=options).video)

asyncio.run(own())
"""
"""The same, and the program itself has the track."""

THREAD = """
class Camera(VideoStreamTrack):
    async def recv(self):
        if getattr(self, "begun", False):
            threading.Thread(target=threading.Event().wait, daemon=True).start()
            await asyncio.Event().wait()
        self.begun = True
        return await super().recv()

asyncio.run(main(Camera))
"""
"""`recv` waits for a daemon thread of its own."""


@pytest.fixture
def feed(tmp_path: Path) -> Callable[[], tuple[Path, int]]:
    """Return what makes a pipe with some pictures in it, whose writer stays and writes no more."""

    def make() -> tuple[Path, int]:
        path = tmp_path / "pictures"
        os.mkfifo(path)
        # A reader that opens it must not wait for a writer.
        writer = os.open(path, os.O_RDWR)
        os.write(writer, np.zeros(64 * 64 * 8, np.uint8).tobytes())
        return path, writer

    return make


@pytest.mark.parametrize("silence_s", [0.0, 3.0])
@pytest.mark.parametrize(
    "camera", [PLAYER, OWN_PLAYER, THREAD], ids=["player", "own player", "thread"]
)
async def test_a_camera_that_hangs_keeps_no_process(
    camera: str,
    silence_s: float,
    feed: Callable[[], tuple[Path, int]],
    record_property: Callable[[str, object], None],
) -> None:
    """Neither one that has just stopped giving pictures, nor one that is known to be silent."""
    server = SignalingServer()
    path, writer = feed()
    async with server.open(), browser(server, "a", "pc-a1", ALICE) as alice:
        robot = Process.of_code(ENDS + camera, server.url, str(path))
        await server.frame("register", patience=30)
        await alice.join("controller", 2)
        await asyncio.sleep(silence_s)
        began = time.monotonic()
        os.kill(robot.pid, signal.SIGTERM)
        try:
            await asyncio.to_thread(robot.wait_for, "the robot has ended")
            returned = time.monotonic() - began
            code = await asyncio.to_thread(robot.ended)
            ended = time.monotonic() - began
        finally:
            robot.kill()
            os.close(writer)

    record_property("figure", f"SIGTERM: run() {returned:.1f} s, the process {ended:.1f} s")
    assert code == 0
    assert ended < PATIENT_SECONDS
