"""The data channels of one peer connection to a robot (docs/reference/data-channels.md)."""

import asyncio
import json
import math
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Annotated, Any

import msgspec
from aiortc import RTCDataChannel, RTCPeerConnection
from aiortc.exceptions import InvalidStateError
from msgspec import Meta, Struct

from robosignal.robot.controls import Axis, Button, Choice, Control, Given
from robosignal.robot.drive import STILL, Drive
from robosignal.robot.telemetry import Field, Value


class RefusedCounts(Struct, frozen=True):
    """How many commands of this peer connection were not obeyed, by the reason."""

    stale: int = 0
    superseded: int = 0
    refused: int = 0


class Heartbeat(Struct, frozen=True, tag_field="type", tag="heartbeat"):
    """What the robot says of itself: its clock `t` in ms, and who it obeys."""

    t: int
    n: int | None
    epoch: int
    armed: bool
    refused: RefusedCounts
    driver: str | None = None
    held: list[Value | None] = []


class Video(Struct, frozen=True):
    """The frames a second of the robot's picture."""

    fps: float


class Capabilities(Struct, frozen=True, tag_field="type", tag="capabilities", rename="camel"):
    """What the robot declares."""

    version: Annotated[int, Meta(ge=2)]
    fresh_ms: Annotated[float, Meta(gt=0)]
    watchdog_ms: Annotated[float, Meta(gt=0)]
    video: Video | None
    drive: bool = True
    command_hz: float = 20.0
    written: list[dict[str, Any]] = msgspec.field(default_factory=list, name="controls")
    telemetry: list[Field] = []
    cameras: list[str] = []


class Telemetry(Struct, frozen=True, tag_field="type", tag="telemetry"):
    """Values of the declared fields, in their order."""

    n: int
    values: list[Value | None]


class Stop(Struct, frozen=True, tag_field="type", tag="stopped"):
    """Who has stopped the robot; None: the stop was cleared."""

    by: str | None


class Refused(Struct, frozen=True, tag_field="type", tag="refused"):
    """The robot has not obeyed a command of the older form, a stop, or a message."""

    epoch: int
    n: int | None = None
    what: str | None = None


class Pong(Struct, frozen=True, tag_field="type", tag="pong"):
    """The answer to a ping."""

    n: int


Message = Heartbeat | Capabilities | Telemetry | Stop | Refused | Pong
"""What a robot says on the data channels, as far as an operator uses it."""

_decoder = msgspec.json.Decoder(Message)


def read_message(text: str | bytes) -> Message | None:
    """Return what a robot says; None for what is not one of ours."""
    try:
        message: Message = _decoder.decode(text)
    except (msgspec.MsgspecError, UnicodeError):
        return None
    return message


def read_controls(capabilities: Capabilities) -> tuple[Control | None, ...]:
    """Return the declared controls in their order; None for one of a later version."""
    return tuple(_read_control(each) for each in capabilities.written)


def _read_control(written: Mapping[str, Any]) -> Control | None:
    try:
        return msgspec.convert(written, Axis | Button | Choice)
    except msgspec.ValidationError:
        return None


class Target(Struct, frozen=True):
    """What one command asks for: a drive, and values in the order of the declaration."""

    drive: Drive = STILL
    values: tuple[Given, ...] = ()

    @property
    def is_rest(self) -> bool:
        """Whether nothing is asked for: what arms a robot, and stops it."""
        return self.drive == STILL and not self.values


REST = Target()


def encode_values(
    controls: Sequence[Control | None], values: Mapping[str, Given]
) -> tuple[Given, ...]:
    """Return values by name in the order of the declaration, without what asks for nothing.

    Raise ValueError for a name that is not declared, or a value that its control cannot have.
    """
    names = [each.name for each in controls if each is not None]
    for name in values:
        if name not in names:
            declared = ", ".join(names) or "none"
            raise ValueError(f"the control {name!r} is not declared by the robot: {declared}")
    given = [None if each is None else _encode(each, values.get(each.name)) for each in controls]
    while given and given[-1] is None:
        del given[-1]
    return tuple(given)


def _encode(control: Control, given: Given) -> Given:
    is_number = isinstance(given, int | float) and not isinstance(given, bool)
    if isinstance(control, Axis) and is_number and not math.isfinite(float(given or 0)):
        raise ValueError(f"{control.name} takes a finite number, not {given!r}")
    value = control.read(given)
    if value is None or isinstance(control, Axis):
        return value
    return given


def name_values(names: Sequence[str], values: Sequence[Value | None]) -> dict[str, Value]:
    """Return the values that there are, by their names."""
    pairs = zip(names, values, strict=False)
    return {name: value for name, value in pairs if value is not None}


class DataChannels:
    """The channels `control` and `drive` of a peer connection whose offer is still to be made.

    `hear` gets what the robot says, in the order in which it comes, and `lose` is called when a
    channel has closed. `telemetry` opens with `open_telemetry`.
    """

    def __init__(
        self,
        peer: RTCPeerConnection,
        hear: Callable[[Message], None],
        lose: Callable[[], None] = lambda: None,
    ) -> None:
        self._peer = peer
        self._hear = hear
        self._numbers = count(1)
        self.opened = asyncio.Event()
        """Is set once `control` is open."""
        self.control = peer.createDataChannel("control")
        self.drive = peer.createDataChannel("drive", ordered=False, maxRetransmits=0)
        self.telemetry: RTCDataChannel | None = None
        self.control.on("open", self.opened.set)
        self.control.on("close", lose)
        for channel in (self.control, self.drive):
            channel.on("message", self._read)

    def open_telemetry(self) -> None:
        """Open `telemetry`, once the robot has declared that it has some."""
        if self.telemetry is None:
            unreliable: dict[str, Any] = {"ordered": False, "maxRetransmits": 0}
            self.telemetry = self._peer.createDataChannel("telemetry", **unreliable)
            self.telemetry.on("message", self._read)

    def send_command(self, epoch: int, t: int, target: Target) -> int | None:
        """Send a command that proves freshness; return its number, None if it was not sent.

        `epoch` is the one at which the sender drives, `t` the largest of all heartbeats. It is
        dropped rather than queued: unsent unreliable data waits too, and is late when it leaves.
        """
        if self.drive.bufferedAmount > 0:
            return None
        command = self._number(target) | {"epoch": epoch, "t": t}
        if target.values:
            command["values"] = target.values
        return command["n"] if write(self.drive, command) else None

    def send_late_command(self, drive: Drive) -> bool:
        """Send a command of the older form, which proves nothing. Return whether it was sent."""
        return write(self.control, self._number(Target(drive)))

    def _number(self, target: Target) -> dict[str, Any]:
        drive = {"x": target.drive.x, "y": target.drive.y}
        return {"type": "command", "n": next(self._numbers), "drive": drive}

    def _read(self, text: str | bytes) -> None:
        message = read_message(text)
        if message is not None:
            self._hear(message)


def write(channel: RTCDataChannel, message: Mapping[str, Any]) -> bool:
    """Write to a channel. Return whether it was sent: False if the channel is not open."""
    if channel.readyState != "open":
        return False
    try:
        channel.send(json.dumps(message))
    except InvalidStateError:
        return False
    return True
