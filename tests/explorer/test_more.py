"""Schedules of three invocations, with faults, and chosen at random."""

from collections.abc import Callable
from itertools import combinations, combinations_with_replacement
from random import Random

import pytest

from tests.explorer.amounts import SOAK, amount
from tests.explorer.cast import SITUATIONS
from tests.explorer.events import BY_NAME, EVENTS, KEY
from tests.explorer.explorer import Explorer
from tests.explorer.running import Fault

Record = Callable[[str, object], None]

SEED = 20261123

TAKEOVER_LOSS_RETURN = (
    ("takeover by boss", "$disconnect by ann", "resume by ann2"),
    ("takeover by ann2", "$disconnect by ann", "takeover by boss"),
    ("register again by robot2", "$disconnect by robot", "offer by ann2"),
    ("register as next run by robot2", "$disconnect by robot", "takeover by boss"),
)
"""The threes that most systems get wrong, whole in every commit."""


@pytest.mark.parametrize("names", TAKEOVER_LOSS_RETURN, ids=", ".join)
def test_takeover_loss_and_return_hold(names: tuple[str, ...], record_property: Record) -> None:
    """Every schedule of these three, each on its own."""
    explorer = Explorer("held")
    explorer.every([BY_NAME[name] for name in names])
    record_property(
        f"explorer, {', '.join(names)}",
        f"{explorer.played} schedules, {explorer.violations} violations",
    )

    assert explorer.violations == 0, "\n".join(explorer.broken)


@pytest.mark.parametrize("situation", ["watched", "free, watched", "in grace", "redialled"])
def test_no_schedule_of_three_breaks_a_rule(situation: str, record_property: Record) -> None:
    """Of what touches the lease or the registration; a commit draws some threes, a soak all."""
    threes = list(combinations(KEY, 3))
    explorer = Explorer(situation)
    chosen = threes if SOAK else _drawing().sample(threes, 24)
    most = amount(300, 5000)
    cut = sum(explorer.every(three, at_most=most) == most for three in chosen)
    record_property(
        f"explorer, threes, {situation}",
        f"{explorer.played} schedules of {len(chosen)} threes ({cut} cut short), "
        f"{explorer.violations} violations",
    )

    assert explorer.violations == 0, "\n".join(explorer.broken)


@pytest.mark.parametrize("situation", SITUATIONS if SOAK else ["watched", "resumed viewer"])
def test_no_fault_breaks_a_rule(situation: str, record_property: Record) -> None:
    """An invocation dies before each of its calls; answers are lost; AWS is too busy for one."""
    pairs = list(combinations_with_replacement(KEY, 2))
    explorer = Explorer(situation)
    for pair in pairs if SOAK else _drawing().sample(pairs, 60):
        explorer.faults(pair)
    record_property(
        f"explorer, faults, {situation}",
        f"{explorer.played} schedules, {explorer.violations} violations",
    )

    assert explorer.violations == 0, "\n".join(explorer.broken)


@pytest.mark.parametrize("situation", SITUATIONS)
def test_no_drawn_schedule_breaks_a_rule(situation: str, record_property: Record) -> None:
    """Three to five events, clocks up to 40 s apart, and a fault in every third schedule."""
    explorer = Explorer(situation, warm=True)
    random = _drawing(situation)
    for _ in range(amount(150, 20_000)):
        events = [random.choice(EVENTS) for _ in range(random.randint(3, 5))]
        explorer.by_chance(events, _fault(random, len(events)), random)
    record_property(
        f"explorer, drawn with seed {SEED}, {situation}",
        f"{explorer.played} schedules, {explorer.violations} violations",
    )

    assert explorer.violations == 0, "\n".join(explorer.broken)


def _drawing(salt: str = "") -> Random:
    return Random(f"{SEED} {salt}")  # noqa: S311 - schedules are drawn, no secrets


def _fault(random: Random, invocations: int) -> Fault | None:
    number, after = random.randint(1, invocations), random.randint(0, 6)
    faults = [Fault(kind, number, after) for kind in ("crash", "repeat", "lost", "busy")]
    return random.choice((*faults, *[None] * 6))
