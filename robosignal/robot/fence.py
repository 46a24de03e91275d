"""Who drives: the highest epoch that was seen, and the session that it names.

Knows the order of epochs and nothing of peers, frames or time. Pushes may arrive in any order
and twice; the fence ends the same.
"""

from dataclasses import dataclass

from robosignal.protocol.ids import SessionId


@dataclass(frozen=True, slots=True)
class Fence:
    """`holder` is None while the lease is free."""

    epoch: int = 0
    holder: SessionId | None = None

    def obeys(self, session: SessionId) -> bool:
        """Whether a command of this session is to be carried out."""
        return self.holder is not None and self.holder == session


def raised(seen: Fence, epoch: int, holder: SessionId | None) -> Fence:
    """Return the fence after a push: a lower epoch changes nothing.

    An epoch names one session and no other, so at an equal epoch the first name stands; only a
    fence that had no name learns one (a holder who resumes after a lapse keeps its epoch).
    """
    if epoch > seen.epoch:
        return Fence(epoch, holder)
    if epoch == seen.epoch and seen.holder is None:
        return Fence(epoch, holder)
    return seen


def without(seen: Fence, session: SessionId) -> Fence:
    """Return the fence after `session` has ended: it drives no more, the epoch stays."""
    return Fence(seen.epoch) if seen.holder == session else seen
