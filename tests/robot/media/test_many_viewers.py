"""A robot in a process of its own, with a camera like real ones: many viewers, takeovers, its end.

`python -m benchmarks.cameras` does the same with ten viewers, for a minute.
"""

from pathlib import Path

import pytest

from tests.robot.audience import END_SECONDS, Audience, camera_robot_process
from tests.robot.server import SignalingServer

SECONDS = 2
VIEWERS = 4


@pytest.mark.parametrize("pixels", ["yuyv422", "yuvj420p", "bgr24"])
async def test_every_picture_advances_through_takeovers_until_sigterm(
    pixels: str, tmp_path: Path
) -> None:
    """The process lives through it, and ends while they watch."""
    server = SignalingServer()
    async with (
        server.open(),
        camera_robot_process(server, tmp_path, pixels=pixels) as robot,
    ):
        audience = Audience(server)
        try:
            for _ in range(VIEWERS):
                await audience.add()
            counts = [await audience.count(SECONDS)]
            for _ in range(2):
                await audience.take_over()
                counts.append(await audience.count(SECONDS))
            assert robot.process.returncode is None
            code, seconds = await robot.terminate()
        finally:
            await audience.close()

    assert all(shown >= SECONDS for each in counts for shown in each), counts
    assert (code, robot.log.read_text().count("Traceback")) == (0, 0)
    assert seconds < END_SECONDS
