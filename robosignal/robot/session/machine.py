"""The robot's sessions behind one pure function: what each event means, and what to do.

`spec/vectors/robot.json` scripts it: events with their times, and the actions expected.
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
from robosignal.robot import frames
from robosignal.robot.drive import STILL, Motion
from robosignal.robot.frames import Unreadable
from robosignal.robot.session import (
    channels,
    driving,
    epochs,
    latch,
    messages,
    offers,
    registration,
    replies,
    rights,
    telemetry,
)
from robosignal.robot.session.epochs import SessionFrame
from robosignal.robot.session.events import (
    Action,
    Answered,
    ClearStop,
    Event,
    Failed,
    Frame,
    Gathered,
    Held,
    Log,
    Message,
    Move,
    Offline,
    Opened,
    OwnCommand,
    Post,
    Publish,
    Quit,
    Refused,
    Resumed,
    Stop,
    StopMotion,
    Tick,
)
from robosignal.robot.session.pending import Pushes
from robosignal.robot.session.state import RobotState, Step, is_known

CONTROL_TYPES = frozenset({"takeover", "control", "peer-left"})
"""Frames that may change who drives, or which sessions exist."""


def step(state: RobotState, event: Event, now: int) -> Step:
    """Return the state after `event`, and what to do, in order; `now` in ms of a steady clock.

    A stop that is due comes before whatever the event brings. `Stop` and `Quit` always stop the
    motors first; from then on no event does anything.
    """
    if state.has_ended:
        return state, []
    state, stops = driving.stop_late(state, now)
    state, actions = _step(state, event, now)
    actions = [*stops, *actions]
    if isinstance(event, Stop) or any(isinstance(action, Quit) for action in actions):
        return replace(state, motion=Motion(), has_ended=True), [Move(STILL), *actions]
    return state, actions


def _step(  # noqa: C901, PLR0911, PLR0912 - one for each event
    state: RobotState, event: Event, now: int
) -> Step:
    match event:
        case Frame():
            return _receive(state, event, now)
        case Opened():
            return messages.handle_opened(state, event)
        case Message():
            return messages.handle_message(state, event, now)
        case Answered():
            return offers.send_answer(state, event)
        case Gathered():
            return offers.send_candidate(state, event)
        case Failed():
            return offers.handle_failed(state, event)
        case Refused():
            return offers.send_refusal(state, event)
        case Offline():
            pending = replace(state.pending, pushes=Pushes())
            return replace(state, registration=state.registration.disconnect(), pending=pending), []
        case Tick():
            return _tick(state, now)
        case Resumed():
            return driving.resume(state, now)
        case StopMotion(by):
            return latch.stop_by_program(state, by)
        case ClearStop():
            return latch.clear_by_program(state)
        case Held(values):
            return replace(state, held=values), []
        case Publish():
            return telemetry.publish(state, event, now)
        case OwnCommand():
            return driving.obey_program(state, event, now)
        case Post():
            return channels.post(state, event, now)
        case Stop():
            return state, []
        case other:
            assert_never(other)


def next_due(state: RobotState) -> int | None:
    """Return when the next `Tick` is wanted, in ms; None when nothing is due."""
    if state.has_ended:
        return None
    times = [
        *state.registration.due_times(),
        *state.pending.due_times(),
        *driving.due_times(state),
        *telemetry.due_times(state),
    ]
    return min(times, default=None)


def _receive(state: RobotState, event: Frame, now: int, *, has_waited: bool = False) -> Step:
    """Act on a frame; one that `has_waited` for the answer to `register` has told its rights."""
    frame = frames.parse(event.frame)
    from_old = event.socket == "old"
    match frame:
        case Unreadable():
            return _ignore(state, event, frame, now)
        case (
            OfferRelay()
            | CandidateRelay()
            | AnswerRelay()
            | TakeoverNotice()
            | Control()
            | PeerLeft()
        ):
            state, moves = epochs.apply_fence(state, frame)
            state, notes = (state, []) if has_waited else _note_rights(state, frame, now)
            if state.registration.is_registering and not from_old:
                return _defer(state, event, frame), [*moves, *notes]
            state, actions = _follow(state, frame, now)
            return state, [*moves, *notes, *actions]
        case _:
            state, actions = _handle_own(state, frame, now, from_old=from_old)
            state, notes = _note_rights(state, frame, now)
            return state, [*actions, *notes]


def _note_rights(state: RobotState, frame: frames.Frame, now: int) -> Step:
    state, notes = rights.note(state, frame, now)
    state, stops = latch.stop_renewed(state, now)
    return state, [*notes, *stops]


def _ignore(state: RobotState, event: Frame, frame: Unreadable, now: int) -> Step:
    ignores: list[Action] = [Log(f"ignores {frame.why}")]
    if event.frame.get("type") not in CONTROL_TYPES or event.socket == "old":
        return state, ignores
    # It may have named another driver: the server says who drives.
    state, asks = epochs.ask_server(state, now)
    return state, [*ignores, *asks]


def _defer(state: RobotState, event: Frame, frame: SessionFrame) -> RobotState:
    # What reaches a connection on which `register` is unanswered was sent after the registration,
    # so what `registered` will say, epoch included, is older. Who drives does not wait for it: the
    # answer may take long, and a displaced driver would go on meanwhile.
    pushes = state.pending.pushes
    pushes = pushes.add(event.frame, epochs.advance_by(pushes.fence, frame))
    return replace(state, pending=replace(state.pending, pushes=pushes))


def _follow(state: RobotState, frame: SessionFrame, now: int) -> Step:
    has_gap = epochs.has_gap(state, frame)
    state, actions = _handle_session(state, frame, now)
    # What a frame that is late or lost has made of the sessions, only the server can say.
    state, asks = epochs.ask_server(state, now) if has_gap else (state, [])
    return epochs.mark_applied(state, frame), [*actions, *asks]


def _handle_session(state: RobotState, frame: SessionFrame, now: int) -> Step:
    match frame:
        case OfferRelay():
            return offers.take_offer(state, frame, now)
        case CandidateRelay():
            return offers.take_candidate(state, frame, now)
        case AnswerRelay():
            known = is_known(state, frame.session_id)
            return (state, []) if known else offers.dismiss(state, frame.session_id)
        case TakeoverNotice():
            return offers.take_over(state, frame, now)
        case Control():
            return offers.change_holder(state, frame)
        case PeerLeft():
            return offers.remove_session(state, frame, now)
        case other:
            assert_never(other)


Own = Welcome | Registered | IceServersReply | Replaced | Error | Ack | Pong
"""Frames that are about the robot itself, not about one session."""


def _handle_own(  # noqa: PLR0911 - one for each frame
    state: RobotState, frame: Own, now: int, *, from_old: bool
) -> Step:
    match frame:
        case Welcome():
            return _change(state, registration.register(state.registration, now))
        case Registered():
            return (state, []) if from_old else _apply_registered(state, frame, now)
        case IceServersReply():
            return _use_ice(state, frame, now)
        case Replaced():
            return _change(state, registration.handle_replaced(state.registration, frame))
        case Error():
            state = replace(state, registration=state.registration.note_reply(frame))
            return replies.handle_error(state, frame, now, from_old=from_old)
        case Ack():
            outbox = state.pending.outbox.remove(frame.reply_to)
            return replace(state, pending=replace(state.pending, outbox=outbox)), []
        case Pong():
            state = replace(state, registration=state.registration.note_reply(frame))
            return replies.apply_pong(state, frame, now)
        case other:
            assert_never(other)


def _change(state: RobotState, change: registration.Change) -> Step:
    return replace(state, registration=change[0]), change[1]


def _apply_registered(state: RobotState, frame: Registered, now: int) -> Step:
    # The answer to any `register` but the last, or a second answer, is older news than it looks.
    if not state.registration.awaits(frame):
        return state, []
    deferred = state.pending.pushes.frames
    state, actions = replies.apply_registered(state, frame, now)
    for each in deferred:
        state, more = _receive(state, Frame(each), now, has_waited=True)
        actions = [*actions, *more]
    return state, actions


def _use_ice(state: RobotState, frame: IceServersReply, now: int) -> Step:
    state, uses = _change(state, registration.use_ice(state.registration, frame, now))
    state, opens = offers.open_delayed(state, state.pending.offers.frames())
    return state, [*uses, *opens]


def _tick(state: RobotState, now: int) -> Step:
    state, actions = _change(state, registration.tick(state.registration, now))
    state, opens = offers.open_delayed(state, state.pending.offers.overdue(now))
    state, byes = _dismiss_unknown(state, now)
    state, beats = driving.send_heartbeats(state, now)
    state, tells = telemetry.send_due(state, now)
    return state, [*actions, *opens, *byes, *beats, *tells]


def _dismiss_unknown(state: RobotState, now: int) -> Step:
    candidates, senders = state.pending.candidates.expire(now)
    state = replace(state, pending=replace(state.pending, candidates=candidates))
    actions: list[Action] = []
    for sender in senders:
        if not is_known(state, sender):
            state, byes = offers.dismiss(state, sender)
            actions = [*actions, *byes]
    return state, actions
