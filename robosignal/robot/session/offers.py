"""What the robot does about each frame of a session: open, answer, hand over, close."""

from collections.abc import Mapping
from dataclasses import replace

import msgspec

from robosignal.protocol.frames import CandidateRelay, Control, OfferRelay, PeerLeft, TakeoverNotice
from robosignal.protocol.ids import SessionId
from robosignal.robot.frames import PcId, display_name, read_candidate, read_sdp
from robosignal.robot.session import epochs, registration
from robosignal.robot.session.datachannel import Answer, encode
from robosignal.robot.session.events import (
    Action,
    Add,
    Answered,
    Failed,
    Gathered,
    Log,
    Open,
    Refused,
    Renegotiate,
    Say,
)
from robosignal.robot.session.fence import release
from robosignal.robot.session.pending import EarlyCandidate
from robosignal.robot.session.state import (
    Link,
    OldLink,
    Peer,
    RobotState,
    Step,
    change_fence,
    close_peer,
    end_session,
    find_peer,
    post,
    put_peer,
    record_holder,
    remove_offer,
)

NOT_CONNECTED = {
    "type": "error",
    "code": "not_connected",
    "message": "no path to the robot was found, or the connection over it failed: offer again",
}


def take_offer(state: RobotState, frame: OfferRelay, now: int) -> Step:
    """Open a peer connection for a `pcId` that is new to the session, or renegotiate the old one.

    The offer waits a moment if the ICE servers are stale.
    """
    sdp = read_sdp(frame.payload)
    if sdp is None:
        return state, [Log("ignores an offer without a session description")]
    pc = PcId(frame.pc_id or "")
    if find_peer(state, frame.session_id, pc) is not None:
        peer = _make_peer(state, frame, pc)
        renegotiate = Renegotiate(frame.session_id, pc, sdp)
        return put_peer(state, frame.session_id, peer), [renegotiate]
    if state.registration.has_stale_ice(now):
        return _delay(state, frame, now)
    return _open(state, frame, pc, sdp)


def open_delayed(state: RobotState, frames: list[OfferRelay]) -> Step:
    """Open the peer connections of offers that have waited, with the ICE servers in use."""
    actions: list[Action] = []
    for frame in frames:
        pc, sdp = PcId(frame.pc_id or ""), read_sdp(frame.payload) or ""
        state, opens = _open(remove_offer(state, frame.session_id), frame, pc, sdp)
        actions = [*actions, *opens]
    return state, actions


def _delay(state: RobotState, frame: OfferRelay, now: int) -> Step:
    offers = state.pending.offers
    is_first = not offers.waiting
    asks: list[Action] = [registration.request_ice(state.registration)] if is_first else []
    pending = replace(state.pending, offers=offers.add(frame, now))
    return replace(state, pending=pending), asks


def _open(state: RobotState, frame: OfferRelay, pc: PcId, sdp: str) -> Step:
    session = frame.session_id
    peer = _make_peer(state, frame, pc)
    state, shuts = close_peer(state, session)
    candidates, claimed = state.pending.candidates.claim(session, pc)
    state = replace(
        put_peer(state, session, peer), pending=replace(state.pending, candidates=candidates)
    )
    adds: list[Action] = [Add(session, pc, candidate) for candidate in claimed]
    return state, [*shuts, Open(session, pc, sdp), *adds]


def _make_peer(state: RobotState, frame: OfferRelay, pc: PcId) -> Peer:
    """Return the session's peer as this offer makes it."""
    older, control = state.peers.get(frame.session_id), state.control
    is_holder = control.fence.obeys(frame.session_id)
    epoch = None if frame.role == "viewer" else frame.epoch
    holds_now = epoch is not None and (epoch >= control.applied or is_holder)
    fence_epoch = control.fence.epoch if is_holder else 0
    held_at = max(0 if older is None else older.held_at, epoch or 0, fence_epoch)
    name, link = _name(frame, older), _carry_link(older, pc)
    is_same = older is not None and older.pc_id == pc and not older.failed
    takes = is_same and older is not None and older.takes_telemetry
    reads = older.reads if is_same and older is not None else frozenset[str]()
    person = frame.person or (None if older is None else older.person)
    return Peer(
        pc,
        name,
        held_at,
        has_viewed=not holds_now,
        link=link,
        takes_telemetry=takes,
        reads=reads,
        person=person,
    )


def _carry_link(older: Peer | None, pc: PcId) -> Link | OldLink:
    """Return what is known of the commands of a session that offers again."""
    if older is None:
        return OldLink()
    if older.pc_id == pc and not older.failed:
        return older.link
    # A key that is held meanwhile does not move a robot that has stopped.
    return OldLink(is_armed=older.link.is_armed)


def _name(frame: OfferRelay, older: Peer | None) -> str:
    if frame.person is not None:
        return display_name(frame.person)
    return "somebody" if older is None else older.name


def take_candidate(state: RobotState, frame: CandidateRelay, now: int) -> Step:
    """Pass a candidate on, or keep it for the offer that it has overtaken.

    An end of candidates is ignored: it concerns only one section, and candidates may arrive
    after it.
    """
    candidate = read_candidate(frame.payload)
    if candidate is None:
        return state, [Log("ignores a candidate that it cannot read")]
    if not candidate.candidate:
        return state, []
    session, peer = frame.session_id, state.peers.get(frame.session_id)
    pc = PcId(frame.pc_id) if frame.pc_id else peer.pc_id if peer else PcId("")
    if peer is not None and peer.pc_id == pc:
        return state, [] if peer.failed else [Add(session, pc, candidate)]
    kept = state.pending.candidates.add(EarlyCandidate(session, pc, candidate, now))
    return replace(state, pending=replace(state.pending, candidates=kept)), []


