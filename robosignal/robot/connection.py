"""When to dial, give up, redial and ping: the logic of one signaling connection.

Knows times, events and outputs; never sockets, tokens, robots, or what a frame is about.
`spec/vectors/connection.json` scripts it, and the browser's client runs the same script.
"""

from dataclasses import replace
from typing import Any, assert_never

from robosignal.protocol.limits import HEARTBEAT_SECONDS
from robosignal.robot import redial
from robosignal.robot.link import (
    Attempt,
    Connection,
    Online,
    Phase,
    dialled,
    due,
    failed,
    greeted,
    redial_at,
)
from robosignal.robot.redial import READY, UNAUTHORIZED, Stepped, expired
from robosignal.robot.signals import (
    Adopt,
    Close,
    Closed,
    Dial,
    Enter,
    Event,
    FrameCame,
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


def step(seen: Connection, event: Event, now: int, random: float) -> Stepped:
    """Return what is known after `event` and what to do, in order.

    `now` is in ms of a steady clock, the same that a welcome's `expiresAt` is given in; `random`
    is in [0, 1]. An event that does not fit, such as the late `Closed` of a socket given up,
    changes nothing. The one timer is asked for whenever the earliest due time is another one,
    and after each tick, since browsers' timers fire up to a millisecond early.
    """
    after, outputs = _step(seen, event, now, random)
    at = due(after)
    if at is not None and (at != due(seen) or isinstance(event, Tick)):
        outputs = [*outputs, Wake(at)]
    return after, outputs


def _step(seen: Connection, event: Event, now: int, random: float) -> Stepped:
    match event:
        case Start():
            return _start(seen, now)
        case Opened() | Closed() | Refused() | FrameCame():
            return _on_socket(seen, event, now, random)
        case Tick():
            return _tick(seen, now, random)
        case Moved():
            return redial.moved(seen)
        case Stop():
            return _stop(seen)
        case other:
            assert_never(other)


def _start(seen: Connection, now: int) -> Stepped:
    match seen.current:
        case None:
            return _dial(seen, 0, now)
        case Attempt(Phase.WAITING, _, failures):
            return _dial(seen, failures, now)
        case Attempt():
            return seen, []
        case Online():
            return redial.hurry(seen, now)


def _dial(seen: Connection, failures: int, now: int) -> Stepped:
    return replace(seen, current=dialled(failures, now)), [Enter("connecting"), Dial()]


def _on_socket(seen: Connection, event: SocketEvent, now: int, random: float) -> Stepped:
    match event.socket:
        case None:
            return _on_current(seen, event, now, random)
        case "next" if isinstance(event, FrameCame) and _welcomed(seen.next, event.frame):
            return _swap(seen, event.frame, now)
        case "next":
            return redial.on_next(seen, event, now, random)
        case "old":
            ended = isinstance(event, Closed)
            return (replace(seen, old_due=None) if ended else seen), []
        case other:
            assert_never(other)


def _on_current(seen: Connection, event: SocketEvent, now: int, random: float) -> Stepped:
    if not _has_socket(seen.current):
        return seen, []
    match event:
        case Opened():
            return _opened(seen, now)
        case Refused(status) if status == UNAUTHORIZED and _is(seen.current, Phase.DIALING):
            return _signed_out(seen, [])
        case Closed() | Refused():
            return _lost(seen, now, random)
        case FrameCame(frame) if expired(frame):
            return _expired(seen)
        case FrameCame(frame):
            return _welcome(seen, frame, now) if _welcomed(seen.current, frame) else (seen, [])


def _opened(seen: Connection, now: int) -> Stepped:
    if not isinstance(seen.current, Attempt) or seen.current.phase is not Phase.DIALING:
        return seen, []
    return replace(seen, current=greeted(seen.current, now)), [Send(READY)]


def _welcomed(socket: Attempt | Online | None, frame: dict[str, Any]) -> bool:
    return _is(socket, Phase.GREETING) and frame.get("type") == "welcome"


def _welcome(seen: Connection, frame: dict[str, Any], now: int) -> Stepped:
    return replace(seen, current=_online(seen, seen.current, frame, now)), [Enter("online")]


def _swap(seen: Connection, frame: dict[str, Any], now: int) -> Stepped:
    online = _online(seen, seen.next, frame, now)
    drained = now + seen.span.drain_ms
    return replace(seen, current=online, next=None, old_due=drained), [Swap()]


def _online(
    seen: Connection, socket: Attempt | Online | None, frame: dict[str, Any], now: int
) -> Online:
    opened = socket.opened if isinstance(socket, Attempt) else now
    beat = _heartbeat_ms(frame.get("heartbeatSeconds"))
    redial_due = redial_at(opened, frame.get("expiresAt"), seen.span, now)
    return Online(beat, now + beat if seen.heartbeats else None, redial_due)


def _heartbeat_ms(given: object) -> int:
    # A server that names none, or nonsense, must not make a client ping in a tight loop.
    usable = isinstance(given, int) and not isinstance(given, bool) and given > 0
    return (given if usable else HEARTBEAT_SECONDS) * 1000  # type: ignore[operator]


def _lost(seen: Connection, now: int, random: float) -> Stepped:
    if seen.next is not None and seen.next.phase is not Phase.WAITING:
        return _adopted(seen, seen.next)
    failures = seen.current.failures if isinstance(seen.current, Attempt) else 0
    waiting = failed(failures, now, random)
    return replace(seen, current=waiting, next=None), [Enter("offline")]


def _adopted(seen: Connection, following: Attempt) -> Stepped:
    # Its failures so far were counted beside a socket that stood; the next one is a first loss.
    adopted = replace(seen, current=replace(following, failures=0), next=None)
    return adopted, [Adopt(), Enter("offline"), Enter("connecting")]


def _expired(seen: Connection) -> Stepped:
    if seen.next is None or seen.next.phase is Phase.WAITING:
        return _signed_out(seen, [Close()])
    adopted, outputs = _adopted(seen, seen.next)
    return adopted, [Close(), *outputs]


def _signed_out(seen: Connection, closes: list[Output]) -> Stepped:
    old: list[Output] = [] if seen.old_due is None else [Close("old")]
    return _idle(seen), [*closes, *old, Enter("offline"), SignIn()]


def _tick(seen: Connection, now: int, random: float) -> Stepped:
    seen, drained = redial.drain_due(seen, now)
    seen, own = _current_due(seen, now, random)
    seen, following = redial.next_due(seen, now, random)
    return seen, [*drained, *own, *following]


def _current_due(seen: Connection, now: int, random: float) -> Stepped:
    match seen.current:
        case Attempt(Phase.WAITING, at, failures) if now >= at:
            return _dial(seen, failures, now)
        case Attempt(_, at) if now >= at:
            lost, outputs = _lost(seen, now, random)
            return lost, [Close(), *outputs]
        case Online(beat, at) as online if at is not None and now >= at:
            pinged = replace(online, heartbeat_due=now + beat)
            return replace(seen, current=pinged), [Send({"type": "ping"})]
        case _:
            return seen, []


def _stop(seen: Connection) -> Stepped:
    mine: list[Output] = [Close()] if _has_socket(seen.current) else []
    following: list[Output] = [Close("next")] if _has_socket(seen.next) else []
    old: list[Output] = [] if seen.old_due is None else [Close("old")]
    told: list[Output] = [Enter("offline")] if mine else []
    return _idle(seen), [*mine, *following, *old, *told]


def _idle(seen: Connection) -> Connection:
    return Connection(heartbeats=seen.heartbeats, span=seen.span)


def _has_socket(socket: Attempt | Online | None) -> bool:
    return socket is not None and not _is(socket, Phase.WAITING)


def _is(socket: Attempt | Online | None, phase: Phase) -> bool:
    return isinstance(socket, Attempt) and socket.phase is phase
