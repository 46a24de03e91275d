"""When to dial, give up, redial and ping: the logic of one connection, as a pure function.

The next socket is dialled before the current one ends, takes its place at its welcome, and the old
one drains, so that no frame is lost between them.
`spec/vectors/connection.json` scripts this, and the browser's client runs the same scripts.
"""

from dataclasses import replace
from typing import Any, assert_never

from robosignal.protocol.limits import HEARTBEAT_SECONDS
from robosignal.robot.connection.events import (
    Adopt,
    Close,
    Closed,
    Dial,
    Enter,
    Event,
    FrameReceived,
    Moved,
    Opened,
    Output,
    Refused,
    Send,
    SignIn,
    SocketEvent,
    Start,
    Stop,
    Swap,
    Tick,
    Wake,
)
from robosignal.robot.connection.state import (
    Attempt,
    ConnectionState,
    Online,
    Phase,
    await_welcome,
    dial,
    next_due,
    redial_at,
    wait_after_failure,
)

Step = tuple[ConnectionState, list[Output]]

READY: dict[str, object] = {"type": "ready", "protocol": 1}
UNAUTHORIZED = 401


def step(state: ConnectionState, event: Event, now: int, random: float) -> Step:
    """Return the state after `event` and what to do, in order.

    `now` is in ms of a steady clock, the same that a welcome's `expiresAt` is given in; `random`
    is in [0, 1]. An event that does not fit, such as the late `Closed` of a socket given up,
    changes nothing. The one timer is asked for whenever the earliest due time is another one,
    and after each tick, since browsers' timers fire up to a millisecond early.
    """
    after, outputs = _step(state, event, now, random)
    at = next_due(after)
    if at is not None and (at != next_due(state) or isinstance(event, Tick)):
        outputs = [*outputs, Wake(at)]
    return after, outputs


def _step(state: ConnectionState, event: Event, now: int, random: float) -> Step:
    match event:
        case Start():
            return _start(state, now)
        case Opened() | Closed() | Refused() | FrameReceived():
            return _on_socket(state, event, now, random)
        case Tick():
            return _tick(state, now, random)
        case Moved():
            return _close_old(state)
        case Stop():
            return _stop(state)
        case other:
            assert_never(other)


def _start(state: ConnectionState, now: int) -> Step:
    match state.current:
        case None:
            return _dial(state, 0, now)
        case Attempt(Phase.WAITING, _, failures):
            return _dial(state, failures, now)
        case Attempt():
            return state, []
        case Online():
            return _hurry_next(state, now)


def _dial(state: ConnectionState, failures: int, now: int) -> Step:
    return replace(state, current=dial(failures, now)), [Enter("connecting"), Dial()]


def _on_socket(state: ConnectionState, event: SocketEvent, now: int, random: float) -> Step:
    match event.socket:
        case None:
            return _on_current(state, event, now, random)
        case "next":
            return _on_next(state, event, now, random)
        case "old":
            has_ended = isinstance(event, Closed)
            return (replace(state, old_due=None) if has_ended else state), []
        case other:
            assert_never(other)


# The current socket.


def _on_current(state: ConnectionState, event: SocketEvent, now: int, random: float) -> Step:
    if not _has_socket(state.current):
        return state, []
    match event:
        case Opened():
            return _open_current(state, now)
        case Refused(status) if status == UNAUTHORIZED and _is(state.current, Phase.DIALING):
            return _sign_out(state, [])
        case Closed() | Refused():
            return _lose_current(state, now, random)
        case FrameReceived(frame):
            return _receive(state, frame, now)


def _receive(state: ConnectionState, frame: dict[str, Any], now: int) -> Step:
    if says_expired(frame):
        return _expire(state)
    if not _is_welcome(state.current, frame):
        return state, []
    online = _make_online(state, state.current, frame, now)
    return replace(state, current=online), [Enter("online")]


def _open_current(state: ConnectionState, now: int) -> Step:
    if not isinstance(state.current, Attempt) or state.current.phase is not Phase.DIALING:
        return state, []
    return replace(state, current=await_welcome(state.current, now)), [Send(READY)]


def _lose_current(state: ConnectionState, now: int, random: float) -> Step:
    if state.next is not None and state.next.phase is not Phase.WAITING:
        return _adopt_next(state, state.next)
    failures = state.current.failures if isinstance(state.current, Attempt) else 0
    waiting = wait_after_failure(failures, now, random)
    return replace(state, current=waiting, next=None), [Enter("offline")]


def _adopt_next(state: ConnectionState, following: Attempt) -> Step:
    # Its failures so far were counted beside a working socket; the next one is a first loss.
    adopted = replace(state, current=replace(following, failures=0), next=None)
    return adopted, [Adopt(), Enter("offline"), Enter("connecting")]


def _expire(state: ConnectionState) -> Step:
    if state.next is None or state.next.phase is Phase.WAITING:
        return _sign_out(state, [Close()])
    adopted, outputs = _adopt_next(state, state.next)
    return adopted, [Close(), *outputs]


def _sign_out(state: ConnectionState, closes: list[Output]) -> Step:
    old: list[Output] = [] if state.old_due is None else [Close("old")]
    return _reset(state), [*closes, *old, Enter("offline"), SignIn()]


# The next socket, and the old one.


