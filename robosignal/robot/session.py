"""What the robot does about each frame of a session: open, relay, hand over, close.

Knows sessions, their peers and the fence; never presence, sockets or peer connections.
"""

from dataclasses import replace

from robosignal.robot import early, frames, held, presence
from robosignal.robot.actions import (
    Action,
    Add,
    Answered,
    Failed,
    Log,
    Open,
    Renegotiate,
    Send,
)
from robosignal.robot.early import Waiting
from robosignal.robot.fence import raised, without
from robosignal.robot.frames import PcId
from robosignal.robot.state import (
    Peer,
    Robot,
    Stepped,
    ended,
    moved,
    of,
    post,
    shut,
    with_peer,
)
from signaling.wire.frames import CandidateRelay, Control, OfferRelay, PeerLeft, TakeoverNotice
from signaling.wire.ids import SessionId


def offer(seen: Robot, frame: OfferRelay, now: int) -> Stepped:
    """Take an offer: a pcId that is new to the session means a new peer connection.

    It waits a moment if the ICE servers are stale; who drives is known at once.
    """
    sdp = frames.sdp_of(frame.payload)
    if sdp is None:
        return seen, [Log("ignores an offer without a session description")]
    seen, told = _controlled(seen, frame)
    pc = PcId(frame.pc_id or "")
    if of(seen, frame.session_id, pc) is not None:
        seen, taken = _renegotiated(seen, frame, pc, sdp)
    elif presence.stale(seen.presence, now):
        seen, taken = _held(seen, frame, now)
    else:
        seen, taken = _opened(seen, frame, pc, sdp)
    return seen, [*told, *taken]


def release(seen: Robot, ripe: list[OfferRelay]) -> Stepped:
    """Open the peer connections of offers that have waited, with the ICE servers that there are."""
    told: list[Action] = []
    for frame in ripe:
        seen = replace(seen, held=held.without(seen.held, frame.session_id))
        pc, sdp = PcId(frame.pc_id or ""), frames.sdp_of(frame.payload) or ""
        seen, opens = _opened(seen, frame, pc, sdp)
        told = [*told, *opens]
    return seen, told


def _renegotiated(seen: Robot, frame: OfferRelay, pc: PcId, sdp: str) -> Stepped:
    peer = _peer(seen, frame, pc)
    again = Renegotiate(frame.session_id, pc, sdp)
    return with_peer(seen, frame.session_id, peer), [again]


def _held(seen: Robot, frame: OfferRelay, now: int) -> Stepped:
    asks: list[Action] = [] if seen.held else [Send({"type": "ice-servers"})]
    return replace(seen, held=held.kept(seen.held, frame, now)), asks


def _opened(seen: Robot, frame: OfferRelay, pc: PcId, sdp: str) -> Stepped:
    peer = _peer(seen, frame, pc)
    seen, shuts = shut(seen, frame.session_id)
    opened, opens = _open(with_peer(seen, frame.session_id, peer), frame.session_id, pc, sdp)
    return opened, [*shuts, *opens]


def _peer(seen: Robot, frame: OfferRelay, pc: PcId) -> Peer:
    older = seen.peers.get(frame.session_id)
    return Peer(pc, _name(frame, older), frame.role == "controller")


def _controlled(seen: Robot, frame: OfferRelay) -> Stepped:
    if frame.role != "controller" or frame.epoch is None:
        return seen, []
    return moved(seen, raised(seen.fence, frame.epoch, frame.session_id), frame.person)


def _name(frame: OfferRelay, older: Peer | None) -> str:
    if frame.person is not None:
        return frames.name_of(frame.person)
    return "somebody" if older is None else older.name


def _open(seen: Robot, session: SessionId, pc: PcId, sdp: str) -> Stepped:
    left, candidates = early.claimed(seen.early, session, pc)
    adds: list[Action] = [Add(session, pc, candidate) for candidate in candidates]
    return replace(seen, early=left), [Open(session, pc, sdp), *adds]


