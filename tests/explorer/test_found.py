"""Mistakes that the explorer has found before; their schedules are explored again."""

import pytest

from tests.explorer.events import BY_NAME
from tests.explorer.explorer import Explorer

FOUND = {
    "who is displaced by a takeover that fails is told": (
        "robot gone",
        ("takeover by boss", "ping by ann"),
    ),
    "a robot hears of a lease that is given back while it redials": (
        "robot gone",
        ("register again by robot2", "takeover by boss"),
    ),
    "a lease is not given back over a resume": (
        "lapsed",
        ("offer by ann", "resume by ann2", "$disconnect by robot"),
    ),
    "the end of a session reaches who has resumed it": (
        "held",
        ("resume by ann2", "bye to ann by robot"),
    ),
    "a restart that is cut off tells whom it ended": (
        "held",
        ("register as next run by robot2", "$disconnect by robot2"),
    ),
    "no second session is resumed while a place is taken": (
        "held",
        ("resume by ann2", "offer as viewer by ann2"),
    ),
    "no lease is taken while a second session is resumed": (
        "free, watched",
        ("offer by ann2", "resume by ann2"),
    ),
    "a seed's offer to a robot that is offline is posted nowhere": (
        "held by a seed",
        ("$disconnect by robot", "offer by seed"),
    ),
    "no lease of hours is granted to a seed that is gone": (
        "a seed watches",
        ("$disconnect by seed", "grant-control to the seed by ann"),
    ),
    "what a lost holder sent last buys no place": (
        "held by a seed",
        ("$disconnect by seed", "offer as viewer by seed"),
    ),
    "a lease taken for nothing is given back where its session views by then": (
        "operator lapsed",
        ("offer by seed", "offer as viewer by seed", "$disconnect by seed"),
    ),
    "a place taken for nothing is given back where its session holds by then": (
        "watched",
        ("offer as viewer by seed", "grant-control to the seed by ann", "$disconnect by seed"),
    ),
    "a robot that redials hears that a viewer who took over meanwhile is gone": (
        "robot gone",
        ("offer as viewer by ann2", "takeover by ann2", "register again by robot2"),
    ),
    "who leaves while granted control leaves it": (
        "watched",
        ("bye by olga", "grant-control to olga by ann"),
    ),
}


@pytest.mark.parametrize("found", FOUND)
def test_what_was_found_stays_fixed(found: str) -> None:
    """Every schedule of the events that once broke a rule."""
    situation, names = FOUND[found]
    explorer = Explorer(situation)
    explorer.every([BY_NAME[name] for name in names])

    assert explorer.broken == []
