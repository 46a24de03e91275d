"""The stop that latches: who may stop the robot and clear the stop, and what all are told.

It is a request over a network, and no safety function.
"""

from dataclasses import replace

from robosignal.protocol.ids import SessionId
from robosignal.robot.drive import STILL
from robosignal.robot.frames import sanitize
from robosignal.robot.session import rights
from robosignal.robot.session.datachannel import Refused, Stopped, encode
from robosignal.robot.session.events import Action, Log, Message, Move, Say
from robosignal.robot.session.state import (
    Latch,
    Peer,
    RobotState,
    Step,
    ping_early,
    put_peer,
    show,
    stop,
)

STOP_MS = 1000
"""Of one session's stops, one in so many ms counts: it sends each over both channels."""


RENEWAL_MS = 5000
"""How long a stop waits for the server to say that its session's right was renewed."""


def stop_for(state: RobotState, event: Message, peer: Peer, now: int) -> Step:
    """Stop at the request of a session that may drive, however old or late the request is.

    If all that keeps it from that is an end of its right, the server may have renewed that since.
    """
    session = event.session_id
    if _may_stop(state, session, now):
        return _stop_by(state, session, peer, now)
    refusal = _refuse(state, event, "stop")
    if not _has_drive(state, session):
        return state, [refusal]
    state = put_peer(state, session, replace(peer, stop_waits_until=now + RENEWAL_MS))
    state, pings = ping_early(state, now)
    return state, [refusal, *pings]


def stop_renewed(state: RobotState, now: int) -> Step:
    """Stop if the server has just renewed the right of a session whose stop was refused."""
    actions: list[Action] = []
    for session, waiting in state.peers.items():
        until = waiting.stop_waits_until
        if until is None or not _may_stop(state, session, now):
            continue
        peer = replace(state.peers[session], stop_waits_until=None)
        state = put_peer(state, session, peer)
        if now < until:
            state, stops = _stop_by(state, session, peer, now)
            actions = [*actions, *stops]
    return state, actions


def _stop_by(state: RobotState, session: SessionId, peer: Peer, now: int) -> Step:
    if peer.stop_at is not None and now < peer.stop_at + STOP_MS:
        return state, []
    state = put_peer(state, session, replace(peer, stop_at=now))
    if state.latch.person is not None:
        # It may have missed that the robot is stopped.
        return state, [Say(session, peer.pc_id, describe(state))]
    return _set_latch(state, replace(state.latch, person=peer.name), f"{peer.name} stops the robot")


def _may_stop(state: RobotState, session: SessionId, now: int) -> bool:
    # The driver certainly has the right; an older server says nothing of it.
    return _has_drive(state, session) and not rights.is_over(state, session, now)


def _has_drive(state: RobotState, session: SessionId) -> bool:
    right = state.rights.get(session)
    return state.control.fence.obeys(session) or (right is not None and right.drive)


def clear_for(state: RobotState, event: Message, peer: Peer, now: int) -> Step:
    """Clear a person's stop at the request of the driver or the owner.

    What the robot's own program has stopped, only the program clears.
    """
    session, right = event.session_id, state.rights.get(event.session_id)
    is_owner = right is not None and right.owner
    may_clear = state.control.fence.obeys(session) or is_owner
    is_over = rights.is_over(state, session, now)
    if not may_clear or is_over or state.latch.program is not None:
        return state, [_refuse(state, event, "clear-stop")]
    if state.latch.person is None:
        return state, [Say(session, event.pc_id, describe(state))]
    return _set_latch(state, Latch(), f"{peer.name} clears the stop")


def stop_by_program(state: RobotState, by: str) -> Step:
    """Stop because the robot's own program says so."""
    name = sanitize(by) or "the robot"
    return _set_latch(state, replace(state.latch, program=name), f"{name} stops the robot")


def clear_by_program(state: RobotState) -> Step:
    """Clear the stop that the robot's own program has made; a person's stays."""
    if state.latch.program is None:
        return state, []
    return _set_latch(state, replace(state.latch, program=None), "the robot clears its stop")


def _set_latch(state: RobotState, latch: Latch, text: str) -> Step:
    stops: list[Action] = []
    if latch.by is not None:
        # Even when it seems to be still: the motors may be on their way to a stop.
        state, _ = stop(state, has_gap=False)
        stops = [Move(STILL)]
    state = replace(state, latch=latch)
    tells = [
        Say(session, peer.pc_id, describe(state))
        for session, peer in state.peers.items()
        if not peer.failed
    ]
    return state, [*stops, show(state), Log(text), *tells]


def describe(state: RobotState) -> str:
    """Return the message that says who has stopped the robot, if anybody has."""
    return encode(Stopped(state.latch.by))


def _refuse(state: RobotState, event: Message, what: str) -> Say:
    refusal = Refused(what=what, epoch=state.control.fence.epoch)
    return Say(event.session_id, event.pc_id, encode(refusal))
