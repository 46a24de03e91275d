"""Plays the schedules of one situation, checks each, and keeps those that break a rule as text."""

from collections.abc import Sequence
from dataclasses import replace
from random import Random

from tests.explorer.ends import Ends
from tests.explorer.events import Event
from tests.explorer.invariants import broken_by
from tests.explorer.noted import Noted, failure
from tests.explorer.running import Fault, Running
from tests.explorer.scene import Scene
from tests.explorer.schedules import as_noted, by_chance, every

KEPT = 5
"""So many broken schedules are told of, at most; the rest are counted."""


class Explorer:
    """One situation's explorer: how many schedules it has played, and what they have broken."""

    def __init__(self, situation: str, *, warm: bool = False, doubtful: bool = False) -> None:
        self.scene = Scene(situation, warm=warm, doubtful=doubtful)
        self.played = 0
        self.violations = 0
        self.broken: list[str] = []
        self._ends = Ends(self.scene)

    def every(
        self, events: Sequence[Event], fault: Fault | None = None, at_most: int | None = None
    ) -> int:
        """Play every schedule of these events that differs; return how many that were."""
        noted = self._noted(events, fault)
        before = self.played
        for running in every(lambda: self.scene.begin(events, fault), at_most):
            self._judge(noted, running)
        return self.played - before

    def faults(self, events: Sequence[Event], at_most: int | None = None) -> int:
        """Play every schedule with each fault: a crash, lost answers, AWS busy, at each call."""
        before = self.played
        for fault in self._faults_of(events):
            self.every(events, fault, at_most)
        return self.played - before

    def by_chance(self, events: Sequence[Event], fault: Fault | None, random: Random) -> None:
        """Play one schedule that chance chooses, with clocks that differ by up to 40 s."""
        times = tuple(random.choice((0, 0, 5_000, 20_000, 40_000)) for _ in events)
        running = by_chance(self.scene.begin(events, fault, times=times), random)
        self._judge(replace(self._noted(events, fault), times=times), running)

    def again(self, noted: Noted) -> str:
        """Play a noted schedule and return its trace."""
        begun = self.scene.begin(noted.events, noted.fault, times=noted.times)
        running = as_noted(begun, noted.chosen)
        return failure(noted, running, self._judge(noted, running))

    def _noted(self, events: Sequence[Event], fault: Fault | None) -> Noted:
        scene, times = self.scene, (0,) * len(events)
        return Noted(scene.name, scene.warm, tuple(events), times, fault, doubtful=scene.doubtful)

    def _judge(self, noted: Noted, running: Running) -> list[str]:
        self.played += 1
        history = running.history
        # Later than every clock of the run, each of which is its number's milliseconds ahead.
        over = self.scene.now + max(noted.times) + len(noted.times) + 1
        found = broken_by(history) + self._ends.broken_by(history, over)
        if found:
            self.violations += 1
        if found and len(self.broken) < KEPT:
            noted = replace(noted, chosen=tuple(history.chosen))
            self.broken.append(failure(noted, running, found))
        return found

    def _faults_of(self, events: Sequence[Event]) -> list[Fault]:
        """Return every fault that the first schedule of these events has room for."""
        first = next(iter(every(lambda: self.scene.begin(events), 1)))
        found: list[Fault] = []
        for number, calls in first.calls.items():
            found += (Fault("crash", number, after) for after in range(len(calls)))
            found += (Fault("repeat", number, n) for n, call in enumerate(calls) if call.writes)
            found += (Fault("lost", number, n) for n, call in enumerate(calls) if call.writes)
            found += (Fault("busy", number, n) for n, call in enumerate(calls) if call.on_aws)
        return found
