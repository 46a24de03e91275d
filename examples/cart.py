"""A cart that people drive, with a voice both ways and a stop button of its own.

python examples/cart.py ws://127.0.0.1:8080/prod cart-1    (ROBOSIGNAL_TOKEN: the owner's token)
"""

import asyncio
import os
import sys

from aiortc.mediastreams import AudioStreamTrack
from av import AudioFrame

from robosignal.robot import Channel, Drive, Person, Received, Robot


class Cart:
    """The wheels, the loudspeaker and the display; yours tells the hardware."""

    speed, heard, shown, driver = 0.0, 0, "", ""

    def drive(self, drive: Drive) -> None:
        """Set the wheels."""
        self.speed = drive.y

    def play(self, frame: AudioFrame) -> None:
        """Play 20 ms of the driver's voice."""
        self.heard += frame.samples

    def show(self, message: Received) -> None:
        """Show the message."""
        self.shown = str(message.data)

    def greet(self, driver: Person | None, _epoch: int) -> None:
        """Show who drives."""
        self.driver = "" if driver is None else driver.name or driver.user_id


def make_robot(url: str, robot_id: str, token: str, cart: Cart) -> Robot:
    """Return a robot that moves this cart; its button calls `stop_motion` and `clear_stop`."""
    return Robot(
        url,
        robot_id,
        token=token,
        on_drive=cart.drive,
        on_driver=cart.greet,
        audio=AudioStreamTrack,  # silence; yours: a microphone
        on_voice=cart.play,
        channels=[Channel("display", on_message=cart.show, viewers_read=True)],
    )


if __name__ == "__main__":
    address, name = sys.argv[1:]
    asyncio.run(make_robot(address, name, os.environ["ROBOSIGNAL_TOKEN"], Cart()).run())
