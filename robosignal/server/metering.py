"""Gathers what one event comes to, for its metrics."""

from robosignal.protocol.errors import Internal, SignalingError, Unauthorized
from robosignal.server.core.effects import Effect
from robosignal.server.core.steps import Action, Delivery, Post, WriteRobot, Written
from robosignal.server.ports import EventMetrics, KeysUnavailable

OK = "ok"


class EventMeter:
    """Observes one event. Unless `succeed` or `fail` is called, the event counts as failed.

    Implements `robosignal.server.executor.Observer`.
    """

    def __init__(self, kind: str) -> None:
        """`kind` is a message's type, or the route of another event."""
        self.kind = kind
        self._outcome = Internal.code
        self._reason: str | None = None
        self._gone = 0
        self._undelivered = 0
        self._took_over = False

    def succeed(self) -> None:
        """Note that the event was carried out."""
        self._outcome = OK

    def fail(self, error: SignalingError) -> None:
        """Note why the event was refused."""
        self._outcome = error.code
        if isinstance(error, Unauthorized):
            self._reason = error.reason
        elif isinstance(error.__cause__, KeysUnavailable):
            self._reason = "keys"

    def saw(self, action: Action, outcome: object) -> None:
        """Count a post that did not arrive, and note a takeover."""
        if isinstance(action, Post):
            self._gone += outcome is Delivery.GONE
            self._undelivered += isinstance(outcome, SignalingError)
        elif isinstance(action, WriteRobot) and action.write.effect is Effect.TAKEN_OVER:
            self._took_over = self._took_over or isinstance(outcome, Written)

    def summarise(self, since: int, now: int) -> EventMetrics:
        """Return the event's metrics; it lasted from `since` to `now`, both in epoch ms."""
        return EventMetrics(
            kind=self.kind,
            outcome=self._outcome,
            reason=self._reason,
            # The clocks of two machines differ: the event may be from this one's future.
            took_ms=max(0, now - since),
            gone=self._gone,
            undelivered=self._undelivered,
            took_over=self._took_over and self._outcome == OK,
            at=now,
        )
