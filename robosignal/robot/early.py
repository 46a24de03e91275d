"""Candidates that came before their offer, kept for a while.

Knows how many and how long; never what a candidate says or which peers there are.
"""

from dataclasses import dataclass

from robosignal.protocol.ids import SessionId
from robosignal.robot.frames import Candidate, PcId

KEPT_MS = 10_000
KEPT_OF_A_SESSION = 32
KEPT_IN_ALL = 512


@dataclass(frozen=True, slots=True)
class Waiting:
    """One candidate and when it came, in ms."""

    session_id: SessionId
    pc_id: PcId
    candidate: Candidate
    at: int


Early = tuple[Waiting, ...]
"""In the order in which they came."""


def kept(early: Early, waiting: Waiting) -> Early:
    """Return with one more, unless its sender, or all together, have too many already."""
    same = sum(1 for other in early if other.session_id == waiting.session_id)
    full = same >= KEPT_OF_A_SESSION or len(early) >= KEPT_IN_ALL
    return early if full else (*early, waiting)


def claimed(early: Early, session: SessionId, pc: PcId) -> tuple[Early, list[Candidate]]:
    """Return what is left, and the candidates of this peer connection, in order."""
    mine = [one.candidate for one in early if (one.session_id, one.pc_id) == (session, pc)]
    return tuple(one for one in early if (one.session_id, one.pc_id) != (session, pc)), mine


def expired(early: Early, now: int) -> tuple[Early, list[SessionId]]:
    """Return what may stay, and whose candidates went, each once."""
    gone = [one.session_id for one in early if now >= one.at + KEPT_MS]
    return tuple(one for one in early if now < one.at + KEPT_MS), list(dict.fromkeys(gone))


def dues(early: Early) -> list[int]:
    """Return the time at which `expired` has something to do."""
    return [early[0].at + KEPT_MS] if early else []
