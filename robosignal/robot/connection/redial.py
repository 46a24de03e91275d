"""The next socket, dialled before the current one ends, and the old one, which drains.

Knows how one follows the other without a gap; never how the current one was opened or lost.
"""

from dataclasses import replace

from robosignal.robot.connection.events import (
    Close,
    Closed,
    Dial,
    FrameCame,
    Opened,
    Output,
    Refused,
    Send,
    SignIn,
    SocketEvent,
)
from robosignal.robot.connection.state import (
    Attempt,
    Connection,
    Online,
    Phase,
    dialled,
    failed,
    greeted,
    may_redial,
)

Stepped = tuple[Connection, list[Output]]

READY: dict[str, object] = {"type": "ready", "protocol": 1}
UNAUTHORIZED = 401


def begin(seen: Connection, now: int) -> Stepped:
    """Dial the next socket."""
    failures = 0 if seen.next is None else seen.next.failures
    return replace(seen, next=dialled(failures, now)), [Dial("next")]


def hurry(seen: Connection, now: int) -> Stepped:
    """Dial the next socket now if it waits, for time or for a new token."""
    waits = seen.next is not None and seen.next.phase is Phase.WAITING
    asked = isinstance(seen.current, Online) and seen.current.redial_due is None
    return begin(seen, now) if waits or (asked and may_redial(seen)) else (seen, [])


def on_next(seen: Connection, event: SocketEvent, now: int, random: float) -> Stepped:
    """Take an event of the next socket, but for its welcome."""
    attempt = seen.next
    if attempt is None or attempt.phase is Phase.WAITING:
        return seen, []
    match event:
        case Opened():
            return _opened(seen, attempt, now)
        case Refused(status) if status == UNAUTHORIZED:
            return _unauthorized(seen), [SignIn()]
        case Closed() | Refused():
            return replace(seen, next=failed(attempt.failures, now, random)), []
        case FrameCame(frame) if expired(frame):
            return _unauthorized(seen), [Close("next"), SignIn()]
        case FrameCame():
            return seen, []


def _opened(seen: Connection, attempt: Attempt, now: int) -> Stepped:
    if attempt.phase is not Phase.DIALING:
        return seen, []
    return replace(seen, next=greeted(attempt, now)), [Send(READY, "next")]


def _unauthorized(seen: Connection) -> Connection:
    # The current socket stands: with no time due, only a new token's `Start` dials again.
    current = seen.current
    if isinstance(current, Online):
        current = replace(current, redial_due=None)
    return replace(seen, current=current, next=None)


def expired(frame: dict[str, object]) -> bool:
    """Whether a frame says that the connection's token is over."""
    return frame.get("type") == "error" and frame.get("code") == "token_expired"


def drain_due(seen: Connection, now: int) -> Stepped:
    """Close the old socket when it has drained."""
    if seen.old_due is None or now < seen.old_due:
        return seen, []
    return moved(seen)


def moved(seen: Connection) -> Stepped:
    """Close the old socket, if there still is one."""
    if seen.old_due is None:
        return seen, []
    return replace(seen, old_due=None), [Close("old")]


def next_due(seen: Connection, now: int, random: float) -> Stepped:
    """Dial the next socket when it is time, or give it up."""
    if seen.next is None:
        return begin(seen, now) if _ripe(seen, now) else (seen, [])
    if now < seen.next.due:
        return seen, []
    if seen.next.phase is Phase.WAITING:
        return begin(seen, now)
    return replace(seen, next=failed(seen.next.failures, now, random)), [Close("next")]


def _ripe(seen: Connection, now: int) -> bool:
    at = seen.current.redial_due if isinstance(seen.current, Online) else None
    return at is not None and now >= at and may_redial(seen)
