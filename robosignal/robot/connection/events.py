"""What the connection machine is told, and what it asks for, each as a plain value.

They are written in `spec/vectors/connection.json` as they are here.
"""

from typing import Any, Literal

from msgspec import Struct

Which = Literal["next", "old"] | None
"""A socket: the current one (None), the one that is to follow it, or the one that it followed."""


class Start(Struct, frozen=True, tag_field="type", tag="start"):
    """A connection is wanted, now."""


class Opened(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="opened"):
    """A dialled socket is open."""

    socket: Which = None


class Closed(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="closed"):
    """A socket closed or could not be opened. `code` is RFC 6455's (1006: no close)."""

    code: int
    socket: Which = None


class Refused(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="refused"):
    """A handshake was answered with an HTTP status that is not 101."""

    status: int
    socket: Which = None


class FrameReceived(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="frame"):
    """A JSON object came over a socket."""

    frame: dict[str, Any]
    socket: Which = None


class Tick(Struct, frozen=True, tag_field="type", tag="tick"):
    """The timer that was asked for is due."""


class Moved(Struct, frozen=True, tag_field="type", tag="moved"):
    """Nothing more is expected of the old socket."""


class Stop(Struct, frozen=True, tag_field="type", tag="stop"):
    """The connection is no longer wanted."""


SocketEvent = Opened | Closed | Refused | FrameReceived
Event = Start | SocketEvent | Tick | Moved | Stop


class Dial(Struct, frozen=True, omit_defaults=True, tag_field="do", tag="dial"):
    """Open a socket, with a token that is asked for again."""

    socket: Literal["next"] | None = None


class Send(Struct, frozen=True, omit_defaults=True, tag_field="do", tag="send"):
    """Send this frame over a socket."""

    frame: dict[str, Any]
    socket: Which = None


class Swap(Struct, frozen=True, tag_field="do", tag="swap"):
    """The current socket is the old one from now on, and the next is the current one."""


class Adopt(Struct, frozen=True, tag_field="do", tag="adopt"):
    """The next socket is the current one from now on; the one before it is lost."""


class Wake(Struct, frozen=True, tag_field="do", tag="wake"):
    """Cause a `Tick` at this time, in ms; it replaces the timer asked for before."""

    at: int


class Enter(Struct, frozen=True, tag_field="do", tag="state"):
    """The connection's state has changed, for those who show it."""

    state: Literal["offline", "connecting", "online"]


class SignIn(Struct, frozen=True, tag_field="do", tag="sign-in"):
    """A new token is needed; nothing is dialled with the old one before the next `Start`."""


class Close(Struct, frozen=True, omit_defaults=True, tag_field="do", tag="close"):
    """Close a socket; it causes no more events."""

    socket: Which = None


Output = Dial | Send | Swap | Adopt | Wake | Enter | SignIn | Close
