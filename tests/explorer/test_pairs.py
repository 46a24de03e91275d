"""Every schedule of two invocations, over every pair of events, in many situations."""

from collections.abc import Callable
from itertools import combinations_with_replacement

import pytest

from robosignal.protocol.messages import MESSAGES
from tests.explorer.amounts import EVERY_COMMIT, SOAK
from tests.explorer.cast import SITUATIONS
from tests.explorer.events import (
    ASKS_TOO,
    AT_ODDS,
    BY_NAME,
    CLAIMING,
    EVENTS,
    INVITED_EVENTS,
    KEY,
    KEYED_EVENTS,
    LEASING,
    OTHERS,
    SHARING,
)
from tests.explorer.explorer import Explorer

FROM_SHARES = [BY_NAME[name] for name in ("share with olga by ann", "transfer to olga by ann")]

Record = Callable[[str, object], None]


def test_every_message_type_is_explored() -> None:
    """A new message type needs an event here, and so do both ends of a connection."""
    explored = {event.kind for event in (*EVENTS, *KEYED_EVENTS, *INVITED_EVENTS)}

    assert {*MESSAGES, "$connect", "$disconnect"} == explored


@pytest.mark.parametrize("situation", ["free", "held", "lapsed", "free, watched", "places lapsed"])
def test_a_connection_is_not_robot_and_client_at_once(
    situation: str, record_property: Record
) -> None:
    """Its own messages cross: it registers, and drives or watches, before either is noted."""
    explorer = Explorer(situation)
    for event in AT_ODDS:
        others = [each for each in CLAIMING + LEASING if each.peer == event.peer]
        for other in others:
            explorer.every((event, other))
    record_property(
        f"explorer, a connection at odds with itself, {situation}",
        f"{explorer.played} schedules, {explorer.violations} violations",
    )

    assert explorer.violations == 0, "\n".join(explorer.broken)


@pytest.mark.parametrize(
    "situation", ["free", "held by an operator", "watched", "free, watched", "operator lapsed"]
)
def test_who_loses_the_right_gets_nothing_more(situation: str, record_property: Record) -> None:
    """The right is asked for where the write is: it may end between a look and a write."""
    explorer = Explorer(situation)
    for event in (each for each in (*LEASING, *OTHERS) if each.peer in ("olga", "olga2", "seed")):
        explorer.every((BY_NAME["unshare olga by ann"], event))
    record_property(
        f"explorer, a right that ends, {situation}",
        f"{explorer.played} schedules, {explorer.violations} violations",
    )

    assert explorer.violations == 0, "\n".join(explorer.broken)


@pytest.mark.parametrize(
    "situation",
    ["offered", "shared for viewing", "held by a group", "share ends soon", "share has ended"],
)
def test_shares_that_change_break_no_rule(situation: str, record_property: Record) -> None:
    """Role, end, group and consent, against all that touches the lease."""
    explorer = Explorer(situation)
    for event in SHARING:
        for other in (*SHARING, *(EVENTS if SOAK else [*KEY, *FROM_SHARES])):
            explorer.every((event, other))
    record_property(
        f"explorer, shares, {situation}",
        f"{explorer.played} schedules, {explorer.violations} violations",
    )

    assert explorer.violations == 0, "\n".join(explorer.broken)


@pytest.mark.parametrize("situation", ["free, watched", "places lapsed"])
def test_a_viewer_who_moves_is_not_taken_back(situation: str) -> None:
    """The older connection asks for control while the newer one resumes."""
    explorer = Explorer(situation)
    explorer.every([ASKS_TOO, BY_NAME["resume by ann2"]])
    explorer.every([BY_NAME["takeover by ann"], BY_NAME["resume by ann2"]])

    assert explorer.broken == []


@pytest.mark.parametrize("situation", SITUATIONS if SOAK else ["held", "free, watched"])
def test_writes_that_are_checked_first_break_no_rule(
    situation: str, record_property: Record
) -> None:
    """Between the read and the write of one invocation come the calls of the other."""
    explorer = Explorer(situation, doubtful=True)
    for pair in combinations_with_replacement(EVENTS if SOAK else KEY, 2):
        explorer.every(pair)
    record_property(
        f"explorer, checked first, {situation}",
        f"{explorer.played} schedules, {explorer.violations} violations",
    )

    assert explorer.violations == 0, "\n".join(explorer.broken)


@pytest.mark.parametrize("warm", [False, True] if SOAK else [False])
@pytest.mark.parametrize("situation", SITUATIONS if SOAK else EVERY_COMMIT)
def test_no_schedule_of_two_breaks_a_rule(
    situation: str, record_property: Record, *, warm: bool
) -> None:
    """An event may be one of the pair twice: API Gateway may deliver it twice."""
    explorer = Explorer(situation, warm=warm)
    for pair in combinations_with_replacement(EVENTS, 2):
        explorer.every(pair)
    record_property(
        f"explorer, pairs, {situation}{', warm' if warm else ''}",
        f"{explorer.played} schedules, {explorer.violations} violations",
    )

    assert explorer.violations == 0, "\n".join(explorer.broken)
