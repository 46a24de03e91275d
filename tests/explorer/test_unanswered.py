"""A seed's offer whose write is never answered: its session ends, unless another try got an `ack`.

Nothing renews a seed's session, so one that its client and its robot know nothing of would keep
everyone else out until the client's token ends.
"""

from collections.abc import Callable, Iterator, Sequence
from http import HTTPStatus

import pytest

from tests.explorer.amounts import SOAK
from tests.explorer.cast import SITUATIONS
from tests.explorer.events import BY_NAME, EVENTS, Event
from tests.explorer.explorer import Explorer
from tests.explorer.running import Fault, Running
from tests.explorer.scene import Scene
from tests.explorer.schedules import every
from tests.server.core.conditions.every_case import FIRST

Record = Callable[[str, object], None]

OFFERS = [BY_NAME["offer by seed"], BY_NAME["offer as viewer by seed"]]
SEIZE = Event("seed", "takeover", BY_NAME["takeover by boss"].message)
OPENING = {case.write.name for case in FIRST.values() if case.write.opens is not None}
"""The names of the writes that open a session."""


def unanswered(scene: Scene, events: Sequence[Event]) -> Iterator[tuple[str, Running]]:
    """Yield every schedule in which no try of the first event's opening write is answered.

    Whether it is carried out or not.
    """
    first = next(iter(every(lambda: scene.begin(events[:1]))))
    opening = [n for n, call in enumerate(first.calls[1]) if call.about in OPENING]
    faults = [fault for n in opening for fault in (Fault("lost", 1, n), Fault("busy", 1, n))]
    for fault in faults:
        for running in every(lambda: scene.begin(events, fault)):  # noqa: B023 - used at once
            yield f"{fault}: {' '.join(running.history.chosen)}", running


def stays_unnoted(scene: Scene, running: Running) -> bool:
    """Say whether there is a seed's session that its row does not note, if no other wrote since.

    What another has written to since is left as it is: it may have been used.
    """
    item, row = scene.item, scene.store.connection(scene.cast["seed"].connection_id)
    found = item and item.session(scene.cast.session("seed"))
    if not found or found[0].dialect == "v1":
        return False
    others = [each for each in running.history.wrote if each.by.number != 1]
    return not others and (row is None or found[0].session_id not in row.sessions)


@pytest.mark.parametrize("situation", ["free", "lapsed", "operator lapsed", "free, watched"])
@pytest.mark.parametrize("event", [*OFFERS, SEIZE], ids=lambda event: event.name)
def test_an_unanswered_session_is_ended(situation: str, event: Event) -> None:
    """The sender is asked to try again, and others may drive meanwhile."""
    scene = Scene(situation)
    for told, running in unanswered(scene, [event]):
        (reply,) = running.history.replied

        assert not stays_unnoted(scene, running), told
        assert reply.status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.FORBIDDEN), told


@pytest.mark.parametrize("situation", ["free", "lapsed", "operator lapsed", "free, watched"])
@pytest.mark.parametrize("sent", [2, 3])
def test_what_another_try_was_acknowledged_is_not_ended(
    situation: str, sent: int, record_property: Record
) -> None:
    """The same page offers again, or twice, while its first offer is still being carried out."""
    scene, played = Scene(situation), 0
    for offer in [*OFFERS, SEIZE]:
        for told, running in unanswered(scene, [offer] * sent):
            played += 1
            acked = [each for each in running.history.replied if each.status == HTTPStatus.OK]
            item, row = scene.item, scene.store.connection(scene.cast["seed"].connection_id)
            mine = scene.cast.session("seed")
            assert item is not None
            assert row is not None
            is_there = item.session(mine) is not None and mine in row.sessions

            assert is_there or not acked, f"{offer.name}, {told}"
    record_property(
        f"explorer, an unanswered try and {sent - 1} more, {situation}",
        f"{played} schedules, 0 violations",
    )


@pytest.mark.parametrize("situation", SITUATIONS if SOAK else ["free", "operator lapsed"])
def test_an_unanswered_offer_of_a_seed_breaks_no_rule(
    situation: str, record_property: Record
) -> None:
    """Whatever else happens at the same time."""
    explorer = Explorer(situation)
    for offer in OFFERS if SOAK else OFFERS[:1]:
        for other in EVENTS:
            for told, running in unanswered(explorer.scene, [offer, other]):
                assert not stays_unnoted(explorer.scene, running), f"{other.name}, {told}"
            explorer.faults([offer, other])
    record_property(
        f"explorer, unanswered offers of a seed, {situation}",
        f"{explorer.played} schedules, {explorer.violations} violations",
    )

    assert explorer.violations == 0, "\n".join(explorer.broken)
