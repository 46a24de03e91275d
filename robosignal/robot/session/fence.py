"""Who drives: the highest epoch that was seen, and the session that it names.

Pushes may arrive in any order, and twice: the fence ends the same.
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


def advance(fence: Fence, epoch: int, holder: SessionId | None) -> Fence:
    """Return the fence after a push: a lower epoch changes nothing.

    An epoch names one session and no other, so at an equal epoch the first name stays; only a
    fence without a name learns one (a holder who resumes after a lapse keeps its epoch).
    """
    if epoch > fence.epoch:
        return Fence(epoch, holder)
    if epoch == fence.epoch and fence.holder is None:
        return Fence(epoch, holder)
    return fence


def release(fence: Fence, session: SessionId) -> Fence:
    """Return the fence after `session` has ended: it no longer drives, and the epoch stays."""
    return Fence(fence.epoch) if fence.holder == session else fence
