"""What the robot does about each frame of a session: open, relay, hand over, close.

Knows sessions, their peers and the fence; never presence, sockets or peer connections.
"""

from collections.abc import Mapping
from dataclasses import replace

import msgspec

from robosignal.protocol.frames import CandidateRelay, Control, OfferRelay, PeerLeft, TakeoverNotice
from robosignal.protocol.ids import SessionId
from robosignal.robot import early, epochs, frames, parked, presence
from robosignal.robot.actions import (
    Action,
    Add,
    Answered,
    Failed,
    Gathered,
    Log,
    Open,
    Refused,
    Renegotiate,
    Send,
)
from robosignal.robot.early import Waiting
from robosignal.robot.fence import without
from robosignal.robot.frames import PcId
from robosignal.robot.state import (
    Peer,
    Robot,
    Stepped,
    ended,
    holds,
    moved,
    of,
    post,
    shut,
    with_peer,
)

NOT_CONNECTED = {
    "type": "error",
    "code": "not_connected",
    "message": "no path to the robot was found, or the connection over it failed: offer again",
}


def offer(seen: Robot, frame: OfferRelay, now: int) -> Stepped:
    """Take an offer: a pcId that is new to the session means a new peer connection.

    It waits a moment if the ICE servers are stale.
    """
    sdp = frames.sdp_of(frame.payload)
    if sdp is None:
        return seen, [Log("ignores an offer without a session description")]
    pc = PcId(frame.pc_id or "")
    if of(seen, frame.session_id, pc) is not None:
        return _renegotiated(seen, frame, pc, sdp)
    if presence.stale(seen.presence, now):
        return _parked(seen, frame, now)
    return _opened(seen, frame, pc, sdp)


def release(seen: Robot, ripe: list[OfferRelay]) -> Stepped:
    """Open the peer connections of offers that have waited, with the ICE servers that there are."""
    told: list[Action] = []
    for frame in ripe:
        seen = replace(seen, parked=parked.without(seen.parked, frame.session_id))
        pc, sdp = PcId(frame.pc_id or ""), frames.sdp_of(frame.payload) or ""
        seen, opens = _opened(seen, frame, pc, sdp)
        told = [*told, *opens]
    return seen, told


def _renegotiated(seen: Robot, frame: OfferRelay, pc: PcId, sdp: str) -> Stepped:
    peer = _peer(seen, frame, pc)
    again = Renegotiate(frame.session_id, pc, sdp)
    return with_peer(seen, frame.session_id, peer), [again]


def _parked(seen: Robot, frame: OfferRelay, now: int) -> Stepped:
    asks: list[Action] = [] if seen.parked else [Send(presence.ask_for_ice(seen.presence))]
    return replace(seen, parked=parked.kept(seen.parked, frame, now)), asks


def _opened(seen: Robot, frame: OfferRelay, pc: PcId, sdp: str) -> Stepped:
    peer = _peer(seen, frame, pc)
    seen, shuts = shut(seen, frame.session_id)
    opened, opens = _open(with_peer(seen, frame.session_id, peer), frame.session_id, pc, sdp)
    return opened, [*shuts, *opens]


def _peer(seen: Robot, frame: OfferRelay, pc: PcId) -> Peer:
    older = seen.peers.get(frame.session_id)
    told = None if frame.role == "viewer" else frame.epoch
    holds_now = told is not None and (told >= seen.settled or seen.fence.obeys(frame.session_id))
    named = seen.fence.epoch if seen.fence.obeys(frame.session_id) else 0
    held_at = max(0 if older is None else older.held_at, told or 0, named)
    return Peer(pc, _name(frame, older), held_at, watches=not holds_now)


def _name(frame: OfferRelay, older: Peer | None) -> str:
    if frame.person is not None:
        return frames.name_of(frame.person)
    return "somebody" if older is None else older.name


def _open(seen: Robot, session: SessionId, pc: PcId, sdp: str) -> Stepped:
    left, candidates = early.claimed(seen.early, session, pc)
    adds: list[Action] = [Add(session, pc, candidate) for candidate in candidates]
    return replace(seen, early=left), [Open(session, pc, sdp), *adds]


def candidate(seen: Robot, frame: CandidateRelay, now: int) -> Stepped:
    """Pass a candidate on, or keep it for the offer that it has overtaken.

    An end of candidates is ignored: it concerns only one section, and candidates may arrive
    after it.
    """
    found = frames.candidate_of(frame.payload)
    if found is None:
        return seen, [Log("ignores a candidate that it cannot read")]
    if not found.candidate:
        return seen, []
    peer = seen.peers.get(frame.session_id)
    pc = PcId(frame.pc_id) if frame.pc_id else peer.pc_id if peer else PcId("")
    if peer is not None and peer.pc_id == pc:
        return seen, [] if peer.failed else [Add(frame.session_id, pc, found)]
    waiting = Waiting(frame.session_id, pc, found, now)
    return replace(seen, early=early.kept(seen.early, waiting)), []


