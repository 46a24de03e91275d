"""What AWS is asked for by each event of a robot and a driver, as counted on the real handler.

A test runs the handler through these events, and fails if a count differs, or a size by more than
a tenth.
"""

from dataclasses import dataclass
from typing import Literal

Route = Literal["$connect", "$default", "$disconnect"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One event, at a Lambda that has not seen its sender before.

    One page watches the robot. Units are DynamoDB's, of both tables and their indexes; a refused
    conditional write costs units as well. Bytes are those of the frames' text.
    """

    route: Route = "$default"
    calls: int = 0
    """Calls to DynamoDB and to the management API."""
    reads: float = 0
    writes: int = 0
    posts: int = 0
    pushes: int = 0
    """How many of the posts are pushes to watchers."""
    received: int = 0
    replied: int = 0
    posted: int = 0
    logged: int = 0
    """Bytes of the event's metrics."""


EVENTS = {
    "connect": Event(route="$connect", calls=1, writes=1, logged=235),
    "ready": Event(calls=1, reads=1, received=32, replied=335, logged=232),
    "watch": Event(calls=6, reads=3.5, writes=2, received=17, replied=346, logged=232),
    "second list": Event(calls=5, reads=3.5, received=18, replied=346, logged=232),
    "ice servers": Event(calls=2, reads=2, received=61, replied=250, logged=238),
    "robot ping": Event(calls=2, reads=1, writes=1, received=54, replied=65, logged=231),
    "redial": Event(
        calls=8,
        reads=2,
        writes=3,
        posts=2,
        pushes=1,
        received=189,
        replied=197,
        posted=192,
        logged=235,
    ),
    "old robot socket closes": Event(route="$disconnect", calls=2, writes=2, logged=238),
    "watching page closes": Event(route="$disconnect", calls=1, writes=2, logged=238),
    "offer": Event(
        calls=7,
        reads=2,
        writes=2,
        posts=2,
        pushes=1,
        received=6112,
        replied=108,
        posted=6486,
        logged=359,
    ),
    "answer": Event(calls=3, reads=2, posts=1, received=3142, replied=81, posted=3173, logged=360),
    "candidate": Event(calls=3, reads=2, posts=1, received=296, posted=442, logged=367),
    "lease ping": Event(calls=2, reads=1, writes=1, received=68, replied=95, logged=231),
    "resume": Event(
        calls=4, reads=1, writes=2, posts=1, received=81, replied=108, posted=228, logged=233
    ),
    "old page socket closes": Event(route="$disconnect", calls=2, writes=3, logged=238),
    "bye": Event(
        calls=8,
        reads=3,
        writes=2,
        posts=2,
        pushes=1,
        received=78,
        replied=28,
        posted=220,
        logged=230,
    ),
}
"""By name. `redial` is a robot's `register` with the instance that it had; `ice servers` asks for
a TURN password."""
