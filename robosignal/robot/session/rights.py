"""Until when each session may drive, as the server says, counted on the robot's own clock.

Servers that say nothing of it leave the rights without an end.
"""

from collections.abc import Iterator
from dataclasses import replace

from robosignal.protocol.frames import (
    Control,
    ControlState,
    OfferRelay,
    Pong,
    Registered,
    TakeoverNotice,
)
from robosignal.protocol.ids import SessionId
from robosignal.robot.frames import Frame
from robosignal.robot.session.events import Action, Log
from robosignal.robot.session.state import Right, RobotState, Step, is_known, show, stop


def note(state: RobotState, frame: Frame, now: int) -> Step:
    """Remember what a frame, which came at `now` (ms), says of the sessions' rights.

    Frames may overtake each other, so of two ends the later one counts; and one of an epoch that
    has passed says nothing of its holder.
    """
    if isinstance(frame, OfferRelay):
        return _note_offer(state, frame, now)
    actions: list[Action] = []
    for session, seconds in _find_told(state, frame):
        right = _extend(state.rights.get(session, Right()), seconds, now)
        state, more = _put(state, session, right, now)
        actions = [*actions, *more]
    return state, actions


def _note_offer(state: RobotState, frame: OfferRelay, now: int) -> Step:
    told, epoch = frame.right, frame.epoch
    if told is None or (epoch is not None and epoch < state.control.fence.epoch):
        return state, []
    right = state.rights.get(frame.session_id, Right())
    right = replace(right, drive=told.drive, owner=told.owner)
    return _put(state, frame.session_id, _extend(right, told.right_seconds, now), now)


def _find_told(state: RobotState, frame: Frame) -> Iterator[tuple[SessionId, int]]:
    """Yield each session whose right the frame tells, and for how many seconds it lasts."""
    match frame:
        case TakeoverNotice() | Control():
            yield from _find_holder(state, frame)
        case Registered() | Pong():
            if frame.control is not None:
                yield from _find_holder(state, frame.control)
            for entry in frame.sessions or ():
                if entry.right_seconds is not None and is_known(state, entry.session_id):
                    yield entry.session_id, entry.right_seconds
        case _:
            pass


def _find_holder(
    state: RobotState, told: TakeoverNotice | Control | ControlState
) -> Iterator[tuple[SessionId, int]]:
    is_past = told.epoch < state.control.fence.epoch
    if told.session_id is not None and told.right_seconds is not None and not is_past:
        yield told.session_id, told.right_seconds


def _extend(right: Right, seconds: int | None, now: int) -> Right:
    if seconds is None:
        return right
    return replace(right, until=max(right.until or 0, now + max(0, seconds) * 1000))


def _put(state: RobotState, session: SessionId, right: Right, now: int) -> Step:
    is_renewed = right.has_ended and not right.is_over(now)
    if is_renewed:
        right = replace(right, has_ended=False)
    state = replace(state, rights={**_prune(state), session: right})
    if not (is_renewed and state.control.fence.obeys(session)):
        return state, []
    return state, [show(state), Log(f"{state.control.driver} may drive again")]


def _prune(state: RobotState) -> dict[SessionId, Right]:
    """Return the rights of sessions that the robot knows."""
    waiting = {frame.session_id for frame in state.pending.offers.frames()}
    known = {*state.peers, *waiting, state.control.fence.holder}
    return {session: right for session, right in state.rights.items() if session in known}


def is_over(state: RobotState, session: SessionId | None, now: int) -> bool:
    """Whether this session's right to drive has ended."""
    right = None if session is None else state.rights.get(session)
    return right is not None and right.is_over(now)


def end_right(state: RobotState, now: int) -> Step:
    """Stop if the driver's right has ended, and say so once; media and sessions go on."""
    holder = state.control.fence.holder
    right = None if holder is None else state.rights.get(holder)
    if holder is None or right is None or right.has_ended or not right.is_over(now):
        return state, []
    state, stops = stop(state, has_gap=False)
    state = replace(state, rights={**state.rights, holder: replace(right, has_ended=True)})
    actions: list[Action] = [*stops, show(state)]
    return state, [*actions, Log(f"{state.control.driver}'s right to drive has ended")]


def due_times(state: RobotState) -> list[int]:
    """Return when the driver's right ends, in ms."""
    holder = state.control.fence.holder
    right = None if holder is None else state.rights.get(holder)
    if right is None or right.until is None or right.has_ended:
        return []
    return [right.until]
