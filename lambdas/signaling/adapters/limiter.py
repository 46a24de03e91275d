"""Counts messages a connection, in this process's memory: a token bucket for each.

In the local gateway that is exact, since one process serves every connection. A Lambda counts
only what its own environment sees; on AWS the stage's throttle is the bound.
"""

from dataclasses import dataclass

from signaling.adapters.bounded import Bounded
from signaling.wire.ids import ConnectionId
from signaling.wire.limits import BURST, MESSAGES_PER_SECOND

STRIKE_MS = 1000
KEPT = 10_000


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at: int
    strikes: int = 0
    struck_at: int = 0


class Buckets:
    """At most 50 messages a second over time, 100 at once."""

    def __init__(self, per_second: float = MESSAGES_PER_SECOND, burst: int = BURST) -> None:
        self._per_ms = per_second / 1000
        self._burst = burst
        self._buckets: Bounded[ConnectionId, _Bucket] = Bounded(KEPT)

    def strike(self, connection: ConnectionId, now: int) -> int:
        """Count one message at `now` (epoch ms): 0 if within the limits, else which strike.

        A second in which the limit was passed is one strike, however often; strikes are
        forgotten once the bucket is half full again.
        """
        bucket = self._buckets.get_or_make(connection, lambda: _Bucket(self._burst, now))
        # A clock may be set back: nobody pays for that.
        passed = max(0, now - bucket.at)
        bucket.tokens = min(self._burst, bucket.tokens + passed * self._per_ms)
        bucket.at = now
        if bucket.tokens < 1:
            if not 0 <= now - bucket.struck_at < STRIKE_MS:
                bucket.strikes += 1
                bucket.struck_at = now
            return bucket.strikes
        bucket.tokens -= 1
        if bucket.tokens > self._burst / 2:
            bucket.strikes = 0
        return 0

    def forget(self, connection: ConnectionId) -> None:
        """Drop what is kept of a connection that has ended."""
        self._buckets.drop(connection)


class Unlimited:
    """No limits, for benchmarks."""

    def strike(self, connection: ConnectionId, now: int) -> int:  # noqa: ARG002 - never any
        """Count nothing."""
        return 0

    def forget(self, connection: ConnectionId) -> None:
        """Keep nothing."""
