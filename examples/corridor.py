"""A simulated rover in a corridor, which says 10 times a second how far the wall ahead is.

python examples/corridor.py ws://127.0.0.1:8080/prod rover-1    (ROBOSIGNAL_TOKEN: the owner's)
"""

import asyncio
import os
import sys
import time

from robosignal.robot import Drive, Field, Robot

TOP_SPEED = 1.0  # metres a second


class Rover:
    """A rover that cannot hit the wall; yours tells its motors, and asks its sensor."""

    def __init__(self, distance: float = 4.0) -> None:
        self._distance, self._speed, self._at = distance, 0.0, time.monotonic()

    def drive(self, drive: Drive) -> None:
        """Set the wheels."""
        self._distance = self.measure()
        self._speed, self._at = drive.y * TOP_SPEED, time.monotonic()

    def measure(self) -> float:
        """Return how far the wall ahead is, in metres."""
        return max(0.0, self._distance - self._speed * (time.monotonic() - self._at))


def make_robot(url: str, robot_id: str, token: str, rover: Rover) -> Robot:
    """Return a robot that moves this rover."""
    fields = [Field("distance", "m")]
    return Robot(url, robot_id, token=token, on_drive=rover.drive, telemetry=fields)


async def run(robot: Robot, rover: Rover) -> None:
    """Be the robot until cancelled, and publish what the rover measures."""
    running = asyncio.create_task(robot.run())
    try:
        while not running.done():
            robot.publish({"distance": rover.measure()})
            await asyncio.wait({running}, timeout=0.1)
    finally:
        running.cancel()
        await asyncio.wait({running})


if __name__ == "__main__":
    address, name = sys.argv[1:]
    made = Rover()
    asyncio.run(run(make_robot(address, name, os.environ["ROBOSIGNAL_TOKEN"], made), made))
