"""What comes over the data channel `control`, and how long a command is in force.

Knows the channel's messages and the watchdog; never who may drive: the fence decides that.
"""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta, MsgspecError, Struct, json

WATCHDOG_MS = 500
"""A drive command is in force for this long: then the robot stops by itself."""

Axis = Annotated[float, Meta(ge=-1, le=1)]


class Drive(Struct, frozen=True):
    """Where to: `x` right, `y` forward, both from -1 to 1."""

    x: Axis
    y: Axis


STILL = Drive(0.0, 0.0)


class Ping(Struct, frozen=True, tag_field="type", tag="ping"):
    """Asks for a `Pong` with the same number: the round trip's measure, for any session."""

    n: int


class Command(Struct, frozen=True, tag_field="type", tag="command"):
    """Asks the robot to drive."""

    n: int
    drive: Drive


class Pong(Struct, frozen=True, tag_field="type", tag="pong"):
    """The answer to a ping."""

    n: int


class Done(Struct, frozen=True, tag_field="type", tag="done"):
    """The command was obeyed, at this epoch."""

    n: int
    epoch: int


class Refused(
    Struct, frozen=True, kw_only=True, omit_defaults=True, tag_field="type", tag="refused"
):
    """The message was not obeyed: at this epoch somebody else drives, or nobody."""

    n: int | None = None
    epoch: int


_decoder: json.Decoder[Ping | Command] = json.Decoder(Ping | Command)


def parse(message: str | bytes) -> Ping | Command | None:
    """Return what the robot understands of a message; None for any other text or bytes."""
    if isinstance(message, bytes):
        return None
    try:
        return _decoder.decode(message)
    # ValueError covers a lone surrogate, which cannot be encoded; nesting ends in RecursionError.
    except (MsgspecError, ValueError, RecursionError):
        return None


def written(answer: Pong | Done | Refused) -> str:
    """Return an answer as the text that goes over the channel."""
    return json.encode(answer).decode()


@dataclass(frozen=True, slots=True)
class Motion:
    """What the robot does now; `until` is when the watchdog ends it, None while it is still."""

    drive: Drive = STILL
    until: int | None = None


def driven(drive: Drive, now: int) -> Motion:
    """Return the motion after a command that came at `now`, in ms."""
    return Motion(drive, None if drive == STILL else now + WATCHDOG_MS)


def stopped(motion: Motion, now: int) -> bool:
    """Whether the watchdog ends this motion at `now`."""
    return motion.until is not None and now >= motion.until
