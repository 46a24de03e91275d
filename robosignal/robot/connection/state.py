"""The state of the connection to the server: its current socket, the next one and the old one."""

from dataclasses import dataclass, field, replace
from enum import Enum

HANDSHAKE_MS = 10_000
"""How long an opening may take, and then how long a welcome."""

LONGEST_MARGIN_MS = 60_000

SHORTEST_WAIT_MS = 500
LONGEST_WAIT_MS = 30_000
# 500 ms doubled ten times is past all longest waits; a larger power would only grow the number.
LARGEST_DOUBLING = 10


@dataclass(frozen=True, slots=True)
class Timing:
    """How long sockets are used, all in ms.

    `life_ms`: when the next one is dialled. API Gateway closes each socket after 2 hours (quota
    "Connection duration for WebSocket API"), so ten minutes are left for that.
    `shortest_ms`: how soon after an opening the end of a token may have the next one dialled.
    `drain_ms`: how long a socket goes on receiving after the next one has taken its place.
    `patience_ms`: how long a token may be refused that was accepted before: six times as long as
    the server waits before it asks again for keys that it could not fetch.
    """

    life_ms: int = 110 * 60 * 1000
    shortest_ms: int = 10_000
    drain_ms: int = 10_000
    patience_ms: int = 60_000


class Phase(Enum):
    """How far a socket is on its way to a welcome."""

    DIALING = "dialing"
    OPEN = "open"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class Attempt:
    """A socket without a welcome yet; `failures` counts those before it since the last one."""

    phase: Phase
    due: int
    failures: int = 0
    opened: int = 0


@dataclass(frozen=True, slots=True)
class Online:
    """A socket with its welcome. `redial_due` is None while a new token is awaited."""

    heartbeat_ms: int
    heartbeat_due: int | None
    redial_due: int | None


@dataclass(frozen=True, slots=True)
class ConnectionState:
    """All that is known; `heartbeats` is False where a layer above pings.

    There is a next socket only beside one that is online, and never beside an old one.
    """

    heartbeats: bool = True
    timing: Timing = field(default_factory=Timing)
    current: Attempt | Online | None = None
    next: Attempt | None = None
    old_due: int | None = None

    @property
    def is_online(self) -> bool:
        """Whether the current socket has its welcome."""
        return isinstance(self.current, Online)

    @property
    def may_dial_next(self) -> bool:
        """Whether a next socket would be the second one, and not the third."""
        return self.next is None and self.old_due is None


def dial(failures: int, now: int) -> Attempt:
    """Return a socket that is being opened."""
    return Attempt(Phase.DIALING, now + HANDSHAKE_MS, failures)


def await_welcome(attempt: Attempt, now: int) -> Attempt:
    """Return an open socket that awaits its welcome."""
    return replace(attempt, phase=Phase.OPEN, due=now + HANDSHAKE_MS, opened=now)


def wait_after_failure(failures: int, now: int, random: float) -> Attempt:
    """Return the wait after one more failure."""
    count = failures + 1
    return Attempt(Phase.WAITING, now + wait_ms(count, random), count)


def wait_ms(failures: int, random: float, longest: int = LONGEST_WAIT_MS) -> int:
    """Return how long to wait after so many failures, from 1: full jitter, doubling."""
    cap = min(longest, SHORTEST_WAIT_MS * 2 ** min(failures, LARGEST_DOUBLING))
    return int(SHORTEST_WAIT_MS + random * (cap - SHORTEST_WAIT_MS))


def redial_at(opened: int, expires: object, timing: Timing, now: int) -> int:
    """Return when to dial the next socket after one that was opened, and is welcomed `now`.

    `expires` is its token's end. An end before its own welcome says that a clock is wrong: the
    server has just accepted the token.
    """
    lifetime = opened + timing.life_ms
    end = read_expiry(expires, now)
    if end is None:
        return lifetime
    margin = min(LONGEST_MARGIN_MS, (end - now) // 10)
    return min(lifetime, max(end - margin, opened + timing.shortest_ms))


def read_expiry(expires: object, now: int) -> int | None:
    """Return a welcome's `expiresAt`; None if it is no number, or past, as by a wrong clock."""
    if isinstance(expires, int) and not isinstance(expires, bool) and expires > now:
        return expires
    return None


def next_due(state: ConnectionState) -> int | None:
    """Return the earliest time at which something is due, in ms; None if nothing is."""
    match state.current:
        case Attempt() as attempt:
            current: list[int | None] = [attempt.due]
        case Online() as online:
            redial_due = online.redial_due if state.may_dial_next else None
            current = [online.heartbeat_due, redial_due]
        case None:
            current = []
    following = None if state.next is None else state.next.due
    times = [*current, following, state.old_due]
    return min((at for at in times if at is not None), default=None)
