"""Every write's condition, against an item for which it holds and every change that matters.

Flows read before they write, so scenarios rarely meet what changes between the read and the write.
Each part of each condition is also shown to matter: without it, the condition judges some item
here otherwise.
"""

from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from robosignal.server.core.conditional_writes import Write, apply, evaluate
from tests.mutations.conjuncts import Place, parts, without
from tests.mutations.equivalent import EQUIVALENT
from tests.server.core.aimed import CODE_WRITES, ROBOT_WRITES, ROW_WRITES
from tests.server.core.conditions.cases import Examined, Item, Kind
from tests.server.core.conditions.every_case import CASES, FIRST, FORMS


def named(kind: Kind) -> str:
    """Return a write's name for a test's id."""
    return f"{kind.__module__.rpartition('.')[2]}.{kind.__name__}"


def judged() -> Iterator[Any]:
    """Yield every case, under a name that says it."""
    for kind, several in CASES.items():
        for number, examined in enumerate(several):
            for why, item, expected in examined.all():
                name = f"{named(kind)}{number or ''}: {why}"
                yield pytest.param(examined.write, item, expected, id=name)
    for form, (_, examined) in FORMS.items():
        for why, item, expected in examined.all():
            yield pytest.param(examined.write, item, expected, id=f"{form}: {why}")


def each_part() -> Iterator[Any]:
    """Yield each part of each condition that can be left out and ought not to be."""
    for kind, (first, *_) in CASES.items():
        for place, _ in parts(first.write.when):
            name = f"{named(kind)} {'.'.join(map(str, place)) or 'all'}"
            if name not in EQUIVALENT:
                yield pytest.param(CASES[kind], place, id=name)
    for form, (_, examined) in FORMS.items():
        for place, _ in parts(examined.write.when):
            yield pytest.param((examined,), place, id=f"{form} {'.'.join(map(str, place))}")


def notices(examined: Examined, place: Place) -> bool:
    """Say whether a case is judged otherwise without this part, if the write has it."""
    with suppress(LookupError):
        mutated = without(examined.write.when, place)
        return any(evaluate(mutated, item) is not expected for _, item, expected in examined.all())
    return False


def test_every_write_is_examined(record_property: Callable[[str, object], None]) -> None:
    """A new write needs its cases."""
    there, noticed = list(each_part()), 0
    for part in there:
        several, place = part.values
        noticed += any(notices(examined, place) for examined in several)
    told = (
        f"{noticed} of {len(there)} noticed, by {len(list(judged()))} cases of {len(CASES)} writes"
    )
    record_property("parts of conditions left out", told)

    assert set(CASES) == {*ROBOT_WRITES, *ROW_WRITES, *CODE_WRITES}


@pytest.mark.parametrize(("write", "item", "expected"), list(judged()))
def test_a_condition_holds_or_refuses(write: Write, item: Item, *, expected: bool) -> None:
    """As the case's name says."""
    assert evaluate(write.when, item) is expected


@pytest.mark.parametrize(("several", "place"), list(each_part()))
def test_no_part_of_a_condition_can_be_left_out(
    several: tuple[Examined, ...], place: Place
) -> None:
    """Some case above notices: none is there for show, and none is without a test."""
    assert any(notices(examined, place) for examined in several)


@pytest.mark.parametrize("examined", FIRST.values(), ids=map(named, FIRST))
def test_a_write_says_which_session_it_opens(examined: Examined) -> None:
    """One that the item had under no role before; by its role the session can be ended again."""
    after = apply(examined.write, examined.item) or {}
    before, now = roles_of(examined.item), roles_of(after)
    opened = [role for session_id, role in now.items() if session_id not in before]

    assert opened == ([] if examined.write.opens is None else [examined.write.opens])


def roles_of(item: Item) -> dict[str, str]:
    """Return the role of each session of a robot's item, by the session's id."""
    holder = item.get("controller")
    held = {} if holder is None else {holder["sessionId"]: "controller"}
    return dict.fromkeys(item.get("viewers", {}), "viewer") | held
