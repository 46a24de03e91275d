"""The messages of an application's own, between a robot's program and the pages of its people."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from inspect import iscoroutinefunction

from robosignal.protocol.frames import Person
from robosignal.robot.controls import check_distinct, check_name

MOST_CHANNELS = 8
"""How many channels a robot may declare."""

MESSAGE_BYTES = 60_000
"""How long a message may be: what every peer takes (RFC 8841, section 6.1), less some room."""

PREFIX = "app:"
"""What the label of the data channel begins with; the channel's name follows."""


@dataclass(frozen=True, slots=True)
class Received:
    """A message that came over a channel: its `data`, from which `person`.

    `person` is None if the server has not said who that is; `is_driver` says whether they drive.
    """

    data: str | bytes
    person: Person | None
    is_driver: bool


MessageHandler = Callable[[Received], None]
"""Takes a message. It is called in a thread of its own for all that the robot's program is told,
one call at a time, and may take its time; what it raises is logged. While 1000 messages of one
person wait, or 1 MiB, further ones are lost.
"""


@dataclass(frozen=True, slots=True)
class Channel:
    """A channel for messages of the application's own, texts and bytes, both ways and in order.

    Args:
        name: its name, 1 to 40 of `A-Z a-z 0-9 _ -`, the first one a letter; unique.
        on_message: is called with each message that comes from a page. None: none is taken.
        viewers_read: what `Robot.send` sends goes to those who watch too, not to the driver alone.
        viewers_write: messages are taken of those who watch too. Otherwise only the driver's are,
            by the same fence as commands; others are refused.

    Raises:
        BadDeclaration: the name is not of that form.
        TypeError: `on_message` is a coroutine function, which would never be awaited.
    """

    name: str
    on_message: MessageHandler | None = None
    viewers_read: bool = False
    viewers_write: bool = False

    def __post_init__(self) -> None:
        """Check the fields."""
        check_name(self.name)
        if iscoroutinefunction(self.on_message):
            which = f"{self.name}: on_message"
            raise TypeError(f"{which} must be a plain function, not a coroutine function")


def arrange(declared: Iterable[Channel]) -> dict[str, Channel]:
    """Return channels by the labels of their data channels. Raise BadDeclaration or TypeError."""
    channels = tuple(declared)
    for each in channels:
        if not isinstance(each, Channel):
            raise TypeError(f"channels must be of Channel, not {each!r}")
    check_distinct("channels", [each.name for each in channels], MOST_CHANNELS)
    return {PREFIX + each.name: each for each in channels}


def check_message(data: str | bytes) -> None:
    """Raise TypeError for what is no message, ValueError for one that is too long."""
    if not isinstance(data, str | bytes):
        raise TypeError(f"a message must be str or bytes, not {type(data).__name__}")
    size = len(data.encode() if isinstance(data, str) else data)
    if size > MESSAGE_BYTES:
        raise ValueError(f"a message must have at most {MESSAGE_BYTES} bytes, not {size}")
