"""What one event came to: filled in while it is handled, read once at its end.

Sees steps and their outcomes go by; must never change one, nor keep whom it concerned.
"""

from collections.abc import Callable
from typing import Any

from robosignal.protocol.errors import Internal, SignalingError, Unauthorized
from robosignal.server.core.steps import Parallel, Post, Step, WriteRobot, Written
from robosignal.server.core.writes.lease import TAKEOVERS
from robosignal.server.ports import Happened, KeysUnavailable

OK = "ok"


class Tally:
    """One event's tally. Unless somebody says how the event ended, it failed."""

    def __init__(self, kind: str) -> None:
        """`kind` is a message's type, or the route of another event."""
        self.kind = kind
        self._outcome = Internal.code
        self._reason: str | None = None
        self._gone = 0
        self._undelivered = 0
        self._took_over = False

    def carried_out(self) -> None:
        """Note that the event was carried out."""
        self._outcome = OK

    def refused(self, error: SignalingError) -> None:
        """Note why the event was refused."""
        self._outcome = error.code
        if isinstance(error, Unauthorized):
            self._reason = error.reason
        elif isinstance(error.__cause__, KeysUnavailable):
            self._reason = "keys"

    def watching(self, carry_out: Callable[[Step], Any]) -> Callable[[Step], Any]:
        """Return a way to carry out steps whose outcomes are noted here."""

        def watched(step: Step) -> Any:
            try:
                outcome = carry_out(step)
            except SignalingError as error:
                self._note(step, error)
                raise
            self._note(step, outcome)
            return outcome

        return watched

    def _note(self, step: Step, outcome: Any) -> None:
        match step:
            case Parallel(steps) if isinstance(outcome, tuple):
                for each, its_outcome in zip(steps, outcome, strict=True):
                    self._note(each, its_outcome)
            case Post():
                self._gone += outcome is False
                self._undelivered += isinstance(outcome, SignalingError)
            case WriteRobot(_, write) if write.name in TAKEOVERS:
                self._took_over = self._took_over or isinstance(outcome, Written)
            case _:
                pass

    def happened(self, since: int, now: int) -> Happened:
        """Return what the event came to, `since` and `now` in epoch ms."""
        return Happened(
            kind=self.kind,
            outcome=self._outcome,
            reason=self._reason,
            # Two machines' clocks: the event may bear a time that is still to come here.
            took_ms=max(0, now - since),
            gone=self._gone,
            undelivered=self._undelivered,
            took_over=self._took_over and self._outcome == OK,
            at=now,
        )
