from random import Random

from hypothesis import given
from hypothesis import strategies as st

from robosignal.protocol.ids import SessionId
from robosignal.robot.session.fence import Fence, advance, release

ALICE, BOB = SessionId("demo:alice"), SessionId("demo:bob")


def test_holder_alone_is_obeyed() -> None:
    """The session that the epoch names drives, and no other."""
    fence = advance(Fence(), 3, ALICE)

    assert (fence.obeys(ALICE), fence.obeys(BOB)) == (True, False)


def test_free_lease_obeys_no_one() -> None:
    """Without a holder no session drives."""
    assert not Fence(3).obeys(ALICE)


def test_lower_epoch_changes_nothing() -> None:
    """A push that was overtaken by a later one is ignored."""
    fence = Fence(3, ALICE)

    assert advance(fence, 2, BOB) == fence


def test_name_of_an_epoch_is_kept() -> None:
    """A second name for one epoch is ignored."""
    fence = Fence(3, ALICE)

    assert advance(fence, 3, BOB) == fence


def test_holder_that_resumes_after_a_lapse_is_named_again() -> None:
    """An epoch that was free may be named, for a resume keeps its epoch."""
    assert advance(Fence(3), 3, ALICE) == Fence(3, ALICE)


def test_ended_session_drives_no_more() -> None:
    """The epoch stays as it is."""
    assert release(Fence(3, ALICE), ALICE) == Fence(3)


def test_end_of_another_session_changes_nothing() -> None:
    """A viewer's end leaves the driver alone."""
    assert release(Fence(3, ALICE), BOB) == Fence(3, ALICE)


@given(st.dictionaries(st.integers(1, 5), st.sampled_from([ALICE, BOB, None])), st.randoms())
def test_order_of_pushes_does_not_matter(
    named: dict[int, SessionId | None], random: Random
) -> None:
    """However they come, and twice, the highest epoch and its session stand."""
    pushes = [*named.items(), *named.items()]
    random.shuffle(pushes)
    fence = Fence()
    for epoch, holder in pushes:
        fence = advance(fence, epoch, holder)

    highest = max(named, default=0)
    assert fence == Fence(highest, named.get(highest))
