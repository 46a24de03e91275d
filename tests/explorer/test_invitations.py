"""Invitations: every schedule of two, with each fault, and what comes after a crash."""

from collections.abc import Callable
from itertools import combinations, combinations_with_replacement
from random import Random

import pytest

from robosignal.protocol.device_keys import hash_code
from robosignal.protocol.ids import UserId
from robosignal.server.core.conditional_writes import Write
from robosignal.server.core.writes import codes, ownership
from tests.explorer.amounts import SOAK, amount
from tests.explorer.cast import INVITED
from tests.explorer.events import BY_NAME, INVITED_EVENTS, INVITERS, KEY
from tests.explorer.explorer import Explorer
from tests.explorer.running import Fault
from tests.explorer.scene import Scene
from tests.explorer.schedules import every
from tests.mutations.conjuncts import Place, weakened

Record = Callable[[str, object], None]

SEED = 20261201
NINA = UserId("nina")


def told(explorer: Explorer) -> str:
    """Return what is printed of an explorer."""
    return f"{explorer.played} schedules, {explorer.violations} violations"


@pytest.mark.parametrize("situation", INVITED)
def test_no_schedule_of_two_with_invitations_breaks_a_rule(
    situation: str, record_property: Record
) -> None:
    """Users accept beside each other, and beside whatever touches shares, owners or the lease."""
    explorer = Explorer(situation)
    pairs = [*combinations_with_replacement(INVITED_EVENTS, 2)]
    pairs += [(one, other) for one in INVITERS for other in (KEY if SOAK else KEY[::3])]
    for pair in pairs:
        explorer.every(pair, at_most=amount(24, 100_000))
    record_property(f"explorer, invitations, pairs, {situation}", told(explorer))

    assert explorer.violations == 0, "\n".join(explorer.broken)


@pytest.mark.parametrize("situation", INVITED)
def test_no_schedule_of_three_with_invitations_breaks_a_rule(
    situation: str, record_property: Record
) -> None:
    """A commit draws some threes with an invitation that is made or accepted, a soak all."""
    threes = [
        three
        for three in combinations(INVITED_EVENTS, 3)
        if any(each.kind == "accept" for each in three)
    ]
    random = Random(f"{SEED} {situation}")  # noqa: S311 - schedules are drawn, no secrets
    explorer = Explorer(situation)
    for three in threes if SOAK else random.sample(threes, 20):
        explorer.every(three, at_most=amount(40, 2000))
    record_property(f"explorer, invitations, threes, {situation}", told(explorer))

    assert explorer.violations == 0, "\n".join(explorer.broken)


@pytest.mark.parametrize("situation", INVITED)
def test_no_fault_with_invitations_breaks_a_rule(situation: str, record_property: Record) -> None:
    """An invocation dies before each of its calls; answers are lost; AWS is too busy for one."""
    pairs = [
        pair
        for pair in combinations_with_replacement(INVITED_EVENTS, 2)
        if any(each in INVITERS for each in pair)
    ]
    random = Random(f"{SEED} {situation}")  # noqa: S311 - schedules are drawn, no secrets
    explorer = Explorer(situation)
    for pair in pairs if SOAK else random.sample(pairs, 10):
        explorer.faults(pair, at_most=amount(6, 100_000))
    record_property(f"explorer, invitations, faults, {situation}", told(explorer))

    assert explorer.violations == 0, "\n".join(explorer.broken)


@pytest.mark.parametrize("situation", INVITED)
def test_no_drawn_schedule_with_invitations_breaks_a_rule(
    situation: str, record_property: Record
) -> None:
    """Three to five events, clocks up to 40 s apart, and a fault in every third schedule."""
    random = Random(f"{SEED} {situation}")  # noqa: S311 - schedules are drawn, no secrets
    explorer, events = Explorer(situation), [*INVITED_EVENTS, *INVITERS, *KEY]
    for _ in range(amount(150, 20_000)):
        chosen = [random.choice(events) for _ in range(random.randint(3, 5))]
        number, after = random.randint(1, len(chosen)), random.randint(0, 8)
        faults = [Fault(kind, number, after) for kind in ("crash", "repeat", "lost", "busy")]
        explorer.by_chance(chosen, random.choice((*faults, *[None] * 6)), random)
    record_property(f"explorer, invitations, drawn with seed {SEED}, {situation}", told(explorer))

    assert explorer.violations == 0, "\n".join(explorer.broken)


