from robosignal.protocol.ids import SessionId
from robosignal.robot.early import (
    KEPT_IN_ALL,
    KEPT_MS,
    KEPT_OF_A_SESSION,
    Early,
    Waiting,
    claimed,
    dues,
    expired,
    kept,
)
from robosignal.robot.frames import Candidate, PcId

PC = PcId("first")


def waiting(session: str, number: int, at: int = 0) -> Waiting:
    """Return a candidate that can be told from others."""
    return Waiting(SessionId(session), PC, Candidate(str(number)), at)


def all_kept(candidates: list[Waiting]) -> Early:
    """Return what is kept of these."""
    early: Early = ()
    for one in candidates:
        early = kept(early, one)
    return early


def test_candidates_are_claimed_in_order() -> None:
    """Those of other sessions stay."""
    early = all_kept([waiting("a", 1), waiting("b", 2), waiting("a", 3)])
    left, mine = claimed(early, SessionId("a"), PC)

    assert (left, [one.candidate for one in mine]) == ((waiting("b", 2),), ["1", "3"])


def test_candidates_of_another_peer_connection_are_not_claimed() -> None:
    """A session's new pcId does not inherit candidates of the old."""
    early = all_kept([waiting("a", 1)])

    assert claimed(early, SessionId("a"), PcId("second")) == (early, [])


def test_one_session_cannot_fill_the_memory() -> None:
    """Beyond its share nothing more is kept."""
    early = all_kept([waiting("a", number) for number in range(KEPT_OF_A_SESSION + 5)])

    assert len(early) == KEPT_OF_A_SESSION


def test_many_sessions_cannot_fill_the_memory() -> None:
    """There is a limit for all together."""
    early = all_kept([waiting(str(number), 0) for number in range(KEPT_IN_ALL + 5)])

    assert len(early) == KEPT_IN_ALL


def test_candidates_are_kept_for_ten_seconds() -> None:
    """Their sessions are named once, when they go."""
    early = all_kept([waiting("a", 1, 5), waiting("a", 2, 5), waiting("b", 3, 6)])
    left, gone = expired(early, 5 + KEPT_MS)

    assert (left, gone, dues(early)) == ((waiting("b", 3, 6),), ["a"], [5 + KEPT_MS])
