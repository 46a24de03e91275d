"""Where a connection stands: its current socket, the next one and the old one, as one value.

Knows when each is due; never what happens then.
"""

from dataclasses import dataclass, field, replace
from enum import Enum

HANDSHAKE_MS = 10_000
"""How long an opening may take, and then how long a welcome."""

LONGEST_MARGIN_MS = 60_000

SHORTEST_WAIT_MS = 500
LONGEST_WAIT_MS = 30_000
# 500 ms doubled six times is past the longest wait; a larger power would only grow the number.
LARGEST_DOUBLING = 6


@dataclass(frozen=True, slots=True)
class Span:
    """How long a socket is used, and how long it goes on receiving when it has been followed.

    API Gateway closes each socket after 2 hours, so ten minutes are left for redialling. No
    token's end makes a socket be followed sooner after its opening than `shortest_ms`. A token
    that was accepted before may be refused for `patience_ms`: six times as long as the server
    asks for no keys after it has asked in vain.
    """

    life_ms: int = 110 * 60 * 1000
    shortest_ms: int = 10_000
    drain_ms: int = 10_000
    patience_ms: int = 60_000


class Phase(Enum):
    """Where a socket stands on its way to a welcome."""

    DIALING = "dialing"
    GREETING = "greeting"
    WAITING = "waiting"


@dataclass(frozen=True, slots=True)
class Attempt:
    """A socket that has no welcome yet; `failures` counts those before it since the last one."""

    phase: Phase
    due: int
    failures: int = 0
    opened: int = 0


@dataclass(frozen=True, slots=True)
class Online:
    """A socket that was welcomed. `redial_due` is None while a new token is awaited."""

    heartbeat_ms: int
    heartbeat_due: int | None
    redial_due: int | None


@dataclass(frozen=True, slots=True)
class Connection:
    """All that is known; `heartbeats` is False where a layer above pings.

    There is a next socket only beside one that is online, and never beside an old one.
    """

    heartbeats: bool = True
    span: Span = field(default_factory=Span)
    current: Attempt | Online | None = None
    next: Attempt | None = None
    old_due: int | None = None


def dialled(failures: int, now: int) -> Attempt:
    """Return a socket that is being opened."""
    return Attempt(Phase.DIALING, now + HANDSHAKE_MS, failures)


def greeted(attempt: Attempt, now: int) -> Attempt:
    """Return an open socket that awaits its welcome."""
    return replace(attempt, phase=Phase.GREETING, due=now + HANDSHAKE_MS, opened=now)


def failed(failures: int, now: int, random: float) -> Attempt:
    """Return the wait after one more failure."""
    count = failures + 1
    return Attempt(Phase.WAITING, now + wait_ms(count, random), count)


def wait_ms(failures: int, random: float) -> int:
    """Return how long to wait after so many failures, from 1: full jitter, doubling."""
    cap = min(LONGEST_WAIT_MS, SHORTEST_WAIT_MS * 2 ** min(failures, LARGEST_DOUBLING))
    return int(SHORTEST_WAIT_MS + random * (cap - SHORTEST_WAIT_MS))


def redial_at(opened: int, expires: object, span: Span, now: int) -> int:
    """Return when a socket that was opened and is welcomed `now` should be followed by another.

    `expires` is its token's end. An end before its own welcome says that a clock is wrong: the
    server has just accepted the token.
    """
    lifetime = opened + span.life_ms
    if not isinstance(expires, int) or isinstance(expires, bool) or expires <= now:
        return lifetime
    margin = min(LONGEST_MARGIN_MS, (expires - now) // 10)
    return min(lifetime, max(expires - margin, opened + span.shortest_ms))


def due(seen: Connection) -> int | None:
    """Return the earliest time at which something is due."""
    match seen.current:
        case Attempt() as attempt:
            mine: list[int | None] = [attempt.due]
        case Online() as online:
            mine = [online.heartbeat_due, online.redial_due if may_redial(seen) else None]
        case None:
            mine = []
    following = None if seen.next is None else seen.next.due
    return min((at for at in [*mine, following, seen.old_due] if at is not None), default=None)


def may_redial(seen: Connection) -> bool:
    """Whether a next socket would be the second one, and not the third."""
    return seen.next is None and seen.old_due is None
