"""What the server's replies say: `registered` lists the sessions, `pong` and errors correct it."""

from dataclasses import replace
from typing import Any

from robosignal.protocol.frames import Error, Pong, Registered
from robosignal.robot.frames import PcId, sanitize
from robosignal.robot.session import epochs, registration
from robosignal.robot.session.events import Action, Log
from robosignal.robot.session.fence import Fence, advance
from robosignal.robot.session.pending import Outgoing, Pushes
from robosignal.robot.session.state import (
    RobotState,
    Step,
    change_fence,
    close_peer,
    end_session,
    find_peer,
    record_holder,
)

SESSION_ENDED = frozenset({"no_session", "forbidden"})
"""Errors that, in reply to an answer, say that its session has ended."""


def apply_registered(state: RobotState, frame: Registered, now: int) -> Step:
    """Adopt what the server says of sessions and control, and send what has waited for it."""
    changed, actions = registration.go_online(state.registration, frame, now)
    state, ends = _reconcile(replace(state, registration=changed), frame)
    state, moves = _apply_control(state, frame)
    state, sends = _flush(state)
    return state, [*actions, *ends, *moves, *sends]


def _flush(state: RobotState) -> Step:
    outbox, sends = state.pending.outbox.flush(
        lambda frame: _is_useful(state, frame), state.registration.registers
    )
    return replace(state, pending=replace(state.pending, outbox=outbox)), sends


def _reconcile(state: RobotState, frame: Registered) -> Step:
    """End the sessions that the server does not list."""
    listed = {each.session_id for each in frame.sessions}
    waiting = (offer.session_id for offer in state.pending.offers.frames())
    actions: list[Action] = []
    for session in dict.fromkeys([*state.peers, *waiting]):
        if session not in listed:
            state, ends = end_session(state, session)
            actions = [*actions, *ends]
    peers = {
        session: replace(peer, held_at=0, has_viewed=True) for session, peer in state.peers.items()
    }
    control = frame.control
    return record_holder(replace(state, peers=peers), control.session_id, control.epoch), actions


def _apply_control(state: RobotState, frame: Registered) -> Step:
    # Outright, lower or not: after `forget` the epochs begin again. But what was pushed since
    # `register` was sent is newer than the answer to it.
    server = Fence(frame.control.epoch, frame.control.session_id)
    pushed = state.pending.pushes.fence
    fence = advance(server, pushed.epoch, pushed.holder)
    people = {each.session_id: each.person for each in frame.sessions}
    person = None if fence.holder is None else people.get(fence.holder)
    state = replace(
        state,
        control=replace(state.control, applied=server.epoch, listed=server.epoch),
        pending=replace(state.pending, pushes=Pushes()),
    )
    return change_fence(state, fence, person)


def apply_pong(state: RobotState, frame: Pong, now: int) -> Step:
    """Treat what the server says of control as if it had been pushed.

    If it is news, a frame is missing: which sessions have ended since, only the server can say.
    The same holds if what made the fence is older than this, and yet says otherwise.
    """
    if frame.control is None:
        return state, []
    server = Fence(frame.control.epoch, frame.control.session_id)
    fence = advance(state.control.fence, server.epoch, server.holder)
    if fence == state.control.fence and not _disproves(state, frame, server):
        return state, []
    state, moves = change_fence(state, fence, None)
    state, asks = epochs.ask_server(state, now)
    return state, [*moves, *asks]


def _disproves(state: RobotState, frame: Pong, server: Fence) -> bool:
    # An epoch never falls while the server knows the robot. After `forget` it begins again, and a
    # frame from before may come later still: then the fence was set by that delayed frame.
    return server != state.control.fence and state.registration.pings.proves(frame.reply_to)


def _is_useful(state: RobotState, frame: dict[str, Any]) -> bool:
    is_refusal = frame.get("payload", {}).get("type") == "error"
    return frame["type"] == "bye" or is_refusal or _is_current(state, frame)


def _is_current(state: RobotState, relayed: dict[str, Any]) -> bool:
    return find_peer(state, relayed["sessionId"], PcId(relayed.get("pcId", ""))) is not None


def handle_error(state: RobotState, error: Error, now: int, *, from_old: bool) -> Step:
    """React to an error; `from_old` if it came over the connection before the current one."""
    outgoing = state.pending.outbox.find(error.reply_to)
    if outgoing is not None:
        return _handle_refusal(state, outgoing, error.code, now, from_old=from_old)
    if not registration.is_reply_to_own(error):
        return state, [Log(f"the server says {sanitize(error.code)}")]
    if from_old:
        # The registration on the new connection has overtaken it.
        return state, []
    changed, actions = registration.handle_error(state.registration, error, now)
    return replace(state, registration=changed), actions


def _handle_refusal(
    state: RobotState, outgoing: Outgoing, code: str, now: int, *, from_old: bool
) -> Step:
    pending = state.pending
    if code == "not_registered" and not outgoing.is_repeat:
        state = replace(state, pending=replace(pending, outbox=pending.outbox.requeue(outgoing)))
        # Frames sent before the last `register` were refused because of the one before it.
        is_news = not from_old and outgoing.registers == state.registration.registers
        return _resend(state, now, is_news=is_news)
    state = replace(state, pending=replace(pending, outbox=pending.outbox.remove(outgoing.id)))
    is_answer = outgoing.frame["type"] == "answer" and _is_current(state, outgoing.frame)
    if code in SESSION_ENDED and is_answer:
        return close_peer(state, outgoing.frame["sessionId"])
    return state, [Log(f"the server says {sanitize(code)}")]


def _resend(state: RobotState, now: int, *, is_news: bool) -> Step:
    if not state.registration.is_registered:
        return state, []
    if is_news:
        # No registration has overtaken it: the server knows of none.
        changed, asks = registration.register_again(state.registration, now)
        return replace(state, registration=changed), asks
    return _flush(state)
