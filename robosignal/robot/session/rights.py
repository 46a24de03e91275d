"""Until when each session may drive, as the server says, counted on the robot's own clock.

Servers that say nothing of it leave the rights without an end.
"""

from dataclasses import replace
from typing import Any

import msgspec
from msgspec import Struct

from robosignal.protocol.ids import SessionId
from robosignal.robot.session.events import Action, Log
from robosignal.robot.session.state import Right, RobotState, Step, show, stop


class _OfferedRight(Struct, frozen=True, rename="camel"):
    """What an offer says of its session."""

    drive: bool
    owner: bool = False
    right_seconds: int | None = None


class _Told(Struct, frozen=True, rename="camel"):
    """What a frame may say of a right; `control` is that of `registered` and `pong`."""

    session_id: SessionId | None = None
    right: _OfferedRight | None = None
    right_seconds: int | None = None
    epoch: int | None = None
    control: "_Told | None" = None


def note(state: RobotState, frame: dict[str, Any], now: int) -> Step:
    """Remember what a frame, which came at `now`, says of a session's right.

    Frames may overtake each other, so of two ends the later one counts; and one of an epoch that
    has passed changes nothing.
    """
    try:
        told = msgspec.convert(frame, _Told)
    except (msgspec.ValidationError, RecursionError):
        return state, []
    told = told.control or told
    session = told.session_id
    if session is None or (told.epoch is not None and told.epoch < state.control.fence.epoch):
        return state, []
    right = state.rights.get(session, Right())
    seconds = told.right_seconds
    if told.right is not None:
        right = replace(right, drive=told.right.drive, owner=told.right.owner)
        seconds = told.right.right_seconds if seconds is None else seconds
    elif seconds is None:
        return state, []
    return _put(state, session, _extend(right, seconds, now), now)


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
