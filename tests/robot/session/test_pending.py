from robosignal.protocol.ids import SessionId
from robosignal.robot.frames import Candidate, PcId
from robosignal.robot.session.pending import (
    CANDIDATE_MS,
    CANDIDATES_IN_ALL,
    CANDIDATES_PER_SESSION,
    EarlyCandidate,
    EarlyCandidates,
)

PC = PcId("first")


def waiting(session: str, number: int, at: int = 0) -> EarlyCandidate:
    """Return a candidate that can be told from others."""
    return EarlyCandidate(SessionId(session), PC, Candidate(str(number)), at)


def keep(candidates: list[EarlyCandidate]) -> EarlyCandidates:
    """Return what is kept of these."""
    early = EarlyCandidates()
    for one in candidates:
        early = early.add(one)
    return early


def test_candidates_are_claimed_in_order() -> None:
    """Those of other sessions stay."""
    early = keep([waiting("a", 1), waiting("b", 2), waiting("a", 3)])
    left, mine = early.claim(SessionId("a"), PC)

    assert (left.waiting, [one.candidate for one in mine]) == ((waiting("b", 2),), ["1", "3"])


def test_candidates_of_another_peer_connection_are_not_claimed() -> None:
    """A session's new pcId does not inherit candidates of the old."""
    early = keep([waiting("a", 1)])

    assert early.claim(SessionId("a"), PcId("second")) == (early, [])


def test_one_session_cannot_fill_the_memory() -> None:
    """Beyond its share nothing more is kept."""
    early = keep([waiting("a", number) for number in range(CANDIDATES_PER_SESSION + 5)])

    assert len(early.waiting) == CANDIDATES_PER_SESSION


def test_many_sessions_cannot_fill_the_memory() -> None:
    """There is a limit for all together."""
    early = keep([waiting(str(number), 0) for number in range(CANDIDATES_IN_ALL + 5)])

    assert len(early.waiting) == CANDIDATES_IN_ALL


def test_candidates_are_kept_for_ten_seconds() -> None:
    """Their sessions are named once, when they go."""
    early = keep([waiting("a", 1, 5), waiting("a", 2, 5), waiting("b", 3, 6)])
    left, gone = early.expire(5 + CANDIDATE_MS)

    assert (left.waiting, gone) == ((waiting("b", 3, 6),), ["a"])
    assert early.due_times() == [5 + CANDIDATE_MS]
