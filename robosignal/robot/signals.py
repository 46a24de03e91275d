"""What the connection's logic is told, and what it asks for, each as a plain value.

Knows their names in `spec/vectors/connection.json`; never what follows from which.
"""

from typing import Any, Literal

from msgspec import Struct

Which = Literal["next", "old"] | None
"""A socket: the current one (None), the one that is to follow it, or the one that it followed."""


class Start(Struct, frozen=True, tag_field="type", tag="start"):
    """Somebody wants a connection, now."""


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


class FrameCame(Struct, frozen=True, omit_defaults=True, tag_field="type", tag="frame"):
    """A socket brought a JSON object."""

    frame: dict[str, Any]
    socket: Which = None


class Tick(Struct, frozen=True, tag_field="type", tag="tick"):
    """A timer that was asked for is due."""


class Moved(Struct, frozen=True, tag_field="type", tag="moved"):
    """Nothing more is expected of the old socket."""


class Stop(Struct, frozen=True, tag_field="type", tag="stop"):
    """Nobody wants the connection any more."""


SocketEvent = Opened | Closed | Refused | FrameCame
Event = Start | SocketEvent | Tick | Moved | Stop


class Dial(Struct, frozen=True, omit_defaults=True, tag_field="do", tag="dial"):
    """Open a socket, with a token that is asked for anew."""

    socket: Literal["next"] | None = None


class Send(Struct, frozen=True, omit_defaults=True, tag_field="do", tag="send"):
    """Write this frame to a socket."""

    frame: dict[str, Any]
    socket: Which = None


class Swap(Struct, frozen=True, tag_field="do", tag="swap"):
    """The current socket is the old one from now on, and the next is the current one."""


class Adopt(Struct, frozen=True, tag_field="do", tag="adopt"):
    """The next socket is the current one from now on; the one before it is lost."""


class Wake(Struct, frozen=True, tag_field="do", tag="wake"):
    """Bring a `Tick` at this time, in ms; it replaces the timer asked for before."""

    at: int


class Enter(Struct, frozen=True, tag_field="do", tag="state"):
    """Tell whoever shows the state of the connection."""

    state: Literal["offline", "connecting", "online"]


class SignIn(Struct, frozen=True, tag_field="do", tag="sign-in"):
    """A new token is needed; nothing is dialled with the old one before the next `Start`."""


class Close(Struct, frozen=True, omit_defaults=True, tag_field="do", tag="close"):
    """Close a socket and bring no more of its events."""

    socket: Which = None


Output = Dial | Send | Swap | Adopt | Wake | Enter | SignIn | Close
