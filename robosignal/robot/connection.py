"""When to dial, give up, redial and ping: the logic of one signaling connection.

Knows times, events and outputs; never sockets, tokens, robots, or what a frame is about.
`protocol/vectors/connection.json` scripts it, and the browser's client runs the same script.
"""

from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Literal, assert_never

from msgspec import Struct

from signaling.wire.limits import HEARTBEAT_SECONDS

HANDSHAKE_MS = 10_000
"""How long an opening may take, and then how long a welcome."""

SHORTEST_WAIT_MS = 500
LONGEST_WAIT_MS = 30_000
# 500 ms doubled six times is past the longest wait; a larger power would only grow the number.
LARGEST_DOUBLING = 6


class Start(Struct, frozen=True, tag_field="type", tag="start"):
    """Somebody wants a connection, now."""


class Opened(Struct, frozen=True, tag_field="type", tag="opened"):
    """The dialled socket is open."""


class Closed(Struct, frozen=True, tag_field="type", tag="closed"):
    """The current socket closed or could not be opened. `code` is RFC 6455's (1006: no close)."""

    code: int


class Refused(Struct, frozen=True, tag_field="type", tag="refused"):
    """The handshake was answered with an HTTP status that is not 101."""

    status: int


class FrameCame(Struct, frozen=True, tag_field="type", tag="frame"):
    """The current socket brought a JSON object."""

    frame: dict[str, Any]


class Tick(Struct, frozen=True, tag_field="type", tag="tick"):
    """A timer that was asked for is due."""


class Stop(Struct, frozen=True, tag_field="type", tag="stop"):
    """Nobody wants the connection any more."""


Event = Start | Opened | Closed | Refused | FrameCame | Tick | Stop


class Dial(Struct, frozen=True, tag_field="do", tag="dial"):
    """Open a socket."""


class Send(Struct, frozen=True, tag_field="do", tag="send"):
    """Write this frame to the socket."""

    frame: dict[str, Any]


class Wake(Struct, frozen=True, tag_field="do", tag="wake"):
    """Bring a `Tick` at this time, in ms; it replaces the timer asked for before."""

    at: int


class Enter(Struct, frozen=True, tag_field="do", tag="state"):
    """Tell whoever shows the state of the connection."""

    state: Literal["offline", "connecting", "online"]


class SignIn(Struct, frozen=True, tag_field="do", tag="sign-in"):
    """A new token is needed; nothing happens before the next `Start`."""


class Close(Struct, frozen=True, tag_field="do", tag="close"):
    """Close the socket and bring no more of its events."""


Output = Dial | Send | Wake | Enter | SignIn | Close


class Phase(Enum):
    """Where a connection stands."""

    IDLE = "idle"
    DIALING = "dialing"
    GREETING = "greeting"
    ONLINE = "online"
    WAITING = "waiting"


HAS_SOCKET = frozenset({Phase.DIALING, Phase.GREETING, Phase.ONLINE})


@dataclass(frozen=True, slots=True)
class Connection:
    """All that is known of the connection; `heartbeats` is False where a layer above pings."""

    heartbeats: bool = True
    phase: Phase = Phase.IDLE
    attempt: int = 0
    heartbeat_ms: int = HEARTBEAT_SECONDS * 1000
    due: int | None = None


Stepped = tuple[Connection, list[Output]]


def step(  # noqa: PLR0911 - one for each event
    seen: Connection, event: Event, now: int, random: float
) -> Stepped:
    """Return what is known after `event` and what to do, in order.

    `now` is in ms of any steady clock, `random` in [0, 1]. An event that does not fit the phase,
    such as the late `Closed` of a socket given up, changes nothing.
    """
    match event:
        case Start():
            return _start(seen, now)
        case Opened():
            return _opened(seen, now)
        case Closed():
            return _lost(seen, now, random)
        case Refused():
            return _refused(seen, event, now, random)
        case FrameCame():
            return _came(seen, event.frame, now)
        case Tick():
            return _tick(seen, now, random)
        case Stop():
            return _stop(seen)
        case other:
            assert_never(other)


