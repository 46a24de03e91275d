"""The explorer itself: it finds every kind of mistake, skips nothing, and can play it again."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import msgspec
import pytest

from robosignal.server.core.conditional_writes import Write
from robosignal.server.core.writes import lease, ownership, presence, viewers
from tests.explorer.cast import ROBOT
from tests.explorer.events import BY_NAME, Event
from tests.explorer.explorer import Explorer
from tests.explorer.noted import read
from tests.explorer.running import Running
from tests.explorer.scene import Scene
from tests.explorer.schedules import as_noted, every
from tests.mutations.conjuncts import Place, weakened

Mistake = tuple[str, Callable[..., Write], Place, str, tuple[str, ...], str]

MISTAKES: list[Mistake] = [
    (
        "a takeover that looks only at its session",
        lease.take_over,
        (3,),
        "held",
        ("takeover by ann", "ping by ann"),
        "a holder displaced themselves",
    ),
    (
        "a first offer that does not look for viewers",
        lease.acquire,
        (2,),
        "resumed viewer",
        ("offer by ann2", "ping by ann"),
        "a connection has two sessions",
    ),
    (
        "a first offer that does not ask whether the lease is free",
        lease.acquire,
        (3,),
        "free",
        ("offer by ann", "offer by olga"),
        "lost a running lease",
    ),
    (
        "a second report that begins the grace again",
        lease.record_late_loss,
        (1,),
        "in grace",
        ("bye to olga by robot", "answer to ann by robot"),
        "grace was changed",
    ),
    (
        "a late ping that ends the grace of a lost socket",
        lease.renew,
        (0, 1),
        "held",
        ("$disconnect by ann", "ping by ann"),
        "lost socket has got more time",
    ),
    (
        "a late ping that keeps the place of a lost socket",
        viewers.renew,
        (1,),
        "watched",
        ("$disconnect by olga", "ping by olga"),
        "lost socket has got more time",
    ),
    (
        "a late report that revives a lapsed lease",
        lease.begin_grace,
        (2,),
        "lapsed",
        ("$disconnect by ann", "ping by olga"),
        "time was lengthened",
    ),
    (
        "a robot's late register that wins over a newer one",
        presence.register_redial,
        (2,),
        "redialled",
        ("register by robot", "ping by ann"),
        "an older socket took the robot's place",
    ),
    (
        "a clean-up that does not look at what is there now",
        presence.record_loss,
        (),
        "held",
        ("register again by robot2", "$disconnect by robot"),
        "went offline",
    ),
    (
        "a lease given back that was resumed meanwhile",
        lease.roll_back_with_robot,
        (0, 1),
        "lapsed",
        ("offer by ann", "resume by ann2", "$disconnect by robot"),
        "lost a running lease",
    ),
    (
        "an older connection that resumes over a newer one",
        lease.resume,
        (3,),
        "resumed",
        ("resume its own by ann", "ping by olga"),
        "took a session back",
    ),
    (
        "a grant to a connection that its session has left",
        lease.grant,
        (2,),
        "watched",
        ("grant-control to olga by ann", "resume by olga2"),
        "",
    ),
    (
        "a share that its user has left, and that comes back unasked",
        ownership.share,
        (3,),
        "held by a group",
        ("share with olga as viewer by ann", "leave-share by olga"),
        "has got a share",
    ),
    (
        "a grant to a viewer who may not drive any more",
        lease.grant,
        (4,),
        "watched",
        ("grant-control to olga by ann", "share with olga as viewer by ann"),
        "no right to it",
    ),
    (
        "an offer that is accepted after it was withdrawn",
        ownership.accept,
        (1,),
        "offered",
        ("accept-share by nina", "unshare nina by ann"),
        "has got a share",
    ),
]
"""What is wrong, in which write, which conjunct is left out, where it shows, and as what."""


@pytest.fixture
def mutated(request: pytest.FixtureRequest) -> Iterator[Mistake]:
    """One write without one of its conjuncts, wherever it is made."""
    mistake: Mistake = request.param
    _, write, place, *_ = mistake
    module = {each.__name__: each for each in (lease, ownership, presence, viewers)}[
        write.__module__
    ]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, write.__name__, weakened(write, place))
        yield mistake


@pytest.mark.parametrize("mutated", MISTAKES, ids=lambda mistake: mistake[0], indirect=True)
def test_a_mistake_that_looks_right_is_found(mutated: Mistake) -> None:
    """Two messages that cross are enough to show it, as the rule that it breaks."""
    _, _, _, situation, pair, broken = mutated
    explorer = Explorer(situation)
    explorer.every([BY_NAME[name] for name in pair])

    assert explorer.violations > 0
    assert broken in "\n".join(explorer.broken)


@pytest.mark.parametrize("mutated", MISTAKES[2:3], indirect=True)
def test_what_is_found_plays_again(mutated: Mistake) -> None:
    """The line that a failure prints is all that it takes, in another process too."""
    _, _, _, situation, pair, broken = mutated
    explorer = Explorer(situation)
    explorer.every([BY_NAME[name] for name in pair])
    line = explorer.broken[0].rpartition("play '")[2].rstrip("'")

    again = Explorer(read(line).situation).again(read(line))

    assert again == explorer.broken[0]
    assert broken in again


def _all_orders(scene: Scene, events: list[Event]) -> Iterator[Running]:
    """Play every order of all calls, whether or not it can matter."""
    waiting: list[tuple[str, ...]] = [()]
    while waiting:
        chosen = waiting.pop()
        running = scene.begin(events)
        for name in chosen:
            running.go_on(name)
        held = sorted(running.gate.held)
        waiting += [(*chosen, name) for name in held]
        running.gate.kill_all()
        if not held:
            yield as_noted(scene.begin(events), chosen)


@pytest.mark.parametrize(
    ("situation", "pair"),
    [
        ("held", ("takeover by boss", "ping by ann")),
        ("held", ("resume by ann2", "bye to ann by robot")),
        ("lapsed", ("$disconnect by ann", "ping by ann")),
    ],
)
def test_what_is_left_out_makes_no_difference(situation: str, pair: tuple[str, str]) -> None:
    """The schedules that are played end in every way in which any order of calls can end."""
    scene, events = Scene(situation), [BY_NAME[name] for name in pair]

    def end(running: Running) -> bytes:
        replies = sorted(
            (reply.by.number, reply.status, str(reply.frame)) for reply in running.history.replied
        )
        return msgspec.json.encode((scene.store.robot(ROBOT), replies))

    everything = [end(running) for running in _all_orders(scene, events)]
    some = [end(running) for running in every(lambda: scene.begin(events))]

    assert set(some) == set(everything)
    assert len(some) < len(everything)


def test_a_noted_schedule_reads_as_it_was_written() -> None:
    """Clocks and the fault included."""
    line = "held | warm | takeover by boss @5000 + ping by ann | crash 1 after 2 | 1 2 1a"

    assert str(read(line)) == line
    assert str(replace(read(line), chosen=())).endswith("| crash 1 after 2 | ")
