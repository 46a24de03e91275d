"""What a frame says of the epoch: who drives from now on, and whether a frame before is missing."""

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
from robosignal.robot.session import registration
from robosignal.robot.session.fence import Fence, advance, release
from robosignal.robot.session.state import RobotState, Step, change_fence

SessionFrame = OfferRelay | CandidateRelay | AnswerRelay | TakeoverNotice | Control | PeerLeft
"""A frame about one session."""


def apply_fence(state: RobotState, frame: SessionFrame) -> Step:
    """Set the fence as the frame leaves it: it only ever rises, whenever a frame comes."""
    fence = advance_by(state.control.fence, frame)
    return change_fence(state, fence, _find_driver(frame))


def advance_by(fence: Fence, frame: SessionFrame) -> Fence:
    """Return the fence after a frame."""
    match frame:
        case OfferRelay(role="controller", epoch=int() as epoch):
            return advance(fence, epoch, frame.session_id)
        case TakeoverNotice() | Control():
            return advance(fence, frame.epoch, frame.session_id)
        case PeerLeft(epoch=int() as epoch) if epoch >= fence.epoch:
            return release(advance(fence, epoch, None), frame.session_id)
        case _:
            return fence


def mark_applied(state: RobotState, frame: SessionFrame) -> RobotState:
    """Remember that the sessions have followed this frame's change of holder, if it tells one."""
    epoch = _epoch(frame)
    if epoch is None:
        return state
    control = replace(state.control, applied=max(epoch, state.control.applied))
    return replace(state, control=control)


def has_gap(state: RobotState, frame: SessionFrame) -> bool:
    """Whether a change of holder before the frame's is unknown: it is late, or lost."""
    epoch = _epoch(frame)
    return epoch is not None and epoch > state.control.applied + 1


def ask_server(state: RobotState, now: int) -> Step:
    """Ask which sessions exist and who drives, by registering again; not if it is about to."""
    if not state.registration.is_registered:
        return state, []
    changed, asks = registration.register(state.registration, now)
    return replace(state, registration=changed), asks


def _epoch(frame: SessionFrame) -> int | None:
    if isinstance(frame, OfferRelay) and frame.role == "viewer":
        return None
    has_epoch = isinstance(frame, OfferRelay | TakeoverNotice | Control | PeerLeft)
    return frame.epoch if has_epoch else None


def _find_driver(frame: SessionFrame) -> Person | None:
    match frame:
        case TakeoverNotice():
            return frame.by
        case OfferRelay() | Control():
            return frame.person
        case _:
            return None
