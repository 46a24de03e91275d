"""The robot client, for your own motors and camera: `Robot(...)`, then `await robot.run()`.

It needs the extra `robot`: `pip install 'robosignal[robot]'`.
docs/howto/own-robot.md has a whole program.
"""

try:
    from robosignal.robot.client import DriverHandler, Robot, ViewersHandler
except ModuleNotFoundError as missing:
    from robosignal.extras import explain

    raise explain("robosignal.robot", "robot", missing) from missing
from robosignal.protocol.frames import Person
from robosignal.robot.channels import Channel, MessageHandler, Received
from robosignal.robot.connection.state import Timing
from robosignal.robot.controls import (
    Axis,
    BadDeclaration,
    Button,
    Choice,
    Command,
    CommandHandler,
    Control,
)
from robosignal.robot.drive import STILL, Drive, Limits
from robosignal.robot.errors import RegistrationRefused, RobotError, RobotReplaced, TokenRejected
from robosignal.robot.key.enrolment import Enrolled, EnrolmentRefused, enroll
from robosignal.robot.key.file import KeyFile, KeyFileRefused
from robosignal.robot.media.camera import MakeTrack
from robosignal.robot.media.sound import VoiceHandler
from robosignal.robot.media.source import Source
from robosignal.robot.motors import DriveHandler
from robosignal.robot.telemetry import Field
from robosignal.robot.token import NoToken, TokenSource

__all__ = [
    "STILL",
    "Axis",
    "BadDeclaration",
    "Button",
    "Channel",
    "Choice",
    "Command",
    "CommandHandler",
    "Control",
    "Drive",
    "DriveHandler",
    "DriverHandler",
    "Enrolled",
    "EnrolmentRefused",
    "Field",
    "KeyFile",
    "KeyFileRefused",
    "Limits",
    "MakeTrack",
    "MessageHandler",
    "NoToken",
    "Person",
    "Received",
    "RegistrationRefused",
    "Robot",
    "RobotError",
    "RobotReplaced",
    "Source",
    "Timing",
    "TokenRejected",
    "TokenSource",
    "ViewersHandler",
    "VoiceHandler",
    "enroll",
]
