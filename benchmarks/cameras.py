"""`python -m benchmarks.cameras`: one camera, many viewers; who sees what, and what it costs.

First ten viewers of a camera with the pixel format of most USB cameras, for a minute, with a
takeover every ten seconds, and SIGTERM at the end. Then the processor time of the robot with
one, three and nine viewers. `--other CHECKOUT` does both with the robot of another checkout as
well, in turns with this one's.

The viewers are one process, which counts pictures that have come whole and does not decode them:
ten decoders would take more of the machine than the robot.
"""

import argparse
import asyncio
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

from aiortc import rtcrtpreceiver
from aiortc.codecs.base import Decoder
from aiortc.jitterbuffer import JitterFrame
from aiortc.mediastreams import VIDEO_TIME_BASE
from av import VideoFrame
from av.frame import Frame

from benchmarks.tables import Table, describe_machine, format_markdown
from tests.robot.audience import Audience, camera_robot_process
from tests.robot.camera_robot import FRAMES_PER_SECOND
from tests.robot.server import SignalingServer

VIEWERS, TAKEOVERS = 10, 6
COUNTS = (1, 3, 9)
SETTLING_SECONDS = 5
"""How long a connection may take until its bitrate is what it will be."""

Environment = dict[str, str]


class Uncoder(Decoder):
    """Takes each frame for a picture, and does not decode it."""

    def decode(self, encoded_frame: JitterFrame) -> list[Frame]:
        """Return an empty picture of the same time."""
        picture = VideoFrame(2, 2)
        picture.pts, picture.time_base = encoded_frame.timestamp, VIDEO_TIME_BASE
        return [picture]


async def main() -> int:
    """Take the figures and print them; return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cameras", description=__doc__)
    parser.add_argument("--other", type=Path, help="another checkout, whose robot to measure too")
    parser.add_argument("--seconds", type=float, default=10, help="between takeovers, %(default)s")
    parser.add_argument("--runs", type=int, default=1, help="of each, %(default)s by default")
    asked = parser.parse_args()
    robots: dict[str, Environment] = {"this": {}}
    if asked.other is not None:
        robots["other"] = {"PYTHONPATH": str(asked.other.resolve())}
    rtcrtpreceiver.get_decoder = lambda _: Uncoder()  # type: ignore[assignment, attr-defined]
    sys.stdout.write(f"{describe_machine()}\n\n")
    rows: list[tuple[str, ...]] = [
        (name, *await _soak(environment, asked.seconds))
        for _ in range(asked.runs)
        for name, environment in robots.items()
    ]
    head = (
        "robot",
        "pictures/s of each, least",
        "median",
        "of new drivers, least",
        "lived",
        "ended after SIGTERM",
    )
    title = f"{VIEWERS} viewers of a yuyv422 camera at {FRAMES_PER_SECOND} pictures/s"
    sys.stdout.write(format_markdown(Table(title, head, tuple(rows))))
    sys.stdout.flush()
    costs = []
    for pixels in ("yuv420p", "yuyv422"):
        for viewers in COUNTS:
            used = [await _cost(each, pixels, viewers, asked.seconds) for each in robots.values()]
            costs.append((pixels, str(viewers), *used))
    title = "Processor time of the robot, in percent of a core"
    sys.stdout.write(format_markdown(Table(title, ("pixels", "viewers", *robots), tuple(costs))))
    return 0


async def _soak(environment: Environment, seconds: float) -> tuple[str, ...]:
    server, rates, drivers = SignalingServer(), list[float](), list[float]()
    with TemporaryDirectory() as directory:
        async with (
            server.open(),
            camera_robot_process(
                server, Path(directory), pixels="yuyv422", environment=environment
            ) as robot,
        ):
            audience = Audience(server, looks=False)
            try:
                for _ in range(VIEWERS):
                    await audience.add()
                for _ in range(TAKEOVERS):
                    driver = await audience.take_over()
                    counts = await audience.count(seconds)
                    rates += [shown / seconds for shown in counts]
                    drivers.append(counts[audience.viewers.index(driver)] / seconds)
            except (TimeoutError, AssertionError):
                pass
            lived = robot.process.returncode is None
            ended = "-"
            if lived:
                try:
                    code, took = await robot.terminate()
                    ended = f"{took:.1f} s, with {code}"
                except TimeoutError:
                    ended = "not at all"
            await audience.close()
    rates.sort()
    return (
        f"{min(rates, default=0):.1f}",
        f"{rates[len(rates) // 2] if rates else 0:.1f}",
        f"{min(drivers, default=0):.1f}",
        "yes" if lived else f"no: {robot.process.returncode}",
        ended,
    )


async def _cost(environment: Environment, pixels: str, viewers: int, seconds: float) -> str:
    server = SignalingServer()
    with TemporaryDirectory() as directory:
        async with (
            server.open(),
            camera_robot_process(
                server, Path(directory), pixels=pixels, environment=environment
            ) as robot,
        ):
            audience = Audience(server, looks=False)
            try:
                for _ in range(viewers):
                    await audience.add()
                await audience.count(SETTLING_SECONDS)
                before = robot.cpu_seconds()
                await audience.count(seconds)
                return f"{100 * (robot.cpu_seconds() - before) / seconds:.0f} %"
            except (TimeoutError, AssertionError, OSError):
                if robot.process.returncode is None:
                    raise
                return f"died: {robot.process.returncode}"
            finally:
                await audience.close()


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
