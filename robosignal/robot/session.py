"""What the robot does about each frame of a session: open, relay, hand over, close.

Knows sessions, their peers and the fence; never presence, sockets or peer connections.
"""

from dataclasses import replace

from robosignal.robot import early, frames
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
from robosignal.robot.state import Peer, Robot, Stepped, moved, of, shut, with_peer
from signaling.wire.frames import CandidateRelay, Control, OfferRelay, PeerLeft, TakeoverNotice
from signaling.wire.ids import SessionId


def offer(seen: Robot, frame: OfferRelay) -> Stepped:
    """Take an offer: a pcId that is new to the session means a new peer connection."""
    sdp = frames.sdp_of(frame.payload)
    if sdp is None:
        return seen, [Log("ignores an offer without a session description")]
    seen, told = _controlled(seen, frame)
    pc = PcId(frame.pc_id or "")
    older = seen.peers.get(frame.session_id)
    peer = Peer(pc, _name(frame, older), frame.role == "controller")
    if older is not None and older.pc_id == pc:
        again = Renegotiate(frame.session_id, pc, sdp)
        return with_peer(seen, frame.session_id, peer), [*told, again]
    seen, shuts = shut(seen, frame.session_id)
    opened, opens = _open(with_peer(seen, frame.session_id, peer), frame.session_id, pc, sdp)
    return opened, [*told, *shuts, *opens]


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
    for session, peer in seen.peers.items():
        if peer.controls and session != seen.fence.holder:
            seen, shuts = shut(seen, session)
            told = [*told, *shuts]
    return _roles(seen), told


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
        return seen, []
    fence = seen.fence if frame.epoch is None else raised(seen.fence, frame.epoch, None)
    seen, told = moved(seen, without(fence, frame.session_id), None)
    seen, shuts = shut(seen, frame.session_id)
    return seen, [*told, *shuts]


def dismiss(seen: Robot, session: SessionId) -> Stepped:
    """Say `bye` to a session that the robot does not know, and obey it no more."""
    seen, told = moved(seen, without(seen.fence, session), None)
    return seen, [*told, Send({"type": "bye", "sessionId": session})]


def answered(seen: Robot, event: Answered) -> list[Action]:
    """Send the answer of a peer connection that still is the session's."""
    if of(seen, event.session_id, event.pc_id) is None:
        return []
    frame: dict[str, object] = {
        "type": "answer",
        "sessionId": event.session_id,
        "payload": {"type": "answer", "sdp": event.sdp},
    }
    if event.pc_id:
        # The id lets an error say which peer connection it is about.
        frame |= {"id": event.pc_id, "pcId": event.pc_id}
    return [Send(frame)]


def failed(seen: Robot, event: Failed) -> Stepped:
    """Forget a peer connection that has ended by itself.

    Its session stands: the client may offer again, and if it drives, the watchdog stops the robot.
    """
    peer = of(seen, event.session_id, event.pc_id)
    if peer is None:
        return seen, []
    seen, shuts = shut(seen, event.session_id)
    return seen, [*shuts, Log(f"the peer connection of {peer.name} has ended")]