def wait_ms(attempt: int, random: float) -> int:
    """Return how long to wait before redial `attempt`, counted from 1: full jitter, doubling."""
    cap = min(LONGEST_WAIT_MS, SHORTEST_WAIT_MS * 2 ** min(attempt, LARGEST_DOUBLING))
    return int(SHORTEST_WAIT_MS + random * (cap - SHORTEST_WAIT_MS))


def _start(seen: Connection, now: int) -> Stepped:
    if seen.phase in HAS_SOCKET:
        return seen, []
    return _dial(seen if seen.phase is Phase.WAITING else replace(seen, attempt=0), now)


def _dial(seen: Connection, now: int) -> Stepped:
    due = now + HANDSHAKE_MS
    dialing = replace(seen, phase=Phase.DIALING, due=due)
    return dialing, [Enter("connecting"), Dial(), Wake(due)]


def _opened(seen: Connection, now: int) -> Stepped:
    if seen.phase is not Phase.DIALING:
        return seen, []
    due = now + HANDSHAKE_MS
    greeting = replace(seen, phase=Phase.GREETING, due=due)
    return greeting, [Send({"type": "ready", "protocol": 1}), Wake(due)]


def _lost(seen: Connection, now: int, random: float) -> Stepped:
    if seen.phase not in HAS_SOCKET:
        return seen, []
    attempt = seen.attempt + 1
    due = now + wait_ms(attempt, random)
    waiting = replace(seen, phase=Phase.WAITING, attempt=attempt, due=due)
    return waiting, [Enter("offline"), Wake(due)]


def _refused(seen: Connection, event: Refused, now: int, random: float) -> Stepped:
    if event.status == 401 and seen.phase is Phase.DIALING:  # noqa: PLR2004 - an HTTP status
        return _idle(seen), [Enter("offline"), SignIn()]
    return _lost(seen, now, random)


def _came(seen: Connection, frame: dict[str, Any], now: int) -> Stepped:
    if seen.phase is Phase.GREETING and frame.get("type") == "welcome":
        return _welcome(seen, frame, now)
    expired = frame.get("type") == "error" and frame.get("code") == "token_expired"
    if expired and seen.phase in HAS_SOCKET:
        return _idle(seen), [Close(), Enter("offline"), SignIn()]
    return seen, []


def _welcome(seen: Connection, frame: dict[str, Any], now: int) -> Stepped:
    heartbeat_ms = _heartbeat_ms(frame.get("heartbeatSeconds"))
    online = replace(seen, phase=Phase.ONLINE, attempt=0, heartbeat_ms=heartbeat_ms, due=None)
    if not seen.heartbeats:
        return online, [Enter("online")]
    due = now + heartbeat_ms
    return replace(online, due=due), [Enter("online"), Wake(due)]


def _heartbeat_ms(given: object) -> int:
    # A server that names none, or nonsense, must not make a client ping in a tight loop.
    usable = isinstance(given, int) and not isinstance(given, bool) and given > 0
    return (given if usable else HEARTBEAT_SECONDS) * 1000  # type: ignore[operator]


def _tick(seen: Connection, now: int, random: float) -> Stepped:
    if seen.due is None:
        return seen, []
    if now < seen.due:
        # Browsers' timers fire up to a millisecond early; ignoring that tick would lose the timer.
        return seen, [Wake(seen.due)]
    return _due(seen, now, random)


def _due(seen: Connection, now: int, random: float) -> Stepped:
    match seen.phase:
        case Phase.WAITING:
            return _dial(seen, now)
        case Phase.ONLINE:
            due = now + seen.heartbeat_ms
            return replace(seen, due=due), [Send({"type": "ping"}), Wake(due)]
        case _:
            lost, outputs = _lost(seen, now, random)
            return lost, [Close(), *outputs]


def _stop(seen: Connection) -> Stepped:
    if seen.phase in HAS_SOCKET:
        return _idle(seen), [Close(), Enter("offline")]
    return _idle(seen), []


def _idle(seen: Connection) -> Connection:
    return replace(seen, phase=Phase.IDLE, attempt=0, due=None)
