"""Robots' own keys: every schedule of two, with each fault, and what comes after a crash."""

from collections.abc import Callable
from itertools import combinations, combinations_with_replacement
from random import Random

import pytest

from robosignal.protocol.device_keys import hash_code
from robosignal.server.core.conditional_writes import Write
from robosignal.server.core.writes import codes, keys, presence
from tests.explorer.amounts import SOAK, amount
from tests.explorer.cast import CODED, KEYED, KEYS, ROBOT
from tests.explorer.events import (
    BY_NAME,
    CODERS,
    DEVICES,
    FRESH,
    KEY,
    KEYED_EVENTS,
    OWNERS_KEYED,
    Event,
)
from tests.explorer.explorer import Explorer
from tests.explorer.keys_rules import keys_of
from tests.explorer.running import Fault
from tests.explorer.scene import Scene
from tests.explorer.schedules import every
from tests.mutations.conjuncts import Place, weakened

Record = Callable[[str, object], None]

SEED = 20261201


def there(situation: str) -> list[Event]:
    """Return the events whose peers this situation has."""
    peers = Scene(situation).cast.peers
    return [event for event in KEYED_EVENTS if event.peer in peers]


def told(explorer: Explorer) -> str:
    """Return what is printed of an explorer."""
    return f"{explorer.played} schedules, {explorer.violations} violations"


@pytest.mark.parametrize("situation", KEYED)
def test_no_schedule_of_two_with_keys_breaks_a_rule(
    situation: str, record_property: Record
) -> None:
    """Keys come, go and register beside each other, and beside whatever touches the lease."""
    explorer = Explorer(situation)
    events = there(situation)
    pairs = [*combinations_with_replacement(events, 2)]
    pairs += [(one, other) for one in events for other in (KEY if SOAK else KEY[::3])]
    for pair in pairs:
        explorer.every(pair)
    record_property(f"explorer, keys, pairs, {situation}", told(explorer))

    assert explorer.violations == 0, "\n".join(explorer.broken)


@pytest.mark.parametrize("situation", KEYED)
def test_no_schedule_of_three_with_keys_breaks_a_rule(
    situation: str, record_property: Record
) -> None:
    """A commit draws some threes of what changes keys or registers by them, a soak all."""
    looks = ("keys", "create-code", "ping")
    threes = [*combinations([each for each in there(situation) if each.kind not in looks], 3)]
    random = Random(f"{SEED} {situation}")  # noqa: S311 - schedules are drawn, no secrets
    explorer = Explorer(situation)
    for three in threes if SOAK else random.sample(threes, min(20, len(threes))):
        explorer.every(three, at_most=amount(200, 2000))
    record_property(f"explorer, keys, threes, {situation}", told(explorer))

    assert explorer.violations == 0, "\n".join(explorer.broken)


@pytest.mark.parametrize("situation", KEYED)
def test_no_fault_with_keys_breaks_a_rule(situation: str, record_property: Record) -> None:
    """An invocation dies before each of its calls; answers are lost; AWS is too busy for one."""
    events = there(situation)
    pairs = [*combinations_with_replacement(events, 2)]
    random = Random(f"{SEED} {situation}")  # noqa: S311 - schedules are drawn, no secrets
    explorer = Explorer(situation)
    for pair in pairs if SOAK else random.sample(pairs, 24):
        explorer.faults(pair)
    record_property(f"explorer, keys, faults, {situation}", told(explorer))

    assert explorer.violations == 0, "\n".join(explorer.broken)


@pytest.mark.parametrize("situation", KEYED)
def test_no_drawn_schedule_with_keys_breaks_a_rule(situation: str, record_property: Record) -> None:
    """Three to five events, clocks up to 40 s apart, and a fault in every third schedule."""
    random = Random(f"{SEED} {situation}")  # noqa: S311 - schedules are drawn, no secrets
    explorer, events = Explorer(situation), [*there(situation), *KEY]
    for _ in range(amount(150, 20_000)):
        chosen = [random.choice(events) for _ in range(random.randint(3, 5))]
        number, after = random.randint(1, len(chosen)), random.randint(0, 6)
        faults = [Fault(kind, number, after) for kind in ("crash", "repeat", "lost", "busy")]
        explorer.by_chance(chosen, random.choice((*faults, *[None] * 6)), random)
    record_property(f"explorer, keys, drawn with seed {SEED}, {situation}", told(explorer))

    assert explorer.violations == 0, "\n".join(explorer.broken)


