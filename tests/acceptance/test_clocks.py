"""Two handlers over one store, their clocks five minutes apart: never two drivers at one epoch.

A lease is written by one clock and judged by another, so it may end early or late. Who drives is
decided by the epoch alone.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import combinations_with_replacement, product

import pytest

from robosignal.gateway.store import LocalStore
from robosignal.protocol.limits import GRACE_SECONDS, LEASE_SECONDS
from tests.explorer.amounts import SOAK
from tests.explorer.cast import SITUATIONS
from tests.explorer.ends import Ends
from tests.explorer.events import KEY
from tests.explorer.invariants import broken_by
from tests.explorer.scene import Scene
from tests.explorer.schedules import every
from tests.tokens import signer
from tests.world import Frame, Peer, World

Record = Callable[[str, object], None]

APART_S = 300
CLOCKS = (-APART_S, 0, APART_S)
PAIRS = ((0, APART_S), (APART_S, 0), (0, -APART_S), (-APART_S, 0))


@pytest.mark.parametrize("situation", SITUATIONS if SOAK else ["held", "watched", "in grace"])
def test_no_schedule_of_two_handlers_five_minutes_apart_breaks_a_rule(
    situation: str, record_property: Record
) -> None:
    """One holder an epoch, true frames and true replies, whichever of the two is ahead."""
    scene = Scene(situation)
    ends, played, broken = Ends(scene), 0, []
    for pair, apart in product(combinations_with_replacement(KEY, 2), PAIRS):
        times = tuple(seconds * 1000 for seconds in apart)
        over = scene.now + max(times) + len(times) + 1
        for running in every(lambda: scene.begin(pair, times=times)):  # noqa: B023 - used up here
            found = broken_by(running.history) + ends.broken_by(running.history, over)
            broken += [f"{[event.name for event in pair]} {apart}: {each}" for each in found]
            played += 1
    record_property(f"explorer, clocks {APART_S} s apart, {situation}", f"{played} schedules")

    assert broken == []


class Handlers:
    """One backend, each of whose messages may be handled by a clock that is ahead or behind."""

    def __init__(self) -> None:
        self.world = World(LocalStore(None), signer())
        self.robot = self.world.robot("r1", "owner")
        self.world.share("r1", "bob")
        self.holder, self.rival, self.owner = (
            self.world.connect(user) for user in ("owner", "bob", "owner")
        )
        self.began = self.world.now

    @contextmanager
    def clock(self, ahead_s: float, after_ms: float = 0) -> Iterator[None]:
        """Handle what happens so long after the beginning by a clock that is so far ahead."""
        self.world.now = self.began + int(after_ms + ahead_s * 1000)
        yield

    def offers(self, peer: Peer, ahead_s: float, after_ms: float = 0) -> Frame:
        """Offer, and return the reply."""
        with self.clock(ahead_s, after_ms):
            return peer.offer("r1")

    def ends_after(self, judge_s: float, lease_ms: float) -> bool:
        """Say whether a rival finds the lease held until then, and free a moment later."""
        if lease_ms >= 0:
            refused = self.offers(self.rival, judge_s, lease_ms)
            if refused.get("code") != "robot_busy":
                return False
        return self.offers(self.rival, judge_s, max(0, lease_ms + 1)).get("role") == "controller"


@pytest.mark.parametrize("judge", CLOCKS)
@pytest.mark.parametrize("writer", CLOCKS)
def test_a_lease_ends_by_its_writers_clock_as_its_judge_reads_it(writer: int, judge: int) -> None:
    """Early by as much as the judge is ahead of the writer, late by as much as it is behind."""
    handlers = Handlers()
    handlers.offers(handlers.holder, writer)

    assert handlers.ends_after(judge, (LEASE_SECONDS + writer - judge) * 1000)


@pytest.mark.parametrize(("writer", "renewer", "judge"), list(product(CLOCKS, repeat=3)))
def test_the_last_renewal_counts_whatever_clock_it_is_by(
    writer: int, renewer: int, judge: int
) -> None:
    """The next renewal by a true clock makes good what one by a wrong clock has done."""
    handlers = Handlers()
    session = handlers.offers(handlers.holder, writer)["sessionId"]
    with handlers.clock(renewer):
        assert handlers.holder.ask(type="ping", sessionId=session)["role"] == "controller"

    assert handlers.ends_after(judge, (LEASE_SECONDS + renewer - judge) * 1000)


@pytest.mark.parametrize(("writer", "loser", "judge"), list(product(CLOCKS, repeat=3)))
def test_grace_never_lengthens_a_lease_whatever_clock_it_is_by(
    writer: int, loser: int, judge: int
) -> None:
    """It ends when the lease would have ended, or sooner by the clock that learnt of the loss."""
    handlers = Handlers()
    handlers.offers(handlers.holder, writer)
    with handlers.clock(loser):
        handlers.holder.disconnect()
    until = min(LEASE_SECONDS + writer, GRACE_SECONDS + loser)

    assert handlers.ends_after(judge, (until - judge) * 1000)


def test_a_driver_displaced_early_drives_nothing_and_is_told() -> None:
    """Their lease ran by the clock that wrote it; the robot goes by the higher epoch.

    By their own clock the rival's lease ends later than any can, so an offer acquires it again.
    """
    handlers = Handlers()
    first = handlers.offers(handlers.holder, 0)
    second = handlers.offers(handlers.rival, APART_S)
    with handlers.clock(0, after_ms=1000):
        renewal = handlers.holder.refused(type="ping", sessionId=first["sessionId"])
        robot = handlers.robot.ask(type="ping", robotId="r1")["control"]
    told = [frame["type"] for frame in handlers.holder.frames]
    again = handlers.offers(handlers.holder, 0)

    assert [first["epoch"], second["epoch"]] == [2, 3]
    assert [frame["epoch"] for frame in handlers.robot.frames if "epoch" in frame][:2] == [2, 3]
    assert told == ["control-lost"]
    assert (renewal, again["epoch"]) == ((404, "no_session"), 4)
    assert robot.pop("rightSeconds") > 0
    assert robot == {"epoch": 3, "sessionId": second["sessionId"]}


@pytest.mark.parametrize("judge", CLOCKS)
@pytest.mark.parametrize("writer", CLOCKS)
def test_the_owner_need_not_wait_for_a_lease_that_ends_late(writer: int, judge: int) -> None:
    """A takeover asks no clock."""
    handlers = Handlers()
    handlers.offers(handlers.rival, writer)
    with handlers.clock(judge):
        taken = handlers.owner.ask(type="takeover", robotId="r1")

    assert taken["epoch"] == 3