@pytest.mark.parametrize("situation", INVITED)
@pytest.mark.parametrize("fault", ["crash", "repeat", "lost", "busy"])
def test_an_interrupted_accept_is_repeated_at_no_cost(situation: str, fault: str) -> None:
    """Wherever it was cut off, beside another try of the same user: one use, one share, an ack."""
    scene = Scene(situation)
    code_hash = hash_code(scene.cast.code)
    invitation = scene.store.invitation(code_hash)
    assert invitation is not None
    (first,) = every(lambda: scene.begin([BY_NAME["accept by nina"]]))
    faults = [Fault(fault, 1, after) for after in range(len(first.calls[1]))]  # type: ignore[arg-type]
    played = 0
    for each in faults:
        for others in ((), (BY_NAME["accept by nina2"],)):
            events = [BY_NAME["accept by nina"], *others]
            for _ in every(lambda: scene.begin(events, each), amount(8, 1000)):  # noqa: B023 - used at once
                played += 1
                again = scene.ask("nina2", scene.now + 10, type="accept", code=scene.cast.code)
                after, item = scene.store.invitation(code_hash), scene.item

                assert (again["type"], again.get("role")) == ("ack", invitation.role), str(each)
                assert after is not None
                assert after.takers == {NINA: ""}, str(each)
                assert item is not None
                shares = [share for share in item.shares() if share.grantee == NINA]
                assert shares == [invitation.share_with(NINA)], str(each)
    assert played > len(faults)


def test_who_was_unshared_does_not_come_back_by_the_same_code() -> None:
    """The use was completed, though there is room for another user."""
    scene = Scene("invited to drive")
    now = scene.now
    said = {"type": "accept", "code": scene.cast.code}

    assert scene.ask("nina", now, **said)["role"] == "operator"
    scene.ask("ann", now + 1, type="unshare", robotId="r1", userId="nina")

    assert scene.ask("nina2", now + 2, **said)["code"] == "forbidden"
    assert scene.ask("mallory", now + 3, **said)["role"] == "operator"


MISTAKES: list[tuple[str, Callable[..., Write], Place, str, tuple[str, ...], str]] = [
    (
        "an accept that does not look whose the invitation was",
        ownership.accept_invitation,
        (0,),
        "invited",
        ("transfer to olga by ann", "accept by nina"),
        "accepted a void invitation",
    ),
    (
        "an accept that does not look for a greater share that was made since",
        ownership.accept_invitation,
        (1,),
        "invited beside an offer",
        ("accept-share by nina", "accept by nina2"),
        "has lost",
    ),
    (
        "a use that does not look at who has taken it",
        codes.take_use,
        (1,),
        "invited",
        ("accept by nina", "accept by mallory"),
        "2 takers of a code of 1 uses",
    ),
]
"""What is wrong, in which write, which part is left out, where it shows, and as what."""


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda each: str(each[0]))
def test_a_mistake_about_invitations_is_found(
    mistake: tuple[str, Callable[..., Write], Place, str, tuple[str, ...], str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The rules about invitations are such that messages that cross show it."""
    _, write, place, situation, events, broken = mistake
    explorer = Explorer(situation)
    module = {each.__name__: each for each in (codes, ownership)}[write.__module__]
    monkeypatch.setattr(module, write.__name__, weakened(write, place))

    explorer.every([BY_NAME[name] for name in events])

    assert broken in "\n".join(explorer.broken)
