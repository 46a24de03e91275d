"""What the robot does about the server's replies to itself: registered, pong, refused, sent back.

Knows presence, the outbox and which sessions stand; never what a session's frames mean.
"""

from dataclasses import replace
from typing import Any

from robosignal.protocol.frames import Error, Pong, Registered
from robosignal.robot import epochs, frames, outbox, pings, presence
from robosignal.robot.actions import Action, Log
from robosignal.robot.fence import Fence, raised
from robosignal.robot.frames import PcId
from robosignal.robot.outbox import Letter
from robosignal.robot.state import Robot, Stepped, ended, holds, moved, of, shut

ENDED = frozenset({"no_session", "forbidden"})
"""Errors that, in reply to an answer, say that its session does not stand."""


def registered(seen: Robot, frame: Registered, now: int) -> Stepped:
    """Go by what the server says stands, and send what has waited for it.

    An answer to any `register` but the last, or a second one, is older news than it looks.
    """
    if not presence.is_awaited(seen.presence, frame):
        return seen, []
    left, told = presence.registered(seen.presence, frame, now)
    seen, ends = _reconciled(replace(seen, presence=left), frame)
    seen, moves = _standing(seen, frame)
    seen, sends = _flushed(seen)
    return seen, [*told, *ends, *moves, *sends]


def _flushed(seen: Robot) -> Stepped:
    asked = seen.presence.asked
    left, sends = outbox.flushed(seen.outbox, lambda frame: _is_useful(seen, frame), asked)
    return replace(seen, outbox=left), sends


def _reconciled(seen: Robot, frame: Registered) -> Stepped:
    seats = {seat.session_id: seat for seat in frame.sessions}
    mine = dict.fromkeys([*seen.peers, *(one.frame.session_id for one in seen.parked)])
    told: list[Action] = []
    for session in mine:
        if session not in seats:
            seen, ends = ended(seen, session)
            told = [*told, *ends]
    peers = {
        session: replace(peer, held_at=0, watches=True) for session, peer in seen.peers.items()
    }
    return holds(replace(seen, peers=peers), frame.control.session_id, frame.control.epoch), told


def _standing(seen: Robot, frame: Registered) -> Stepped:
    # Outright, lower or not: after `forget` the epochs begin anew. But what was pushed while the
    # answer was awaited was sent after the registration: it is newer.
    told = Fence(frame.control.epoch, frame.control.session_id)
    fence = raised(told, seen.pushed.epoch, seen.pushed.holder)
    people = {seat.session_id: seat.person for seat in frame.sessions}
    person = None if fence.holder is None else people.get(fence.holder)
    seen = replace(seen, settled=told.epoch, listed=told.epoch, pushed=Fence())
    return moved(seen, fence, person)


def ponged(seen: Robot, frame: Pong, now: int) -> Stepped:
    """Take what the server says of control as if it had been pushed.

    If it is news, a frame is missing: which sessions have ended since, only the server can say.
    So it is if what made the fence is older than this, and yet says otherwise.
    """
    if frame.control is None:
        return seen, []
    told = Fence(frame.control.epoch, frame.control.session_id)
    fence = raised(seen.fence, told.epoch, told.holder)
    if fence == seen.fence and not _disproves(seen, frame, told):
        return seen, []
    seen, moves = moved(seen, fence, None)
    seen, asks = epochs.ask(seen, now)
    return seen, [*moves, *asks]


def _disproves(seen: Robot, frame: Pong, told: Fence) -> bool:
    # An epoch never falls while the robot is known. After `forget` it begins anew, and a frame of
    # before may come later still: then the fence is of a life that is over.
    return told != seen.fence and pings.proves(seen.presence.pings, frame.reply_to)


def _is_useful(seen: Robot, frame: dict[str, Any]) -> bool:
    tells_why = frame.get("payload", {}).get("type") == "error"
    return frame["type"] == "bye" or tells_why or _is_current(seen, frame)


def _is_current(seen: Robot, relayed: dict[str, Any]) -> bool:
    return of(seen, relayed["sessionId"], PcId(relayed.get("pcId", ""))) is not None


def refused(seen: Robot, error: Error, now: int, *, old: bool) -> Stepped:
    """React to an error; `old` if the socket that has been followed brought it."""
    letter = outbox.found(seen.outbox, error.reply_to)
    if letter is not None:
        return _refused_letter(seen, letter, error.code, now, old=old)
    if not presence.is_own(error):
        return seen, [Log(f"the server says {frames.plain(error.code)}")]
    if old:
        # The registration on the new socket has overtaken it.
        return seen, []
    left, told = presence.refused(seen.presence, error, now)
    return replace(seen, presence=left), told


def _refused_letter(seen: Robot, letter: Letter, code: str, now: int, *, old: bool) -> Stepped:
    if code == "not_registered" and not letter.again:
        back = replace(seen, outbox=outbox.returned(seen.outbox, letter))
        # Frames sent before the last `register` were refused because of the one before it.
        return _resent(back, now, is_news=not old and letter.asked == seen.presence.asked)
    seen = replace(seen, outbox=outbox.answered(seen.outbox, letter.id))
    if code in ENDED and letter.frame["type"] == "answer" and _is_current(seen, letter.frame):
        return shut(seen, letter.frame["sessionId"])
    return seen, [Log(f"the server says {frames.plain(code)}")]


def _resent(seen: Robot, now: int, *, is_news: bool) -> Stepped:
    if not seen.presence.registered:
        return seen, []
    if is_news:
        # Not overtaken by a registration: there is none.
        left, asks = presence.register_again(seen.presence, now)
        return replace(seen, presence=left), asks
    return _flushed(seen)
