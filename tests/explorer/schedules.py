"""Chooses who goes on: every schedule that differs, a random one, or one from a note.

Two schedules differ if two conflicting calls come in another order; of those that do not differ,
one is played. The method is source sets with sleep sets: Abdulla, Aronis, Jonsson, Sagonas,
"Optimal dynamic partial order reduction" (POPL 2014), algorithm 1.
"""

from collections.abc import Callable, Iterator, Sequence
from random import Random

from tests.explorer.calls import Call, conflict
from tests.explorer.races import Made, initials, races
from tests.explorer.running import Running

Begin = Callable[[], Running]


class _Point:
    """A point at which somebody was chosen: who could be, who is to be, who need not be."""

    __slots__ = ("asleep", "chosen", "held", "to_choose")

    def __init__(self, held: dict[str, Call], asleep: set[str], chosen: str) -> None:
        self.held = held
        self.asleep = asleep
        self.chosen = chosen
        self.to_choose = {chosen}

    @property
    def made(self) -> Made:
        """The call that was made here."""
        return Made(self.chosen, self.held[self.chosen])

    def asleep_after(self) -> set[str]:
        """Return who need not be chosen next either: their call and the one made do not meet."""
        made = self.held[self.chosen]
        return {name for name in self.asleep if not conflict(self.held[name], made)}

    def choose_another(self) -> bool:
        """Choose the next one who is to be; False when there is none."""
        self.asleep.add(self.chosen)
        left = self.to_choose - self.asleep
        if left:
            self.chosen = min(left)
        return bool(left)


def every(begin: Begin, at_most: int | None = None) -> Iterator[Running]:
    """Play every schedule that differs from all others, or as many of them as are asked for."""
    path: list[_Point] = []
    played = 0
    while True:
        running = begin()
        known = len(path)
        if _descend(running, path):
            yield running
            played += 1
        running.gate.kill_all()
        _note_races(path, max(0, known - 1))
        while path and not path[-1].choose_another():
            path.pop()
        if not path or played == at_most:
            return


def _descend(running: Running, path: list[_Point]) -> bool:
    """Play the path's choices, then go on to the end. False: a schedule like it was played."""
    for point in path:
        running.go_on(point.chosen)
    while running.gate.held:
        held = dict(running.gate.held)
        asleep = path[-1].asleep_after() & held.keys() if path else set()
        awake = held.keys() - asleep
        if not awake:
            return False
        point = _Point(held, asleep, min(awake))
        path.append(point)
        running.go_on(point.chosen)
    return True


def _note_races(path: list[_Point], since: int) -> None:
    """Let the other order of each race be played too."""
    made = [point.made for point in path]
    for earlier, reversing in races(made, since):
        point = path[earlier]
        first = initials(reversing)
        if not first & point.to_choose:
            able = first & point.held.keys()
            point.to_choose |= {min(able)} if able else point.held.keys()


def by_chance(running: Running, random: Random) -> Running:
    """Play one schedule in which each next one is drawn."""
    while running.gate.held:
        running.go_on(random.choice(sorted(running.gate.held)))
    return running


def as_noted(running: Running, chosen: Sequence[str]) -> Running:
    """Play a schedule that was noted; invocations that it does not name go on in order."""
    for name in chosen:
        if name in running.gate.held:
            running.go_on(name)
    while running.gate.held:
        running.go_on(min(running.gate.held))
    return running
