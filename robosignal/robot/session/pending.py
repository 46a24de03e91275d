"""What the robot keeps until it can be used, each kind within its own bound.

Candidates wait for their offer, offers for fresh ICE servers, pushes for the answer to `register`,
and frames to the server for a registration, then for their replies.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from robosignal.protocol.frames import OfferRelay
from robosignal.protocol.ids import SessionId
from robosignal.robot.frames import Candidate, PcId
from robosignal.robot.session.events import Action, Send
from robosignal.robot.session.fence import Fence

CANDIDATE_MS = 10_000
CANDIDATES_PER_SESSION = 32
CANDIDATES_IN_ALL = 512

OFFER_MS = 2_000
"""How long an offer waits for fresh ICE servers.

A peer connection with old servers is better than one that the client has given up.
"""

PUSHES = 256
"""So many pushes may wait for `registered`; the oldest are dropped first."""

OUTGOING = 64
"""So many frames wait, and so many stay unanswered; the oldest are dropped first."""


@dataclass(frozen=True, slots=True)
class EarlyCandidate:
    """A candidate that came before its offer, and when, in ms."""

    session_id: SessionId
    pc_id: PcId
    candidate: Candidate
    received_at: int


@dataclass(frozen=True, slots=True)
class EarlyCandidates:
    """The candidates that came before their offer, oldest first."""

    waiting: tuple[EarlyCandidate, ...] = ()

    def add(self, candidate: EarlyCandidate) -> "EarlyCandidates":
        """Return with one more, unless its session, or all together, have too many already."""
        of_session = sum(1 for each in self.waiting if each.session_id == candidate.session_id)
        is_full = of_session >= CANDIDATES_PER_SESSION or len(self.waiting) >= CANDIDATES_IN_ALL
        return self if is_full else EarlyCandidates((*self.waiting, candidate))

    def claim(self, session: SessionId, pc: PcId) -> tuple["EarlyCandidates", list[Candidate]]:
        """Return the rest, and the candidates of this peer connection, in order."""
        key = (session, pc)
        claimed = [each.candidate for each in self.waiting if (each.session_id, each.pc_id) == key]
        rest = tuple(each for each in self.waiting if (each.session_id, each.pc_id) != key)
        return EarlyCandidates(rest), claimed

    def expire(self, now: int) -> tuple["EarlyCandidates", list[SessionId]]:
        """Return the rest, and the sessions whose candidates have waited too long, each once."""
        rest = tuple(each for each in self.waiting if now < each.received_at + CANDIDATE_MS)
        expired = [each.session_id for each in self.waiting if each not in rest]
        return EarlyCandidates(rest), list(dict.fromkeys(expired))

    def due_times(self) -> list[int]:
        """Return when `expire` has something to do next, in ms."""
        return [self.waiting[0].received_at + CANDIDATE_MS] if self.waiting else []


@dataclass(frozen=True, slots=True)
class PendingOffer:
    """An offer, and when it stops waiting, in ms."""

    frame: OfferRelay
    until: int


@dataclass(frozen=True, slots=True)
class PendingOffers:
    """The offers that wait for fresh ICE servers: one a session, oldest first."""

    waiting: tuple[PendingOffer, ...] = ()

    def frames(self) -> list[OfferRelay]:
        """Return all of them."""
        return [each.frame for each in self.waiting]

    def add(self, frame: OfferRelay, now: int) -> "PendingOffers":
        """Return with this offer in place of its session's older one."""
        rest = self.remove(frame.session_id)
        return PendingOffers((*rest.waiting, PendingOffer(frame, now + OFFER_MS)))

    def remove(self, session: SessionId) -> "PendingOffers":
        """Return without this session's offer."""
        return PendingOffers(
            tuple(each for each in self.waiting if each.frame.session_id != session)
        )

    def overdue(self, now: int) -> list[OfferRelay]:
        """Return the offers that can wait no longer."""
        return [each.frame for each in self.waiting if now >= each.until]

    def due_times(self) -> list[int]:
        """Return when `overdue` has something to return next, in ms."""
        return [self.waiting[0].until] if self.waiting else []


@dataclass(frozen=True, slots=True)
class Pushes:
    """What was pushed between `register` and its answer, and the fence that it alone makes."""

    frames: tuple[dict[str, Any], ...] = ()
    fence: Fence = field(default_factory=Fence)

    def add(self, frame: dict[str, Any], fence: Fence) -> "Pushes":
        """Return with one more frame, and the fence after it."""
        return Pushes((*self.frames, frame)[-PUSHES:], fence)


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A frame about a session. `is_repeat` once it has been sent back: it is sent twice at most.

    `registers` is how many `register` frames had been sent before it.
    """

    id: str
    frame: dict[str, Any]
    is_repeat: bool = False
    registers: int = 0


@dataclass(frozen=True, slots=True)
class Outbox:
    """The frames that wait for a registration, and those that were sent and have no reply.

    Their ids are counted here, since a client's `pcId` could be made to look like another's reply.
    """

    count: int = 0
    waiting: tuple[Outgoing, ...] = ()
    unanswered: tuple[Outgoing, ...] = ()

    def post(
        self, frame: dict[str, Any], *, is_registered: bool, registers: int = 0
    ) -> tuple["Outbox", list[Action]]:
        """Send a frame, or keep it: the server refuses what comes before a registration.

        `registers` is how many `register` frames have been sent so far.
        """
        count = self.count + 1
        waiting = (*self.waiting, Outgoing(f"s{count}", frame))[-OUTGOING:]
        kept = replace(self, count=count, waiting=waiting)
        return kept.flush(lambda _: True, registers) if is_registered else (kept, [])

    def flush(
        self, is_useful: Callable[[dict[str, Any]], bool], registers: int = 0
    ) -> tuple["Outbox", list[Action]]:
        """Send what waits, in order, except for what is of no use any more."""
        useful = [each for each in self.waiting if is_useful(each.frame)]
        sent = [replace(each, registers=registers) for each in useful]
        unanswered = (*self.unanswered, *sent)[-OUTGOING:]
        sends: list[Action] = [Send({**each.frame, "id": each.id}) for each in sent]
        return replace(self, waiting=(), unanswered=unanswered), sends

    def find(self, reply_to: str | None) -> Outgoing | None:
        """Return the unanswered frame that a reply is about."""
        return next((each for each in self.unanswered if each.id == reply_to), None)

    def remove(self, reply_to: str | None) -> "Outbox":
        """Return without the frame that has its reply."""
        unanswered = tuple(each for each in self.unanswered if each.id != reply_to)
        return replace(self, unanswered=unanswered)

    def requeue(self, outgoing: Outgoing) -> "Outbox":
        """Return with a frame that was sent back among those that wait."""
        waiting = (*self.waiting, replace(outgoing, is_repeat=True))[-OUTGOING:]
        return replace(self.remove(outgoing.id), waiting=waiting)


@dataclass(frozen=True, slots=True)
class Pending:
    """All that waits."""

    candidates: EarlyCandidates = field(default_factory=EarlyCandidates)
    offers: PendingOffers = field(default_factory=PendingOffers)
    pushes: Pushes = field(default_factory=Pushes)
    outbox: Outbox = field(default_factory=Outbox)

    def due_times(self) -> list[int]:
        """Return the times at which something here has waited long enough, in ms."""
        return self.candidates.due_times() + self.offers.due_times()
