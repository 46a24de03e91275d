"""The robot's whole logic behind one function: what each event means, and what to do.

Knows which part decides about which event; never sockets, peer connections, pictures or clocks.
`protocol/vectors/robot.json` scripts it.
"""

from dataclasses import replace
from typing import assert_never

from robosignal.robot import channel, commands, early, frames, presence, session
from robosignal.robot.actions import (
    Action,
    Answered,
    Event,
    Failed,
    Frame,
    Log,
    Message,
    Move,
    Offline,
    Tick,
)
from robosignal.robot.commands import STILL, Motion
from robosignal.robot.fence import Fence
from robosignal.robot.frames import Unreadable
from robosignal.robot.state import Robot, Stepped, moved, shut
from signaling.wire.frames import (
    Ack,
    AnswerRelay,
    CandidateRelay,
    Control,
    Error,
    IceServersReply,
    OfferRelay,
    PeerLeft,
    Pong,
    Registered,
    Replaced,
    TakeoverNotice,
    Welcome,
)

ENDED = frozenset({"no_session", "forbidden"})
"""Errors that, in reply to an answer, say that its session does not stand."""


def step(seen: Robot, event: Event, now: int) -> Stepped:
    """Return what the robot knows after `event`, and what to do, in order; `now` in ms."""
    match event:
        case Frame():
            return _frame(seen, frames.parse(event.frame), now)
        case Message():
            return channel.message(seen, event, now)
        case Answered():
            return seen, session.answered(seen, event)
        case Failed():
            return session.failed(seen, event)
        case Offline():
            return replace(seen, presence=presence.offline(seen.presence)), []
        case Tick():
            return _tick(seen, now)
        case other:
            assert_never(other)


def next_due(seen: Robot) -> int | None:
    """Return when the next `Tick` is wanted, in ms; None when nothing is awaited."""
    watchdog = [] if seen.motion.until is None else [seen.motion.until]
    return min(presence.dues(seen.presence) + early.dues(seen.early) + watchdog, default=None)


def _frame(seen: Robot, frame: frames.Frame | Unreadable, now: int) -> Stepped:  # noqa: PLR0911 - one for each frame
    match frame:
        case OfferRelay():
            return session.offer(seen, frame)
        case CandidateRelay():
            return session.candidate(seen, frame, now)
        case AnswerRelay():
            known = frame.session_id in seen.peers
            return (seen, []) if known else session.dismiss(seen, frame.session_id)
        case TakeoverNotice():
            return session.takeover(seen, frame)
        case Control():
            return session.control(seen, frame)
        case PeerLeft():
            return session.peer_left(seen, frame)
        case Unreadable():
            return seen, [Log(f"ignores {frame.why}")]
        case _:
            return _own(seen, frame, now)


Own = Welcome | Registered | IceServersReply | Replaced | Error | Ack | Pong
"""Frames that are about the robot itself, not about one session."""


def _own(seen: Robot, frame: Own, now: int) -> Stepped:
    match frame:
        case Welcome():
            return _with(seen, presence.register(seen.presence, now))
        case Registered():
            return _registered(seen, frame, now)
        case IceServersReply():
            return _with(seen, presence.refreshed(seen.presence, frame, now))
        case Replaced():
            return _with(seen, presence.replaced(seen.presence, frame))
        case Error():
            return _error(seen, frame, now)
        case Ack() | Pong():
            return seen, []
        case other:
            assert_never(other)


def _with(seen: Robot, changed: presence.Changed) -> Stepped:
    return replace(seen, presence=changed[0]), changed[1]


def _registered(seen: Robot, frame: Registered, now: int) -> Stepped:
    seen, told = _with(seen, presence.registered(seen.presence, frame, now))
    seats = {seat.session_id: seat for seat in frame.sessions}
    for known in seen.peers:
        if known not in seats:
            seen, shuts = shut(seen, known)
            told = [*told, *shuts]
    peers = {
        known: replace(peer, controls=seats[known].role == "controller")
        for known, peer in seen.peers.items()
    }
    # Outright, lower or not: after `forget` the epochs begin anew.
    fence = Fence(frame.control.epoch, frame.control.session_id)
    holder = seats[fence.holder].person if fence.holder in seats else None
    seen, moves = moved(replace(seen, peers=peers), fence, holder)
    return seen, [*told, *moves]


def _error(seen: Robot, error: Error, now: int) -> Stepped:
    if error.reply_to in {presence.REGISTER, presence.PING}:
        return _with(seen, presence.refused(seen.presence, error, now))
    for known, peer in seen.peers.items():
        if error.reply_to == peer.pc_id and error.code in ENDED:
            return shut(seen, known)
    return seen, [Log(f"the server says {frames.plain(error.code)}")]


def _tick(seen: Robot, now: int) -> Stepped:
    seen, actions = _with(seen, presence.tick(seen.presence, now))
    left, gone = early.expired(seen.early, now)
    seen = replace(seen, early=left)
    for sender in gone:
        if sender not in seen.peers:
            seen, byes = session.dismiss(seen, sender)
            actions = [*actions, *byes]
    if commands.stopped(seen.motion, now):
        stops: list[Action] = [*actions, Move(STILL)]
        return replace(seen, motion=Motion()), stops
    return seen, actions
