"""The robot's whole logic behind one function: what each event means, and what to do.

Knows which part decides about which event; never sockets, peer connections, pictures or clocks.
`spec/vectors/robot.json` scripts it.
"""

from dataclasses import replace
from typing import assert_never

from robosignal.protocol.frames import (
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
from robosignal.robot import (
    channel,
    commands,
    early,
    epochs,
    frames,
    outbox,
    parked,
    presence,
    replies,
    session,
)
from robosignal.robot.actions import (
    Action,
    Answered,
    Event,
    Failed,
    Frame,
    Gathered,
    Log,
    Message,
    Move,
    Offline,
    Quit,
    Refused,
    Stop,
    Tick,
)
from robosignal.robot.commands import STILL, Motion
from robosignal.robot.epochs import AboutSession
from robosignal.robot.fence import Fence
from robosignal.robot.frames import Unreadable
from robosignal.robot.state import Robot, Stepped, known

DEFERRED = 256
"""So many frames may wait for `registered`; the oldest go first."""

ABOUT_CONTROL = frozenset({"takeover", "control", "peer-left"})
"""Frames that may change who drives, or which sessions stand."""


def step(seen: Robot, event: Event, now: int) -> Stepped:
    """Return what the robot knows after `event`, and what to do, in order; `now` in ms.

    Before it ends it is told to stand still, and from then on no event does anything.
    """
    if seen.over:
        return seen, []
    seen, asked = _step(seen, event, now)
    if isinstance(event, Stop) or any(isinstance(action, Quit) for action in asked):
        return replace(seen, motion=Motion(), over=True), [Move(STILL), *asked]
    return seen, asked


def _step(seen: Robot, event: Event, now: int) -> Stepped:  # noqa: PLR0911 - one for each event
    match event:
        case Frame():
            return _came(seen, event, now)
        case Message():
            return channel.message(seen, event, now)
        case Answered():
            return session.answered(seen, event)
        case Gathered():
            return session.gathered(seen, event)
        case Failed():
            return session.failed(seen, event)
        case Refused():
            return session.refused(seen, event)
        case Offline():
            left = presence.offline(seen.presence)
            return replace(seen, presence=left, deferred=(), pushed=Fence()), []
        case Tick():
            return _tick(seen, now)
        case Stop():
            return seen, []
        case other:
            assert_never(other)


def next_due(seen: Robot) -> int | None:
    """Return when the next `Tick` is wanted, in ms; None when nothing is awaited."""
    if seen.over:
        return None
    watchdog = [] if seen.motion.until is None else [seen.motion.until]
    waiting = early.dues(seen.early) + parked.dues(seen.parked)
    return min(presence.dues(seen.presence) + waiting + watchdog, default=None)


def _came(seen: Robot, event: Frame, now: int) -> Stepped:
    frame = frames.parse(event.frame)
    old = event.socket == "old"
    match frame:
        case Unreadable():
            return _unread(seen, event, frame, now)
        case (
            OfferRelay()
            | CandidateRelay()
            | AnswerRelay()
            | TakeoverNotice()
            | Control()
            | PeerLeft()
        ):
            seen, moves = epochs.fenced(seen, frame)
            if presence.asks(seen.presence) and not old:
                return _deferred(epochs.pushed(seen, frame), event), moves
            seen, told = _followed(seen, frame, now)
            return seen, [*moves, *told]
        case _:
            return _own(seen, frame, now, old=old)


def _unread(seen: Robot, event: Frame, frame: Unreadable, now: int) -> Stepped:
    ignores: list[Action] = [Log(f"ignores {frame.why}")]
    if event.frame.get("type") not in ABOUT_CONTROL or event.socket == "old":
        return seen, ignores
    # It may have named another driver: the server says who drives.
    seen, asks = epochs.ask(seen, now)
    return seen, [*ignores, *asks]


def _deferred(seen: Robot, event: Frame) -> Robot:
    # Whatever reaches a socket that asks to be registered was sent after its registration, so
    # what `registered` is about to say, epoch and all, is older. Who drives does not wait for it:
    # the answer may be long in coming, and a displaced driver would go on meanwhile.
    return replace(seen, deferred=(*seen.deferred, event.frame)[-DEFERRED:])


def _followed(seen: Robot, frame: AboutSession, now: int) -> Stepped:
    skips = epochs.skips(seen, frame)
    seen, told = _about_session(seen, frame, now)
    # What a frame that is late or lost has made of the sessions, only the server can say.
    seen, asks = epochs.ask(seen, now) if skips else (seen, [])
    return epochs.settled(seen, frame), [*told, *asks]


def _about_session(seen: Robot, frame: AboutSession, now: int) -> Stepped:
    match frame:
        case OfferRelay():
            return session.offer(seen, frame, now)
        case CandidateRelay():
            return session.candidate(seen, frame, now)
        case AnswerRelay():
            stands = known(seen, frame.session_id)
            return (seen, []) if stands else session.dismiss(seen, frame.session_id)
        case TakeoverNotice():
            return session.takeover(seen, frame, now)
        case Control():
            return session.control(seen, frame)
        case PeerLeft():
            return session.peer_left(seen, frame, now)
        case other:
            assert_never(other)


Own = Welcome | Registered | IceServersReply | Replaced | Error | Ack | Pong
"""Frames that are about the robot itself, not about one session."""


def _own(seen: Robot, frame: Own, now: int, *, old: bool) -> Stepped:  # noqa: PLR0911 - one for each frame
    match frame:
        case Welcome():
            return _with(seen, presence.register(seen.presence, now))
        case Registered():
            return (seen, []) if old else _registered(seen, frame, now)
        case IceServersReply():
            return _refreshed(seen, frame, now)
        case Replaced():
            return _with(seen, presence.replaced(seen.presence, frame))
        case Error():
            seen = replace(seen, presence=presence.heard(seen.presence, frame))
            return replies.refused(seen, frame, now, old=old)
        case Ack():
            return replace(seen, outbox=outbox.answered(seen.outbox, frame.reply_to)), []
        case Pong():
            seen = replace(seen, presence=presence.heard(seen.presence, frame))
            return replies.ponged(seen, frame, now)
        case other:
            assert_never(other)


def _with(seen: Robot, changed: presence.Changed) -> Stepped:
    return replace(seen, presence=changed[0]), changed[1]


def _registered(seen: Robot, frame: Registered, now: int) -> Stepped:
    deferred = seen.deferred
    seen, told = replies.registered(replace(seen, deferred=()), frame, now)
    for late in deferred:
        seen, actions = _came(seen, Frame(late), now)
        told = [*told, *actions]
    return seen, told


def _refreshed(seen: Robot, frame: IceServersReply, now: int) -> Stepped:
    seen, uses = _with(seen, presence.refreshed(seen.presence, frame, now))
    seen, opens = session.release(seen, [one.frame for one in seen.parked])
    return seen, [*uses, *opens]


def _tick(seen: Robot, now: int) -> Stepped:
    seen, actions = _with(seen, presence.tick(seen.presence, now))
    seen, opens = session.release(seen, parked.ripe(seen.parked, now))
    seen, byes = _dismissed(seen, now)
    stops: list[Action] = []
    if commands.stopped(seen.motion, now):
        seen, stops = replace(seen, motion=Motion()), [Move(STILL)]
    return seen, [*actions, *opens, *byes, *stops]


def _dismissed(seen: Robot, now: int) -> Stepped:
    left, gone = early.expired(seen.early, now)
    seen = replace(seen, early=left)
    actions: list[Action] = []
    for sender in gone:
        if not known(seen, sender):
            seen, byes = session.dismiss(seen, sender)
            actions = [*actions, *byes]
    return seen, actions
