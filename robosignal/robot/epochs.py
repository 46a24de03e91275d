"""What a frame says of the epoch: who drives from now on, and whether frames before it are missing.

Knows the fence and how far the sessions have followed it; never peers, or what else a frame asks.
"""

from dataclasses import replace

from robosignal.protocol.frames import (
    AnswerRelay,
    CandidateRelay,
    Control,
    OfferRelay,
    PeerLeft,
    Person,
    TakeoverNotice,
)
from robosignal.robot import presence
from robosignal.robot.fence import Fence, raised, without
from robosignal.robot.state import Robot, Stepped, moved

AboutSession = OfferRelay | CandidateRelay | AnswerRelay | TakeoverNotice | Control | PeerLeft


def fenced(seen: Robot, frame: AboutSession) -> Stepped:
    """Return with the fence as the frame leaves it: it only ever rises, whenever a frame comes."""
    return moved(seen, _after(seen.fence, frame), _driver(frame))


def pushed(seen: Robot, frame: AboutSession) -> Robot:
    """Remember what a frame says of the fence that came before the answer to `register`."""
    return replace(seen, pushed=_after(seen.pushed, frame))


def settled(seen: Robot, frame: AboutSession) -> Robot:
    """Return with the sessions having followed this frame's change of holder, if it tells one."""
    epoch = _epoch(frame)
    return seen if epoch is None else replace(seen, settled=max(epoch, seen.settled))


def skips(seen: Robot, frame: AboutSession) -> bool:
    """Whether a change of holder before the frame's is not known: it is late, or lost."""
    epoch = _epoch(frame)
    return epoch is not None and epoch > seen.settled + 1


def ask(seen: Robot, now: int) -> Stepped:
    """Have the server say how all stands, by registering again; not if it is about to."""
    if not seen.presence.registered:
        return seen, []
    left, asks = presence.register(seen.presence, now)
    return replace(seen, presence=left), asks


def _after(fence: Fence, frame: AboutSession) -> Fence:
    match frame:
        case OfferRelay(role="controller", epoch=int() as epoch):
            return raised(fence, epoch, frame.session_id)
        case TakeoverNotice() | Control():
            return raised(fence, frame.epoch, frame.session_id)
        case PeerLeft(epoch=int() as epoch) if epoch >= fence.epoch:
            return without(raised(fence, epoch, None), frame.session_id)
        case _:
            return fence


def _epoch(frame: AboutSession) -> int | None:
    if isinstance(frame, OfferRelay) and frame.role == "viewer":
        return None
    is_told = isinstance(frame, OfferRelay | TakeoverNotice | Control | PeerLeft)
    return frame.epoch if is_told else None


def _driver(frame: AboutSession) -> Person | None:
    match frame:
        case TakeoverNotice():
            return frame.by
        case OfferRelay() | Control():
            return frame.person
        case _:
            return None