def takeover(seen: Robot, frame: TakeoverNotice, now: int) -> Stepped:
    """Close the peer of the driver whom it displaces: that session has ended.

    It held at the epoch before, which names no other. If it has offered as a viewer, before or
    since, the server is asked.
    """
    told: list[Action] = []
    for session, peer in _latest(seen).items():
        if session != frame.session_id and peer.held_at == frame.epoch - 1:
            seen, does = epochs.ask(seen, now) if peer.watches else ended(seen, session)
            told = [*told, *does]
    return holds(seen, frame.session_id, frame.epoch), told


def _latest(seen: Robot) -> dict[SessionId, Peer]:
    """Return each session's peer as the session's last offer makes it."""
    waiting = {one.frame.session_id: _peer(seen, one.frame, PcId("")) for one in seen.parked}
    return {**seen.peers, **waiting}


def control(seen: Robot, frame: Control) -> Stepped:
    """Note who holds from now on; all sessions and their peers stay."""
    return holds(seen, frame.session_id, frame.epoch), []


def peer_left(seen: Robot, frame: PeerLeft, now: int) -> Stepped:
    """Close the session's peer, unless the session is back since, under the same id.

    Where that cannot be told, the server is asked.
    """
    session, epoch = frame.session_id, frame.epoch
    if epoch is None:
        # A holder's that tells no epoch: it left as a viewer, before it came to hold, or since it
        # has ceased to, and what told that is missing.
        return epochs.ask(seen, now) if seen.fence.obeys(session) else ended(seen, session)
    peer = _latest(seen).get(session)
    if peer is None or seen.fence.obeys(session) or epoch < seen.listed:
        return seen, []
    return epochs.ask(seen, now) if peer.watches else ended(seen, session)


def dismiss(seen: Robot, session: SessionId) -> Stepped:
    """Say `bye` to a session that the robot does not know, and obey it no more."""
    seen, told = moved(seen, without(seen.fence, session), None)
    seen, sends = post(seen, {"type": "bye", "sessionId": session})
    return seen, [*told, *sends]


def answered(seen: Robot, event: Answered) -> Stepped:
    """Send the answer of a peer connection that still is the session's."""
    return _relayed(seen, event, "answer", {"type": "answer", "sdp": event.sdp})


def gathered(seen: Robot, event: Gathered) -> Stepped:
    """Send a candidate of a peer connection that still is the session's."""
    return _relayed(seen, event, "ice-candidate", msgspec.to_builtins(event.candidate))


def refused(seen: Robot, event: Refused) -> Stepped:
    """Tell the client why its offer is refused; its session and lease continue.

    An existing peer connection goes on if it can; otherwise it has failed.
    """
    peer = of(seen, event.session_id, event.pc_id)
    if peer is None:
        return seen, []
    payload = {"type": "error", "code": event.code, "message": event.message}
    seen, sends = _relayed(seen, event, "answer", payload)
    seen, shuts = (seen, []) if event.stands else _given_up(seen, event.session_id, peer)
    why = Log(f"refuses an offer of {peer.name}: {event.message}")
    return seen, [*sends, *shuts, why]


def _given_up(seen: Robot, session: SessionId, peer: Peer) -> Stepped:
    # The session continues: late candidates for it must not look like those of an unknown session.
    seen, shuts = shut(seen, session)
    return with_peer(seen, session, replace(peer, failed=True)), shuts


Told = Answered | Gathered | Refused | Failed


def _relayed(seen: Robot, event: Told, kind: str, payload: Mapping[str, object]) -> Stepped:
    if of(seen, event.session_id, event.pc_id) is None:
        return seen, []
    frame: dict[str, object] = {"type": kind, "sessionId": event.session_id, "payload": payload}
    if event.pc_id:
        frame["pcId"] = event.pc_id
    return post(seen, frame)


def failed(seen: Robot, event: Failed) -> Stepped:
    """Close a peer connection that has ended by itself.

    Its session stands: the client may offer again, and if it drives, the watchdog stops the robot.
    A client that has never been connected is told: it could not see the end.
    """
    peer = of(seen, event.session_id, event.pc_id)
    if peer is None:
        return seen, []
    seen, sends = (seen, []) if event.connected else _relayed(seen, event, "answer", NOT_CONNECTED)
    seen, shuts = _given_up(seen, event.session_id, peer)
    return seen, [*sends, *shuts, Log(f"the peer connection of {peer.name} has ended")]
