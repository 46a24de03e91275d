"""The messages of the data channels `control` and `drive`, as they are written on them.

docs/reference/data-channels.md describes them.
"""

from typing import TypeVar

from msgspec import UNSET, MsgspecError, Struct, UnsetType, json

from robosignal.robot.controls import Control, Given
from robosignal.robot.drive import Drive
from robosignal.robot.session.events import Message
from robosignal.robot.telemetry import Field, Published

VERSION = 2
"""What `capabilities` declares: commands that prove that they are fresh, and a stop that latches.

A robot without the declaration is of version 1.
"""


class Ping(Struct, frozen=True, tag_field="type", tag="ping"):
    """Asks for a `Pong` with the same number: any session may measure the round trip."""

    n: int


class Command(Struct, frozen=True, tag_field="type", tag="command"):
    """Asks the robot to drive, as pages did that have no channel `drive`."""

    n: int
    drive: Drive


class FreshCommand(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="command"):
    """Asks the robot to drive, and proves that the sender has just heard from it.

    `n` rises with each command. `epoch` is the one at which the sender believes to drive. `t` is
    that of the newest heartbeat that it has received. `values` are for the controls that the robot
    has declared, in their order.
    """

    n: int
    epoch: int
    t: int
    drive: Drive
    values: tuple[Given, ...] = ()


class StopRequest(Struct, frozen=True, tag_field="type", tag="stop"):
    """Asks the robot to stop, and to stay stopped until the stop is cleared."""


class ClearStopRequest(Struct, frozen=True, tag_field="type", tag="clear-stop"):
    """Asks the robot to let itself be driven again."""


class Offer(Struct, frozen=True, tag_field="type", tag="offer"):
    """Offers more media over the same peer connection, such as a second camera's."""

    sdp: str


class Answer(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="answer"):
    """Answers an `Offer`; without an `sdp` it is refused, and the `message` says why."""

    sdp: str | None = None
    message: str | None = None


class Pong(Struct, frozen=True, tag_field="type", tag="pong"):
    """The answer to a ping."""

    n: int


class Done(Struct, frozen=True, tag_field="type", tag="done"):
    """The command was carried out, at this epoch."""

    n: int
    epoch: int


class Refused(
    Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="refused"
):
    """The message was not carried out: at this epoch another session drives, or none.

    `what` names a message without a number: `stop`, `clear-stop`, or the label of a channel of the
    application's own.
    """

    n: int | None = None
    what: str | None = None
    epoch: int


class Picture(Struct, frozen=True):
    """The robot's picture: how many frames a second it has."""

    fps: float


class DeclaredChannel(Struct, frozen=True, rename="camel"):
    """A channel of the application's own, and whether viewers may read and write on it."""

    name: str
    viewers_read: bool
    viewers_write: bool


class Capabilities(
    Struct, frozen=True, kw_only=True, rename="camel", tag_field="type", tag="capabilities"
):
    """Declares what the robot does, as soon as `control` opens; `video` is None without a picture.

    `fresh_ms` is the freshness limit, and `watchdog_ms` how long a command is in force. The rest is
    left out unless the robot's author declares it.
    """

    version: int = VERSION
    fresh_ms: int
    watchdog_ms: int
    video: Picture | None
    drive: bool | UnsetType = UNSET
    command_hz: float | UnsetType = UNSET
    controls: tuple[Control, ...] | UnsetType = UNSET
    telemetry: tuple[Field, ...] | UnsetType = UNSET
    cameras: tuple[str, ...] | UnsetType = UNSET
    audio: bool | UnsetType = UNSET
    talk_back: bool | UnsetType = UNSET
    channels: tuple[DeclaredChannel, ...] | UnsetType = UNSET


class Stopped(Struct, frozen=True, tag_field="type", tag="stopped"):
    """The robot has stopped and stays so; `by` says who stopped it, None once it is cleared."""

    by: str | None


class Telemetry(Struct, frozen=True, kw_only=True, tag_field="type", tag="telemetry"):
    """What the robot has published, in the order of its declaration; None where there is nothing.

    `n` rises with each. On `telemetry` it holds all that is known; on `control`, where it is
    reliable, only what was published at once.
    """

    n: int
    values: Published


class Refusals(Struct, frozen=True):
    """How many commands of a peer connection were not obeyed, by the reason.

    `stale`: older than the freshness limit. `superseded`: no newer than the last one obeyed.
    `refused`: of another epoch or session, without the right, while stopped, or not armed.
    """

    stale: int = 0
    superseded: int = 0
    refused: int = 0


class Heartbeat(
    Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="heartbeat"
):
    """Says that the robot is alive, and what has become of the receiver's commands.

    `t` is the robot's clock, in ms; `n` the highest number obeyed, None if none was. Unless
    `armed`, the receiver must first send a command with both axes at 0. `driver` is left out if
    there is none, or if its right to drive has ended. `held` is where the controls are that a stop
    leaves so, None for each other one; left out if there are none.
    """

    t: int
    n: int | None
    epoch: int
    armed: bool
    refused: Refusals
    driver: str | None = None
    held: tuple[float | str | None, ...] = ()


ToRobot = Ping | Command | StopRequest | ClearStopRequest | Offer
FromRobot = Answer | Pong | Done | Refused | Capabilities | Stopped | Telemetry | Heartbeat

_control: json.Decoder[ToRobot] = json.Decoder(ToRobot)
_drive: json.Decoder[FreshCommand | StopRequest] = json.Decoder(FreshCommand | StopRequest)

Kind = TypeVar("Kind")


def parse(message: str | bytes) -> ToRobot | None:
    """Return what a message on `control` means; None for any other text or bytes."""
    return _decode(_control, message)


def parse_drive(message: str | bytes) -> FreshCommand | StopRequest | None:
    """Return what a message on `drive` means; None for any other text or bytes."""
    return _decode(_drive, message)


def _decode(decoder: json.Decoder[Kind], message: str | bytes) -> Kind | None:
    if isinstance(message, bytes):
        return None
    try:
        return decoder.decode(message)
    # ValueError covers a lone surrogate, which cannot be encoded; nesting ends in RecursionError.
    except (MsgspecError, ValueError, RecursionError):
        return None


def encode(message: FromRobot) -> str:
    """Return a message of the robot's as the text that goes over a channel."""
    return json.encode(message).decode()


def drop_superseded(messages: list[Message]) -> list[Message]:
    """Return what came in one turn of the event loop without outdated commands on `control`.

    A burst after a loss holds every command since: of each peer connection's, only the newest is
    worth obeying. What looks like a command on a channel of the application's own is none.
    """
    kept: list[Message] = []
    seen: set[tuple[str, str]] = set()
    for message in reversed(messages):
        key = (message.session_id, message.pc_id)
        on_control = message.channel == "control"
        is_command = on_control and isinstance(parse(message.data), Command)
        if not (is_command and key in seen):
            kept.append(message)
        if is_command:
            seen.add(key)
    return kept[::-1]
