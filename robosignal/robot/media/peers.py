"""All the robot's peer connections: whose offer is answered next, and how many at once."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from robosignal.protocol.ids import SessionId
from robosignal.robot.frames import Candidate, PcId
from robosignal.robot.media.peer import Peer
from robosignal.robot.media.sdp import Unacceptable, check_size
from robosignal.robot.session.events import Answered, Channel, Event, Failed, Refused

CLOSING_PER_SESSION = 2
"""While this many peer connections of a session are being closed, no new one is made for it."""

CLOSING_SECONDS = 15
"""One that takes longer to close holds up no other.

TCP tries for a quarter of an hour to write to a TURN server that is out of reach.
"""

PAUSE_SECONDS = 5.0
"""An offer queues as if it had arrived no sooner than this after its session's last turn."""

CANDIDATES_PER_OFFER = 64
"""How many candidates are kept for an offer that waits; the oldest are dropped first."""

Key = tuple[SessionId, PcId]


class OfferLimit:
    """Limits offers: how many at once, and how many a second over time, after a burst.

    To answer an offer takes the event loop 10 ms of CPU, and up to 50 ms for the worst that
    `sdp.py` lets pass: the rate keeps it free for the driver's commands.
    """

    def __init__(self, at_once: int, a_second: float, burst: int) -> None:
        self.at_once = at_once
        self._interval = 1 / a_second
        self._tolerance = (burst - 1) / a_second
        self._expected = 0.0

    def seconds(self, now: float) -> float:
        """Return how long the rate makes the next offer wait."""
        return max(0.0, self._expected - self._tolerance - now)

    def count(self, now: float) -> None:
        """Count an offer that is answered now (the generic cell rate algorithm, ITU-T I.371)."""
        self._expected = max(now, self._expected) + self._interval


@dataclass(slots=True)
class WaitingOffer:
    """An offer that waits for its turn, and the candidates that came after it."""

    pc_id: PcId
    sdp: str
    since: float
    channel: Literal["control"] | None = None
    candidates: deque[Candidate] = field(default_factory=lambda: deque(maxlen=CANDIDATES_PER_OFFER))


