"""What the robot's pings are called, which may go ahead of its time, and what a pong proves.

Knows their number and times; never what a pong says, or when the next heartbeat is due.
"""

from dataclasses import dataclass, replace

EARLY_MS = 5_000
"""So long at least is the pause between a ping and one that goes ahead of its time.

While the fence stays as it is, the pause doubles each time, up to the heartbeat: the server has
been asked, and did not say that who is refused drives.
"""


@dataclass(frozen=True, slots=True)
class Pings:
    """`sent` counts them; each has an id of its own.

    `before_register` and `before_fence` are how many had been sent when the robot last asked to be
    registered, and when the fence became what it is. `last_at` is when the last one went, None if
    none has, and `pause_ms` for how long from then none goes ahead of its time, 0 for the shortest.
    `unheard` counts the heartbeats in a row that brought no reply that the robot can read.
    """

    sent: int = 0
    before_register: int = 0
    before_fence: int = 0
    last_at: int | None = None
    pause_ms: int = 0
    unheard: int = 0


def last_id(seen: Pings) -> str:
    """Return the id of the last one."""
    return f"ping-{seen.sent}"


def is_current(seen: Pings, reply_to: str | None) -> bool:
    """Whether this replies to the last ping, sent since the last `register`."""
    return seen.sent > seen.before_register and reply_to == last_id(seen)


def proves(seen: Pings, reply_to: str | None) -> bool:
    """Whether the ping that this replies to was sent since the fence became what it is.

    What is said in reply then is no older than what made the fence.
    """
    return seen.sent > seen.before_fence and reply_to == last_id(seen)


def may_go_early(seen: Pings, now: int) -> bool:
    """Whether one may go ahead of its time."""
    return seen.last_at is None or now >= seen.last_at + max(EARLY_MS, seen.pause_ms)


def slower(seen: Pings, heartbeat_ms: int) -> Pings:
    """Return with a longer pause before the next one that goes ahead of its time."""
    return replace(seen, pause_ms=min(max(EARLY_MS, 2 * seen.pause_ms), heartbeat_ms))


def sent(seen: Pings, now: int) -> Pings:
    """Return as they are once another one has gone."""
    return replace(seen, sent=seen.sent + 1, last_at=now)


def fenced(seen: Pings) -> Pings:
    """Return as they are once the fence has changed."""
    return replace(seen, before_fence=seen.sent, pause_ms=0)


def unheard(seen: Pings) -> Pings:
    """Return the pings after one more heartbeat without a reply."""
    return replace(seen, unheard=seen.unheard + 1)


def heard(seen: Pings) -> Pings:
    """Return the pings after a reply to any of them."""
    return replace(seen, unheard=0)
