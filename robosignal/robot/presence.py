"""How the robot becomes and stays known to the server: register, renew, refresh, give up.

Knows the times at which each is due; never sessions, peers, or who drives.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from robosignal.protocol.frames import Error, IceServersReply, Pong, Registered, Replaced
from robosignal.protocol.ids import InstanceId, RobotId
from robosignal.protocol.limits import HEARTBEAT_SECONDS, IDLE_SECONDS
from robosignal.robot import pings
from robosignal.robot.actions import Action, Log, Quit, Redial, Send, UseIce
from robosignal.robot.frames import plain
from robosignal.robot.pings import Pings

ANSWER_MS = 10_000
"""How long the answer to the first `register` may take before it is given up and sent again.

The second one's may take twice as long, all others' thrice: API Gateway gives a route 29 s
(quota "Integration timeout"), so a server that is slow beyond reason is understood all the same.
"""
PATIENCE = 3

MUTE_REGISTERS = 4
"""After this many `register`s in a row without a readable reply, another socket is tried."""

MUTE_HEARTBEATS = 3
"""The same for heartbeats: a server that is there answers each ping."""

SHORTEST_PAUSE_MS = 1_000
LONGEST_PAUSE_MS = 60_000
"""Of a server that does not know the robot, registration is asked at once, and then after pauses
that double, to this at most: two devices of one id would push each other out without end.
"""

SHORTEST_REFRESH_MS = 60_000
LONGEST_REFRESH_MS = 24 * 60 * 60 * 1000

PASSING = frozenset({"try_again", "internal", "rate_limited", "peer_gone"})
"""Errors that say nothing about this robot: the same message may succeed later."""

NEXT_STEP = {
    "owned_by_another": (
        "another user owns this id: choose another --robot-id, or use a token of its owner's"
    ),
    "forbidden": (
        "this user may not register it: use its owner's token, or ask who runs the deployment"
    ),
    "not_registered": (
        "a newer connection has registered it, so two devices bear one id: stop one of them, "
        "or give it another --robot-id"
    ),
    "unauthorized": "the server does not know this connection: sign in again for a new token",
}


@dataclass(frozen=True, slots=True)
class Presence:
    """What is due when, in ms; None where nothing is.

    `asked` counts `register`s: each has an id of its own, and the last one's answer alone is
    taken. `tries` counts those in a row that nobody answered.
    `again` from a registration that another one follows while the connection stands.
    `absent_at` is when the server last said that it does not know the robot, None if never, and
    `pause_ms` for how long from then registration is not asked again; `again_due` is when it is.
    `ice_until` is when the ICE servers cease to serve; None: no end is known.
    """

    robot_id: RobotId
    instance_id: InstanceId
    metadata: Mapping[str, str] = field(default_factory=dict)
    heartbeat_ms: int = HEARTBEAT_SECONDS * 1000
    registered: bool = False
    asked: int = 0
    tries: int = 0
    again: bool = False
    absent_at: int | None = None
    pause_ms: int = 0
    again_due: int | None = None
    register_due: int | None = None
    renewal_due: int | None = None
    refresh_due: int | None = None
    ice_until: int | None = None
    pings: Pings = field(default_factory=Pings)


Changed = tuple[Presence, list[Action]]


def register(seen: Presence, now: int, tries: int = 1) -> Changed:
    """Ask for presence, giving up what was asked before; repeated while nobody answers it."""
    # A ping belongs to one registration: what is replied to it after the next one is old news.
    gone = replace(pings.heard(seen.pings), before_register=seen.pings.sent)
    asking = replace(offline(seen), asked=seen.asked + 1, tries=tries, pings=gone)
    frame = {
        "type": "register",
        "id": _register_id(asking),
        "robotId": seen.robot_id,
        "instanceId": seen.instance_id,
        "iceRestart": False,  # aiortc cannot: clients offer anew under a new pcId
    }
    if seen.metadata:
        frame["metadata"] = dict(seen.metadata)
    due = now + ANSWER_MS * min(tries, PATIENCE)
    again = seen.registered or seen.again
    return replace(asking, register_due=due, again=again), [Send(frame)]


def register_again(seen: Presence, now: int) -> Changed:
    """Register again since the server does not know the robot: at once, or after a pause."""
    if seen.absent_at is None or now >= seen.absent_at + 2 * LONGEST_PAUSE_MS:
        return register(replace(seen, absent_at=now, pause_ms=SHORTEST_PAUSE_MS), now)
    due = max(now, seen.absent_at + seen.pause_ms)
    longer = min(2 * seen.pause_ms, LONGEST_PAUSE_MS)
    slower = replace(seen, absent_at=due, pause_ms=longer)
    if due == now:
        return register(slower, now)
    return replace(offline(slower), again=True, again_due=due), []


def _register_id(seen: Presence) -> str:
    return f"register-{seen.asked}"


def is_awaited(seen: Presence, frame: Registered | Error) -> bool:
    """Whether this replies to the last `register`, for the first time."""
    return asks(seen) and frame.reply_to == _register_id(seen)


def is_own(error: Error) -> bool:
    """Whether this replies to a `register` or a `ping`, be it an old one."""
    of, _, number = (error.reply_to or "").partition("-")
    return of in {"register", "ping"} and number.isdecimal()


def asks(seen: Presence) -> bool:
    """Whether `register` is on its way, or its answer is."""
    return seen.register_due is not None


def registered(seen: Presence, frame: Registered, now: int) -> Changed:
    """Renew from now on, and refresh the ICE servers if they expire."""
    heartbeat_ms = min(max(1, frame.heartbeat_seconds), IDLE_SECONDS // 2) * 1000
    online = replace(
        offline(seen),
        registered=True,
        heartbeat_ms=heartbeat_ms,
        renewal_due=now + heartbeat_ms,
        ice_until=None,
    )
    said = "registered again" if seen.again else "online"
    actions: list[Action] = [Log(said), UseIce(frame.ice_servers)]
    if frame.turn or any("credential" in server for server in frame.ice_servers):
        # `registered` does not say how long the credentials serve; `ice-servers` does.
        actions.append(Send(ask_for_ice(seen)))
    return online, actions


def ask_for_ice(seen: Presence) -> dict[str, object]:
    """Return what asks for fresh ICE servers."""
    return {"type": "ice-servers", "robotId": seen.robot_id}


def refreshed(seen: Presence, frame: IceServersReply, now: int) -> Changed:
    """Use the new ICE servers, and ask again well before they expire."""
    refresh_ms = min(max(SHORTEST_REFRESH_MS, frame.ttl_seconds * 750), LONGEST_REFRESH_MS)
    until = now + frame.ttl_seconds * 1000
    fresh = replace(seen, refresh_due=now + refresh_ms, ice_until=until)
    return fresh, [UseIce(frame.ice_servers)]


def stale(seen: Presence, now: int) -> bool:
    """Whether the ICE servers have ceased to serve, as after a sleep of the machine."""
    return seen.ice_until is not None and now >= seen.ice_until


def offline(seen: Presence) -> Presence:
    """Nothing is due without a registration."""
    return replace(
        seen,
        registered=False,
        again=False,
        again_due=None,
        register_due=None,
        renewal_due=None,
        refresh_due=None,
    )


def replaced(seen: Presence, frame: Replaced) -> Changed:
    """Give up if another process bears this id: whoever redials would push the other out."""
    if frame.instance_id == seen.instance_id:
        return seen, []
    return offline(seen), [
        Quit(
            f"two devices bear the id {seen.robot_id}: another one has just registered it. "
            "Stop one of them, or give it another --robot-id"
        )
    ]


def refused(seen: Presence, error: Error, now: int) -> Changed:
    """React to an error that answers the last `register` or a `ping` since."""
    if seen.registered and _tells_of_absence(seen, error):
        return register_again(seen, now)
    if not is_awaited(seen, error):
        return seen, []
    if error.code in PASSING:
        return seen, [Log(f"not registered yet: {plain(error.code)}, tries again")]
    step = NEXT_STEP.get(error.code) or plain(error.message) or plain(error.code)
    return offline(seen), [Quit(f"the server does not register {seen.robot_id}: {step}")]


def heard(seen: Presence, reply: Pong | Error) -> Presence:
    """Return with a reply to a ping noted, be it an old one: the server is there."""
    is_pings = (reply.reply_to or "").startswith("ping-")
    return replace(seen, pings=pings.heard(seen.pings)) if is_pings else seen


def _tells_of_absence(seen: Presence, error: Error) -> bool:
    return error.code == "not_registered" and pings.is_current(seen.pings, error.reply_to)


def ping_early(seen: Presence, now: int) -> Changed:
    """Ping ahead of time, if that may be: the answer says who drives."""
    if not seen.registered or not pings.may_go_early(seen.pings, now):
        return seen, []
    return _pinged(replace(seen, pings=pings.slower(seen.pings, seen.heartbeat_ms)), now)


def _pinged(seen: Presence, now: int) -> Changed:
    sent = pings.sent(seen.pings, now)
    frame = {"type": "ping", "id": pings.last_id(sent), "robotId": seen.robot_id}
    return replace(seen, pings=sent, renewal_due=now + seen.heartbeat_ms), [Send(frame)]


def tick(seen: Presence, now: int) -> Changed:
    """Do what is due."""
    actions: list[Action] = []
    if seen.again_due is not None and now >= seen.again_due:
        return register(seen, now)
    if seen.register_due is not None and now >= seen.register_due:
        if seen.tries >= MUTE_REGISTERS:
            return offline(seen), [Redial("the server does not answer `register`")]
        return register(seen, now, seen.tries + 1)
    if seen.renewal_due is not None and now >= seen.renewal_due:
        if seen.pings.unheard >= MUTE_HEARTBEATS:
            return offline(seen), [Redial("the server answers no heartbeat")]
        seen, actions = _pinged(replace(seen, pings=pings.unheard(seen.pings)), now)
    if seen.refresh_due is not None and now >= seen.refresh_due:
        actions.append(Send(ask_for_ice(seen)))
        seen = replace(seen, refresh_due=now + SHORTEST_REFRESH_MS)
    return seen, actions


def dues(seen: Presence) -> list[int]:
    """Return the times at which `tick` has something to do."""
    due = (seen.again_due, seen.register_due, seen.renewal_due, seen.refresh_due)
    return [at for at in due if at is not None]
