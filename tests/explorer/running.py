"""One schedule while it runs: who makes which call, its outcome, and the injected fault."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

from robosignal.protocol.errors import TryAgain
from robosignal.server.core.records import Robot
from tests.explorer.calls import Call
from tests.explorer.gate import Gate, invocation_of
from tests.explorer.history import By, History, Line

T = TypeVar("T")

Kind = Literal["crash", "repeat", "lost", "busy"]


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong, once: an invocation never goes on, or a write's answer is lost.

    `crash`: it has made `after` calls, and makes no more. `repeat`: its call after so many is
    a write, which is carried out, and again, for the first answer was lost. `lost`: it is
    carried out, and no try of it is answered. `busy`: that call is not carried out, for AWS says
    to try again later.
    """

    kind: Kind
    invocation: int
    after: int

    def __str__(self) -> str:
        return f"{self.kind} {self.invocation} after {self.after}"


class Running:
    """One run under the gate."""

    def __init__(self, begun: Robot | None, fault: Fault | None) -> None:
        self.gate = Gate()
        self.history = History(begun)
        self.invocations: dict[int, By] = {}
        self.calls: dict[int, list[Call]] = {}
        """What each invocation has asked for so far."""
        self._fault = fault
        self._stamps = 0

    def by(self) -> By:
        """Return the invocation that runs now."""
        return self.invocations[invocation_of(self.gate.here())]

    def next_stamp(self) -> str:
        """Return what no write of this run has been stamped with."""
        self._stamps += 1
        return str(self._stamps)

    def begin(self, by: By, run: Callable[[], None]) -> None:
        """Let an invocation run up to its first call."""
        self.invocations[by.number] = by
        self.history.invocations.append(by)
        self.calls[by.number] = []
        self.gate.begin(str(by.number), run)
        self._crash_if_due(by.number)

    def go_on(self, name: str) -> None:
        """Let a thread make its call; a fault that is due by then happens."""
        self.history.chosen.append(name)
        self.gate.go_on(name)
        self._crash_if_due(invocation_of(name))

    def _crash_if_due(self, number: int) -> None:
        fault = self._fault
        if fault is None or fault.kind != "crash" or fault.invocation != number:
            return
        if len(self.calls[number]) >= fault.after and number not in self.history.faulty:
            self.history.faulty.add(number)
            self.history.trace.append(Line(str(number), "dies here"))
            self.gate.kill(number)

    def make(self, call: Call, carry_out: Callable[[], T]) -> T:
        """Hold a call until it is chosen, carry it out, and record what came of it."""
        gate, history = self.gate, self.history
        gate.hold(call)
        name = gate.here()
        number = invocation_of(name)
        made = self.calls[number]
        made.append(call)
        fault = self._fault
        if call.on_aws and fault == Fault("busy", number, len(made) - 1):
            history.faulty.add(number)
            history.trace.append(Line(name, call, None, "too busy: try again"))
            raise TryAgain
        outcome = carry_out()
        history.trace.append(Line(name, call, outcome))
        if call.writes and fault == Fault("lost", number, len(made) - 1):
            history.faulty.add(number)
            history.trace.append(Line(name, "no answer: try again"))
            raise TryAgain
        if fault is not None and call.writes and fault == Fault("repeat", number, len(made) - 1):
            history.faulty.add(number)
            gate.hold(call)
            outcome = carry_out()
            history.trace.append(Line(name, call, outcome, "again, for the first answer was lost"))
        return outcome
