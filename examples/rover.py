"""A rover with two cameras, the front one on a mount that pans and tilts.

python examples/rover.py ws://127.0.0.1:8080/prod rover-1    (ROBOSIGNAL_TOKEN: the owner's token)
"""

import asyncio
import os
import sys

from robosignal.robot import Axis, Button, Choice, Command, Drive, Robot


class Rover:
    """The wheels and the mount; yours tells its motors."""

    speed, pan, tilt, has_light = 0.0, 0.0, 0.0, False

    def __init__(self) -> None:
        self.top_speed = 0.5

    def drive(self, drive: Drive) -> None:
        """Set the wheels, in metres a second."""
        self.speed = drive.y * self.top_speed

    def move(self, command: Command) -> None:
        """Set the mount and the light; a stop leaves the mount where it is."""
        self.pan, self.tilt = command.axes["pan"], command.axes["tilt"]
        self.has_light = command.buttons["light"]
        self.top_speed = {"slow": 0.5, "fast": 2.0}[command.choices["gear"]]


def make_robot(
    url: str,
    robot_id: str,
    token: str,
    rover: Rover,
    cameras: tuple[str, str] = ("/dev/video0", "/dev/video2"),
) -> Robot:
    """Return a robot that moves this rover; the cameras are devices, files or URLs."""
    return Robot(
        url,
        robot_id,
        token=token,
        on_drive=rover.drive,
        controls=[
            Axis("pan", unit="deg", least=-90, most=90, rate=120, holds=True),
            Axis("tilt", unit="deg", least=-30, most=45, rate=120, holds=True),
            Choice("gear", ["slow", "fast"]),
            Button("light"),
        ],
        on_command=rover.move,
        cameras={"front": cameras[0], "rear": cameras[1]},
        fps=15,
    )


if __name__ == "__main__":
    address, name = sys.argv[1:]
    asyncio.run(make_robot(address, name, os.environ["ROBOSIGNAL_TOKEN"], Rover()).run())