def _on_next(state: ConnectionState, event: SocketEvent, now: int, random: float) -> Step:
    attempt = state.next
    if attempt is None or attempt.phase is Phase.WAITING:
        return state, []
    match event:
        case Opened():
            is_dialing = attempt.phase is Phase.DIALING
            return _open_next(state, attempt, now) if is_dialing else (state, [])
        case Refused(status) if status == UNAUTHORIZED:
            return _drop_next(state), [SignIn()]
        case Closed() | Refused():
            return replace(state, next=wait_after_failure(attempt.failures, now, random)), []
        case FrameReceived(frame):
            return _receive_next(state, frame, now)


def _open_next(state: ConnectionState, attempt: Attempt, now: int) -> Step:
    return replace(state, next=await_welcome(attempt, now)), [Send(READY, "next")]


def _receive_next(state: ConnectionState, frame: dict[str, Any], now: int) -> Step:
    if _is_welcome(state.next, frame):
        return _swap(state, frame, now)
    if says_expired(frame):
        return _drop_next(state), [Close("next"), SignIn()]
    return state, []


def _swap(state: ConnectionState, frame: dict[str, Any], now: int) -> Step:
    online = _make_online(state, state.next, frame, now)
    old_due = now + state.timing.drain_ms
    return replace(state, current=online, next=None, old_due=old_due), [Swap()]


def _dial_next(state: ConnectionState, now: int) -> Step:
    failures = 0 if state.next is None else state.next.failures
    return replace(state, next=dial(failures, now)), [Dial("next")]


def _hurry_next(state: ConnectionState, now: int) -> Step:
    """Dial the next socket now if it waits, for time or for a new token."""
    is_waiting = _is(state.next, Phase.WAITING)
    needs_token = isinstance(state.current, Online) and state.current.redial_due is None
    if is_waiting or (needs_token and state.may_dial_next):
        return _dial_next(state, now)
    return state, []


def _drop_next(state: ConnectionState) -> ConnectionState:
    # The current socket goes on: with no time due, only a new token's `Start` dials again.
    current = state.current
    if isinstance(current, Online):
        current = replace(current, redial_due=None)
    return replace(state, current=current, next=None)


def _close_old(state: ConnectionState) -> Step:
    if state.old_due is None:
        return state, []
    return replace(state, old_due=None), [Close("old")]


# Time.


def _tick(state: ConnectionState, now: int, random: float) -> Step:
    drains: list[Output] = []
    if state.old_due is not None and now >= state.old_due:
        state, drains = _close_old(state)
    state, current = _tick_current(state, now, random)
    state, following = _tick_next(state, now, random)
    return state, [*drains, *current, *following]


def _tick_current(state: ConnectionState, now: int, random: float) -> Step:
    match state.current:
        case Attempt(Phase.WAITING, at, failures) if now >= at:
            return _dial(state, failures, now)
        case Attempt(_, at) if now >= at:
            lost, outputs = _lose_current(state, now, random)
            return lost, [Close(), *outputs]
        case Online(beat, at) as online if at is not None and now >= at:
            renewed = replace(online, heartbeat_due=now + beat)
            return replace(state, current=renewed), [Send({"type": "ping"})]
        case _:
            return state, []


def _tick_next(state: ConnectionState, now: int, random: float) -> Step:
    if state.next is None:
        redial_due = state.current.redial_due if isinstance(state.current, Online) else None
        is_due = redial_due is not None and now >= redial_due and state.may_dial_next
        return _dial_next(state, now) if is_due else (state, [])
    if now < state.next.due:
        return state, []
    if state.next.phase is Phase.WAITING:
        return _dial_next(state, now)
    waiting = wait_after_failure(state.next.failures, now, random)
    return replace(state, next=waiting), [Close("next")]


# Any socket.


def _make_online(
    state: ConnectionState, socket: Attempt | Online | None, frame: dict[str, Any], now: int
) -> Online:
    opened = socket.opened if isinstance(socket, Attempt) else now
    beat = _read_heartbeat_ms(frame.get("heartbeatSeconds"))
    redial_due = redial_at(opened, frame.get("expiresAt"), state.timing, now)
    return Online(beat, now + beat if state.heartbeats else None, redial_due)


def _read_heartbeat_ms(given: object) -> int:
    # A server that names none, or nonsense, must not make a client ping in a tight loop.
    is_usable = isinstance(given, int) and not isinstance(given, bool) and given > 0
    return (given if is_usable else HEARTBEAT_SECONDS) * 1000  # type: ignore[operator]


def _is_welcome(socket: Attempt | Online | None, frame: dict[str, Any]) -> bool:
    return _is(socket, Phase.OPEN) and frame.get("type") == "welcome"


def says_expired(frame: dict[str, Any]) -> bool:
    """Say whether a frame is the error for a token that has expired, or an assertion used up."""
    return frame.get("type") == "error" and frame.get("code") == "token_expired"


def _stop(state: ConnectionState) -> Step:
    current: list[Output] = [Close()] if _has_socket(state.current) else []
    following: list[Output] = [Close("next")] if _has_socket(state.next) else []
    old: list[Output] = [] if state.old_due is None else [Close("old")]
    enters: list[Output] = [Enter("offline")] if current else []
    return _reset(state), [*current, *following, *old, *enters]


def _reset(state: ConnectionState) -> ConnectionState:
    return ConnectionState(heartbeats=state.heartbeats, timing=state.timing)


def _has_socket(socket: Attempt | Online | None) -> bool:
    return socket is not None and not _is(socket, Phase.WAITING)


def _is(socket: Attempt | Online | None, phase: Phase) -> bool:
    return isinstance(socket, Attempt) and socket.phase is phase