def take_over(state: RobotState, frame: TakeoverNotice, now: int) -> Step:
    """Close the peer of the displaced driver: that session has ended.

    It held at the epoch before, which names no other. If it has offered as a viewer, before or
    since, the robot asks the server.
    """
    actions: list[Action] = []
    for session, peer in _latest_peers(state).items():
        if session != frame.session_id and peer.held_at == frame.epoch - 1:
            state, does = _end_or_ask(state, session, peer, now)
            actions = [*actions, *does]
    return record_holder(state, frame.session_id, frame.epoch), actions


def _end_or_ask(state: RobotState, session: SessionId, peer: Peer, now: int) -> Step:
    return epochs.ask_server(state, now) if peer.has_viewed else end_session(state, session)


def _latest_peers(state: RobotState) -> dict[SessionId, Peer]:
    """Return each session's peer as the session's last offer makes it."""
    waiting = {
        frame.session_id: _make_peer(state, frame, PcId(""))
        for frame in state.pending.offers.frames()
    }
    return {**state.peers, **waiting}


def change_holder(state: RobotState, frame: Control) -> Step:
    """Remember the new holder; all sessions and their peers stay."""
    return record_holder(state, frame.session_id, frame.epoch), []


def remove_session(state: RobotState, frame: PeerLeft, now: int) -> Step:
    """Close the session's peer, unless the session has come back since, under the same id.

    If the robot can't know that, it asks the server.
    """
    session, epoch, fence = frame.session_id, frame.epoch, state.control.fence
    if epoch is None:
        # A holder that leaves without an epoch left as a viewer, before it held the lease, or
        # after it had stopped doing so, and the frame that said so is missing.
        if fence.obeys(session):
            return epochs.ask_server(state, now)
        return end_session(state, session)
    peer = _latest_peers(state).get(session)
    if peer is None or fence.obeys(session) or epoch < state.control.listed:
        return state, []
    return _end_or_ask(state, session, peer, now)


def dismiss(state: RobotState, session: SessionId) -> Step:
    """Say `bye` to a session that the robot does not know, and no longer obey it."""
    state, moves = change_fence(state, release(state.control.fence, session), None)
    state, sends = post(state, {"type": "bye", "sessionId": session})
    return state, [*moves, *sends]


def send_answer(state: RobotState, event: Answered) -> Step:
    """Send the answer of a peer connection that still is the session's, the way its offer came."""
    if event.channel is not None:
        return _say(state, event, Answer(event.sdp))
    return _relay(state, event, "answer", {"type": "answer", "sdp": event.sdp})


def send_candidate(state: RobotState, event: Gathered) -> Step:
    """Send a candidate of a peer connection that still is the session's."""
    return _relay(state, event, "ice-candidate", msgspec.to_builtins(event.candidate))


def send_refusal(state: RobotState, event: Refused) -> Step:
    """Tell the client why its offer is refused; its session and lease continue.

    An existing peer connection goes on if it can; otherwise it has failed.
    """
    peer = find_peer(state, event.session_id, event.pc_id)
    if peer is None:
        return state, []
    payload = {"type": "error", "code": event.code, "message": event.message}
    if event.channel is not None:
        state, sends = _say(state, event, Answer(message=event.message))
    else:
        state, sends = _relay(state, event, "answer", payload)
    state, shuts = (
        (state, []) if event.peer_continues else _mark_failed(state, event.session_id, peer)
    )
    log = Log(f"refuses an offer of {peer.name}: {event.message}")
    return state, [*sends, *shuts, log]


def handle_failed(state: RobotState, event: Failed) -> Step:
    """Close a peer connection that has ended by itself.

    Its session continues: the client may offer again, and if it drives, the watchdog stops the
    robot. A client that was never connected is told, since it could not see the end.
    """
    peer = find_peer(state, event.session_id, event.pc_id)
    if peer is None:
        return state, []
    state, sends = (state, []) if event.connected else _relay(state, event, "answer", NOT_CONNECTED)
    state, shuts = _mark_failed(state, event.session_id, peer)
    return state, [*sends, *shuts, Log(f"the peer connection of {peer.name} has ended")]


def _mark_failed(state: RobotState, session: SessionId, peer: Peer) -> Step:
    # The session continues: late candidates for it must not look like those of an unknown session.
    state, shuts = close_peer(state, session)
    return put_peer(state, session, replace(peer, failed=True)), shuts


def _say(state: RobotState, event: Answered | Refused, answer: Answer) -> Step:
    if find_peer(state, event.session_id, event.pc_id) is None:
        return state, []
    return state, [Say(event.session_id, event.pc_id, encode(answer))]


PeerEvent = Answered | Gathered | Refused | Failed


def _relay(state: RobotState, event: PeerEvent, kind: str, payload: Mapping[str, object]) -> Step:
    if find_peer(state, event.session_id, event.pc_id) is None:
        return state, []
    frame: dict[str, object] = {"type": kind, "sessionId": event.session_id, "payload": payload}
    if event.pc_id:
        frame["pcId"] = event.pc_id
    return post(state, frame)