class Peers:
    """Makes peer connections with `make`, and gives each what is for it; `emit` gets their events.

    For each session one offer is answered at a time, and only the newest other one waits. The
    driver's offers have their own limit, so that none waits behind a viewer's. Among viewers the
    session that has waited longest comes first, and one that has just had a turn counts as
    having arrived later. So neither a viewer who keeps offering nor a stream of new sessions
    delays others.
    """

    def __init__(
        self,
        make: Callable[[SessionId, PcId, Callable[[Event], None]], Peer],
        is_driver: Callable[[SessionId], bool],
        emit: Callable[[Event], None],
    ) -> None:
        self._make = make
        self._is_driver = is_driver
        self._emit = emit
        self._loop = asyncio.get_running_loop()
        self._peers: dict[Key, Peer] = {}
        self._waiting: dict[SessionId, WaitingOffer] = {}
        self._making: dict[SessionId, PcId] = {}
        self._started: dict[SessionId, float] = {}
        self._closing_tasks: set[asyncio.Task[None]] = set()
        self._closing: dict[asyncio.Task[None], SessionId] = {}
        # Ten viewers are what a server allows by default: all may come back at once.
        self._viewer_limit = OfferLimit(at_once=10, a_second=2, burst=10)
        self._driver_limit = OfferLimit(at_once=2, a_second=2, burst=5)
        self._timer: asyncio.TimerHandle | None = None

    def offer(
        self,
        session: SessionId,
        pc: PcId,
        sdp: str,
        channel: Literal["control"] | None = None,
    ) -> None:
        """Take an offer when its turn comes; it replaces the session's that waits, if one does.

        Candidates that wait for the same peer connection still do. It came over `channel` if that
        is named.
        """
        waiting = self._waiting.get(session)
        if waiting is None:
            self._waiting[session] = WaitingOffer(pc, sdp, self._loop.time(), channel)
        elif waiting.pc_id == pc:
            waiting.sdp, waiting.channel = sdp, channel
        else:
            self._waiting[session] = WaitingOffer(pc, sdp, waiting.since, channel)
        self._answer_next()

    def add(self, session: SessionId, pc: PcId, candidate: Candidate) -> None:
        """Give a candidate to its peer connection, after the offers that came before it."""
        waiting = self._waiting.get(session)
        if waiting is not None and waiting.pc_id == pc:
            waiting.candidates.append(candidate)
        elif (session, pc) in self._peers:
            self._peers[session, pc].add(candidate)

    def say(
        self, session: SessionId, pc: PcId, data: str | bytes, channel: Channel = "control"
    ) -> None:
        """Write to a data channel, if there is one."""
        if (session, pc) in self._peers:
            self._peers[session, pc].say(data, channel)

    def shut(self, session: SessionId, pc: PcId) -> None:
        """Close a peer connection, and drop its offer that waits; it causes no more events."""
        waiting = self._waiting.get(session)
        if waiting is not None and waiting.pc_id == pc:
            del self._waiting[session]
        if self._making.get(session) == pc:
            del self._making[session]
        peer = self._peers.pop((session, pc), None)
        if peer is not None:
            self._close_peer(session, peer)
        self._answer_next()

    async def close(self, seconds: float) -> None:
        """Close all, and return when they are close or `seconds` have passed."""
        self._waiting.clear()
        if self._timer is not None:
            self._timer.cancel()
        for session, pc in list(self._peers):
            self.shut(session, pc)
        if self._closing_tasks:
            await asyncio.wait(set(self._closing_tasks), timeout=seconds)

    def _close_peer(self, session: SessionId, peer: Peer) -> None:
        task = asyncio.create_task(peer.close())
        # The event loop holds tasks weakly, so one that is not awaited must be held here.
        self._closing_tasks.add(task)
        task.add_done_callback(self._closing_tasks.discard)
        self._closing[task] = session
        task.add_done_callback(self._finish_close)
        self._loop.call_later(CLOSING_SECONDS, self._finish_close, task)

    def _finish_close(self, task: asyncio.Task[None]) -> None:
        if self._closing.pop(task, None) is not None:
            self._answer_next()

    def _answer_next(self) -> None:
        """Answer the offers that may be answered now, and set a timer for the others."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        waits = [self._answer_within(self._driver_limit, of_driver=True)]
        waits.append(self._answer_within(self._viewer_limit, of_driver=False))
        seconds = min((wait for wait in waits if wait), default=None)
        if seconds is not None:
            self._timer = self._loop.call_later(seconds, self._answer_next)

    def _answer_within(self, limit: OfferLimit, *, of_driver: bool) -> float:
        """Answer what this limit lets through; return in how many seconds the next one may go."""
        while (session := self._next(of_driver=of_driver)) is not None:
            now = self._loop.time()
            if self._count_busy(of_driver=of_driver) >= limit.at_once:
                break
            if wait := limit.seconds(now):
                return wait
            limit.count(now)
            self._answer(session, now)
        return 0

    def _next(self, *, of_driver: bool) -> SessionId | None:
        """Return whose offer may be taken next: the session's that has waited longest."""
        ready = (
            session
            for session in self._waiting
            if session not in self._making
            and [*self._closing.values()].count(session) < CLOSING_PER_SESSION
            and self._is_driver(session) == of_driver
        )
        return min(ready, key=self._since, default=None)

    def _since(self, session: SessionId) -> float:
        waiting = self._waiting[session].since
        return max(waiting, self._started.get(session, 0.0) + PAUSE_SECONDS)

    def _count_busy(self, *, of_driver: bool) -> int:
        busy = [*self._making, *self._closing.values()]
        return sum(self._is_driver(session) == of_driver for session in busy)

    def _answer(self, session: SessionId, now: float) -> None:
        waiting = self._waiting.pop(session)
        self._started = {each: at for each, at in self._started.items() if self._is_present(each)}
        self._started[session] = now
        pc = waiting.pc_id
        try:
            check_size(waiting.sdp)
        except Unacceptable as refusal:
            refused = Refused(
                *(session, pc, refusal.code, refusal.message),
                peer_continues=(session, pc) in self._peers,
                channel=waiting.channel,
            )
            self._emit(refused)
            return
        peer = self._peers.get((session, pc)) or self._try_make(session, pc)
        if peer is None:
            return
        self._making[session] = pc
        if waiting.channel is None:
            peer.offer(waiting.sdp)
        else:
            peer.offer(waiting.sdp, waiting.channel)
        for candidate in waiting.candidates:
            peer.add(candidate)

    def _try_make(self, session: SessionId, pc: PcId) -> Peer | None:
        try:
            peer = self._make(session, pc, lambda event: self._handle_event(session, pc, event))
        except Exception as failure:  # noqa: BLE001 - what fails here must not hold up the others
            why = f"the robot cannot make a peer connection ({type(failure).__name__})"
            message = f"{why}: offer again in a while"
            self._emit(Refused(session, pc, "unavailable", message))
            return None
        self._peers[session, pc] = peer
        return peer

    def _is_present(self, session: SessionId) -> bool:
        return session in self._waiting or any(key[0] == session for key in self._peers)

    def _handle_event(self, session: SessionId, pc: PcId, event: Event) -> None:
        ends = isinstance(event, Answered | Failed | Refused)
        if ends and self._making.get(session) == pc:
            del self._making[session]
        self._emit(event)
        if ends:
            self._answer_next()