def candidate(seen: Robot, frame: CandidateRelay, now: int) -> Stepped:
    """Pass a candidate on, or keep it for the offer that it has overtaken."""
    found = frames.candidate_of(frame.payload)
    if found is None:
        return seen, [Log("ignores a candidate that it cannot read")]
    peer = seen.peers.get(frame.session_id)
    pc = PcId(frame.pc_id) if frame.pc_id else peer.pc_id if peer else PcId("")
    if peer is not None and peer.pc_id == pc:
        return seen, [Add(frame.session_id, pc, found)]
    waiting = Waiting(frame.session_id, pc, found, now)
    return replace(seen, early=early.kept(seen.early, waiting)), []


def takeover(seen: Robot, frame: TakeoverNotice) -> Stepped:
    """Obey the new driver, and close the peers of displaced ones: their sessions have ended."""
    if frame.epoch < seen.fence.epoch:
        return seen, []
    seen, told = moved(seen, raised(seen.fence, frame.epoch, frame.session_id), frame.by)
    # Not only the fence's last holder: the taker's own offer may have come before this notice.
    # Who has offered as a viewer since is back already, under the same session id.
    for session in _controlling(seen):
        if session != seen.fence.holder:
            seen, shuts = ended(seen, session)
            told = [*told, *shuts]
    return _roles(seen), told


def _controlling(seen: Robot) -> list[SessionId]:
    opened = [session for session, peer in seen.peers.items() if peer.controls]
    waiting = [one.frame.session_id for one in seen.held if one.frame.role == "controller"]
    return list(dict.fromkeys([*opened, *waiting]))


def control(seen: Robot, frame: Control) -> Stepped:
    """Obey the new driver, if there is one; all sessions and their peers stay."""
    if frame.epoch < seen.fence.epoch:
        return seen, []
    seen, told = moved(seen, raised(seen.fence, frame.epoch, frame.session_id), frame.person)
    return _roles(seen), told


def _roles(seen: Robot) -> Robot:
    peers = {
        session: replace(peer, controls=session == seen.fence.holder)
        for session, peer in seen.peers.items()
    }
    return replace(seen, peers=peers)


def peer_left(seen: Robot, frame: PeerLeft) -> Stepped:
    """Close the session's peer; with an epoch, the lease is free."""
    if frame.epoch is not None and frame.epoch < seen.fence.epoch:
        return _left_before(seen, frame.session_id)
    fence = seen.fence if frame.epoch is None else raised(seen.fence, frame.epoch, None)
    seen, told = moved(seen, without(fence, frame.session_id), None)
    seen, shuts = ended(seen, frame.session_id)
    return seen, [*told, *shuts]


def _left_before(seen: Robot, session: SessionId) -> Stepped:
    # News of the holder before: another drives already. Its peer is closed all the same, unless
    # it is back since, driving again or watching, under the same session id.
    gone = session in _controlling(seen) and session != seen.fence.holder
    return ended(seen, session) if gone else (seen, [])


def dismiss(seen: Robot, session: SessionId) -> Stepped:
    """Say `bye` to a session that the robot does not know, and obey it no more."""
    seen, told = moved(seen, without(seen.fence, session), None)
    seen, sends = post(seen, {"type": "bye", "sessionId": session})
    return seen, [*told, *sends]


def answered(seen: Robot, event: Answered) -> Stepped:
    """Send the answer of a peer connection that still is the session's."""
    if of(seen, event.session_id, event.pc_id) is None:
        return seen, []
    frame: dict[str, object] = {
        "type": "answer",
        "sessionId": event.session_id,
        "payload": {"type": "answer", "sdp": event.sdp},
    }
    if event.pc_id:
        frame["pcId"] = event.pc_id
    return post(seen, frame)


def failed(seen: Robot, event: Failed) -> Stepped:
    """Forget a peer connection that has ended by itself.

    Its session stands: the client may offer again, and if it drives, the watchdog stops the robot.
    """
    peer = of(seen, event.session_id, event.pc_id)
    if peer is None:
        return seen, []
    seen, shuts = shut(seen, event.session_id)
    return seen, [*shuts, Log(f"the peer connection of {peer.name} has ended")]
