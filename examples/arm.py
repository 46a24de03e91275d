"""An arm with six joints, which takes 50 commands a second and says 10 times a second how it is.

python examples/arm.py ws://127.0.0.1:8080/prod arm-1    (ROBOSIGNAL_TOKEN has the owner's token)
"""

import asyncio
import os
import sys

from robosignal.robot import Axis, Command, Field, Robot

JOINTS = [f"joint{number}" for number in range(1, 7)]


class Arm:
    """The joints; yours tells its servos, and reads them."""

    def __init__(self) -> None:
        self.angles = dict.fromkeys(JOINTS, 0.0)

    def move(self, command: Command) -> None:
        """Set each joint, in degrees; a stop leaves it where it is."""
        self.angles = dict(command.axes)


def make_robot(url: str, robot_id: str, token: str, arm: Arm) -> Robot:
    """Return a robot without a picture that moves this arm."""
    return Robot(
        url,
        robot_id,
        token=token,
        controls=[
            Axis(name, unit="deg", least=-170, most=170, rate=90, holds=True) for name in JOINTS
        ],
        on_command=arm.move,
        command_hz=50,
        telemetry=[*(Field(name, "deg") for name in JOINTS), Field("current", "A")],
        fps=0,
    )


async def run(robot: Robot, arm: Arm) -> None:
    """Be the robot until cancelled, and publish what the arm measures."""
    running = asyncio.create_task(robot.run())
    try:
        while not running.done():
            robot.publish(arm.angles | {"current": 0.4})
            await asyncio.wait({running}, timeout=0.1)
    finally:
        running.cancel()
        await asyncio.wait({running})


if __name__ == "__main__":
    address, name = sys.argv[1:]
    made = Arm()
    asyncio.run(run(make_robot(address, name, os.environ["ROBOSIGNAL_TOKEN"], made), made))