@pytest.mark.parametrize("situation", ["code", "code with approval"])
@pytest.mark.parametrize("fault", ["crash", "repeat", "lost", "busy"])
def test_an_interrupted_enrolment_is_repeated_at_no_cost(situation: str, fault: str) -> None:
    """Wherever it was cut off, beside another try of the same robot: one use, one key, an ack."""
    scene = Scene(situation)
    code_hash = hash_code(scene.cast.code)
    (first,) = every(lambda: scene.begin([BY_NAME["enroll by code by coder"]]))
    faults = [Fault(fault, 1, after) for after in range(len(first.calls[1]))]  # type: ignore[arg-type]
    played = 0
    for each in faults:
        for others in ((), (BY_NAME["enroll by code by coder2"],)):
            events = [BY_NAME["enroll by code by coder"], *others]
            for _ in every(lambda: scene.begin(events, each)):  # noqa: B023 - used at once
                played += 1
                again = scene.ask("coder2", scene.now + 10, type="enroll", code=scene.cast.code)
                code = scene.store.code(code_hash)

                assert (again["type"], again.get("kid")) == ("ack", KEYS["k3"].kid), str(each)
                assert code is not None
                assert code.takers == {ROBOT: ""}, str(each)
                assert KEYS["k3"].kid in keys_of(scene.item)
    assert played > len(faults)


MISTAKES: list[tuple[str, Callable[..., Write], Place, str, tuple[str, ...], str]] = [
    (
        "a register that does not look for its key",
        presence.register_process,
        (0, 1, 0),
        "by key, offline",
        ("revoke-key k1 by ann", "register restarted by device2"),
        "answered 500",
    ),
    (
        "a register that does not look at its assertion",
        presence.register_redial,
        (0, 2),
        "by key",
        ("register again by device2", "register again by twin"),
        "used an assertion",
    ),
    (
        "a key more that does not look for room",
        keys.enroll,
        (3,),
        "by key",
        ("enroll k3 by ann", "enroll k4 for ann by boss"),
        "4 keys",
    ),
    (
        "a revocation that does not look at who is online",
        keys.revoke,
        (3,),
        "by key, offline",
        ("revoke-key k1 by ann", "register restarted by device2"),
        "its robot is online",
    ),
    (
        "a use that does not look at who has taken it",
        codes.take_use,
        (1,),
        "code",
        ("enroll by code by coder", "enroll by code by coder3"),
        "took r1's use",
    ),
    (
        "an enrolment that does not look for a first key",
        keys.enroll_first,
        (1,),
        "by key",
        ("enroll k3 by ann",),
        "ended a key",
    ),
]
"""What is wrong, in which write, which part is left out, where it shows, and as what."""


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda each: str(each[0]))
def test_a_mistake_about_keys_is_found(
    mistake: tuple[str, Callable[..., Write], Place, str, tuple[str, ...], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The rules about keys are such that messages that cross show it."""
    _, write, place, situation, events, broken = mistake
    explorer = Explorer(situation)
    module = {each.__name__: each for each in (codes, keys, presence)}[write.__module__]
    monkeypatch.setattr(module, write.__name__, weakened(write, place))

    explorer.every([BY_NAME[name] for name in events])

    assert broken in "\n".join(explorer.broken)


def test_every_event_with_keys_has_a_situation() -> None:
    """Each peer is in one at least, and each situation with a code has its enrolling ones."""
    peers = {name: set(Scene(name).cast.peers) for name in KEYED}
    events = [*OWNERS_KEYED, *DEVICES, *FRESH, *CODERS]

    assert all(any(event.peer in peers[name] for name in KEYED) for event in events)
    assert all("coder" in peers[name] for name in CODED)
