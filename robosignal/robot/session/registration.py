"""How the server comes to know the robot, and goes on knowing it: register, renew, refresh.

`Registration` is one value: its phase says what is due next, and each phase is made by its
constructor, so nothing of an earlier one is left in it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import assert_never

from robosignal.protocol.frames import Error, IceServersReply, Pong, Registered, Replaced
from robosignal.protocol.ids import InstanceId, RobotId
from robosignal.protocol.limits import IDLE_SECONDS
from robosignal.robot.frames import sanitize
from robosignal.robot.session.events import Action, Log, Quit, Redial, Send, UseIce

ANSWER_MS = 10_000
"""How long the answer to the first `register` may take before it is sent again.

The second one's may take twice as long, and all others' three times: API Gateway gives a route
29 s (quota "Integration timeout"), so even a server that is very slow is understood.
"""
LONGEST_ANSWER = 3

UNANSWERED_REGISTERS = 4
"""After this many `register`s in a row without a readable reply, another socket is tried."""

UNANSWERED_HEARTBEATS = 3
"""The same for heartbeats: a server that is there answers each ping."""

SHORTEST_PAUSE_MS = 1_000
LONGEST_PAUSE_MS = 60_000
"""A server that does not know the robot is asked to register it at once, and then after pauses
that double, up to this: two devices of one id would push each other out without end.
"""

SHORTEST_REFRESH_MS = 60_000
LONGEST_REFRESH_MS = 24 * 60 * 60 * 1000

EARLY_PING_MS = 5_000
"""A ping that goes ahead of its time follows any other by this, in ms, at least.

While the fence stays as it is, the pause doubles each time, up to the heartbeat: the server has
been asked, and did not say that the refused session drives.
"""

SHORTEST_REFUSAL_MS = 60_000
LONGEST_REFUSAL_MS = 300_000
"""A robot whose key the server no longer registers asks again after pauses that double."""

TRANSIENT = frozenset({"try_again", "internal", "rate_limited", "peer_gone"})
"""Errors that say nothing about this robot: the same message may succeed later."""

KEY_ERRORS = frozenset({"forbidden", "unauthorized", "owned_by_another"})
"""Errors after which a robot with a key of its own stays."""

SENTENCE_CHARACTERS = 200
"""How much of the server's own sentence the log shows."""

REPLACED = "replaced"
"""The code of `Quit` when another device has registered the same id."""

ADVICE = {
    "owned_by_another": (
        "another user owns this id: choose another robot id, or use a token of its owner's"
    ),
    "forbidden": (
        "use its owner's token, or have its owner make a code and enrol it: "
        "robosignal robot enroll URL CODE"
    ),
    "not_registered": (
        "a newer connection has registered it, so two devices have one id: stop one of them, "
        "or give it another robot id"
    ),
    "unauthorized": "the server does not know this connection: sign in again for a new token",
}
"""What to do when the server does not register the robot, by the error's code."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Who the robot is: its id, the id of this run of it, and what lists show of it.

    `by_key` if it connects by a key of its own, and not by a person's token.
    """

    robot_id: RobotId
    instance_id: InstanceId
    metadata: Mapping[str, str] = field(default_factory=dict)
    by_key: bool = False


@dataclass(frozen=True, slots=True)
class Unregistered:
    """The server does not know the robot, and nothing is due."""


@dataclass(frozen=True, slots=True)
class Registering:
    """`register` was sent. It is sent again at `due`, in ms.

    `attempt` counts those in a row without an answer. `is_repeat` if the robot has been
    registered on this connection before.
    """

    due: int
    attempt: int = 1
    is_repeat: bool = False


@dataclass(frozen=True, slots=True)
class BackingOff:
    """The server has forgotten the robot. It registers again at `due`, in ms."""

    due: int


@dataclass(frozen=True, slots=True)
class Online:
    """The server knows the robot; `ping` renews that at `renewal_due`, in ms.

    `refresh_due` is when to ask for fresh ICE servers, None if those in use do not expire.
    """

    heartbeat_ms: int
    renewal_due: int
    refresh_due: int | None = None


Phase = Unregistered | Registering | BackingOff | Online


@dataclass(frozen=True, slots=True)
class Absence:
    """When the server last said that it does not know the robot, and the pause from then, in ms."""

    at: int
    pause_ms: int


@dataclass(frozen=True, slots=True)
class Pings:
    """The pings that were sent, and what a reply to one proves.

    `sent` counts them; each has an id of its own. `before_register` and `before_fence` are how
    many had been sent when the robot last registered, and when the fence last changed. `last_at`
    is when the last one went, None if none has, and `pause_ms` for how long from then none goes
    ahead of its time, 0 for the shortest. `unanswered` counts the heartbeats in a row without a
    reply that the robot can read.
    """

    sent: int = 0
    before_register: int = 0
    before_fence: int = 0
    last_at: int | None = None
    pause_ms: int = 0
    unanswered: int = 0

    @property
    def last_id(self) -> str:
        """The id of the last one."""
        return f"ping-{self.sent}"

    def is_current(self, reply_to: str | None) -> bool:
        """Whether this replies to the last ping, sent since the last `register`."""
        return self.sent > self.before_register and reply_to == self.last_id

    def proves(self, reply_to: str | None) -> bool:
        """Whether the ping that this replies to was sent since the fence last changed.

        What the reply says is then no older than what made the fence.
        """
        return self.sent > self.before_fence and reply_to == self.last_id

    def may_go_early(self, now: int) -> bool:
        """Whether one may go ahead of its time."""
        return self.last_at is None or now >= self.last_at + max(EARLY_PING_MS, self.pause_ms)

    def slow_down(self, heartbeat_ms: int) -> "Pings":
        """Return with a longer pause before the next one that goes ahead of its time."""
        return replace(self, pause_ms=min(max(EARLY_PING_MS, 2 * self.pause_ms), heartbeat_ms))

    def note_register(self) -> "Pings":
        """Return the pings after a `register`: replies to earlier ones are old news."""
        return replace(self, before_register=self.sent, unanswered=0)


@dataclass(frozen=True, slots=True)
class Registration:
    """The robot's registration. `registers` counts the `register` frames that were sent.

    Each of those has an id of its own, and only the last one's answer counts. `ice_until` is when
    the ICE servers expire, in ms; None: no end is known. `refusals` counts those in a row
    of a robot's own key.
    """

    identity: Identity
    phase: Phase = field(default_factory=Unregistered)
    registers: int = 0
    absence: Absence | None = None
    ice_until: int | None = None
    pings: Pings = field(default_factory=Pings)
    refusals: int = 0

    @property
    def is_registered(self) -> bool:
        """Whether the server knows the robot, on this connection."""
        return isinstance(self.phase, Online)

    @property
    def is_registering(self) -> bool:
        """Whether `register` is on its way, or its answer is."""
        return isinstance(self.phase, Registering)

    @property
    def register_id(self) -> str:
        """The id of the last `register`."""
        return f"register-{self.registers}"

    def awaits(self, frame: Registered | Error) -> bool:
        """Whether this replies to the last `register`, for the first time."""
        return self.is_registering and frame.reply_to == self.register_id

    def disconnect(self) -> "Registration":
        """Return the registration without a connection: nothing is due."""
        return replace(self, phase=Unregistered())

    def note_reply(self, reply: Pong | Error) -> "Registration":
        """Return after a reply, which may be one to a ping: then the server is there."""
        if not (reply.reply_to or "").startswith("ping-"):
            return self
        return replace(self, pings=replace(self.pings, unanswered=0))

    def note_fence(self) -> "Registration":
        """Return after a change of the fence: a ping may soon go ahead of its time again."""
        pings = replace(self.pings, before_fence=self.pings.sent, pause_ms=0)
        return replace(self, pings=pings)

    def has_stale_ice(self, now: int) -> bool:
        """Whether the ICE servers have expired, as after a sleep of the machine."""
        return self.ice_until is not None and now >= self.ice_until

    def due_times(self) -> list[int]:
        """Return the times at which `tick` has something to do, in ms."""
        match self.phase:
            case Unregistered():
                return []
            case Registering(due) | BackingOff(due):
                return [due]
            case Online(_, renewal_due, refresh_due):
                return [renewal_due, *([] if refresh_due is None else [refresh_due])]
            case other:
                assert_never(other)


Change = tuple[Registration, list[Action]]


def register(registration: Registration, now: int, attempt: int = 1) -> Change:
    """Send `register`, which makes any earlier one's answer worthless."""
    phase, identity = registration.phase, registration.identity
    is_repeat = isinstance(phase, Online | BackingOff) or (
        isinstance(phase, Registering) and phase.is_repeat
    )
    due = now + ANSWER_MS * min(attempt, LONGEST_ANSWER)
    changed = replace(
        registration,
        phase=Registering(due, attempt, is_repeat),
        registers=registration.registers + 1,
        pings=registration.pings.note_register(),
    )
    frame = {
        "type": "register",
        "id": changed.register_id,
        "robotId": identity.robot_id,
        "instanceId": identity.instance_id,
        "iceRestart": False,  # aiortc cannot: clients offer again under a new pcId
    }
    if identity.metadata:
        frame["metadata"] = dict(identity.metadata)
    return changed, [Send(frame)]


def register_again(registration: Registration, now: int) -> Change:
    """Register since the server does not know the robot: at once, or after a pause."""
    absence = registration.absence
    if absence is None or now >= absence.at + 2 * LONGEST_PAUSE_MS:
        return register(replace(registration, absence=Absence(now, SHORTEST_PAUSE_MS)), now)
    due = max(now, absence.at + absence.pause_ms)
    longer = Absence(due, min(2 * absence.pause_ms, LONGEST_PAUSE_MS))
    if due == now:
        return register(replace(registration, absence=longer), now)
    return replace(registration, absence=longer, phase=BackingOff(due)), []


def is_reply_to_own(error: Error) -> bool:
    """Whether this replies to a `register` or a `ping`, even to an old one."""
    kind, _, number = (error.reply_to or "").partition("-")
    return kind in {"register", "ping"} and number.isdecimal()


def go_online(registration: Registration, frame: Registered, now: int) -> Change:
    """Renew from now on, and refresh the ICE servers if they expire."""
    is_repeat = isinstance(registration.phase, Registering) and registration.phase.is_repeat
    heartbeat_ms = min(max(1, frame.heartbeat_seconds), IDLE_SECONDS // 2) * 1000
    phase = Online(heartbeat_ms, renewal_due=now + heartbeat_ms)
    changed = replace(registration, phase=phase, ice_until=None, refusals=0)
    log = Log("registered again" if is_repeat else "online")
    actions: list[Action] = [log, UseIce(frame.ice_servers)]
    if frame.turn or any("credential" in server for server in frame.ice_servers):
        # `registered` does not say how long the credentials serve; `ice-servers` does.
        actions.append(request_ice(registration))
    return changed, actions


def request_ice(registration: Registration) -> Send:
    """Return the request for fresh ICE servers."""
    return Send({"type": "ice-servers", "robotId": registration.identity.robot_id})


def use_ice(registration: Registration, frame: IceServersReply, now: int) -> Change:
    """Use the new ICE servers, and ask again well before they expire."""
    refresh_ms = min(max(SHORTEST_REFRESH_MS, frame.ttl_seconds * 750), LONGEST_REFRESH_MS)
    phase = registration.phase
    if isinstance(phase, Online):
        phase = replace(phase, refresh_due=now + refresh_ms)
    until = now + frame.ttl_seconds * 1000
    return replace(registration, phase=phase, ice_until=until), [UseIce(frame.ice_servers)]


def handle_replaced(registration: Registration, frame: Replaced) -> Change:
    """Give up if another process has this id: each would push the other out for ever."""
    if frame.instance_id == registration.identity.instance_id:
        return registration, []
    text = (
        f"two devices have the id {registration.identity.robot_id}: another one has just "
        "registered it. Stop one of them, or give it another robot id"
    )
    return registration.disconnect(), [Quit(REPLACED, text)]


def handle_error(registration: Registration, error: Error, now: int) -> Change:
    """React to an error that answers the last `register`, or a `ping` sent since."""
    is_forgotten = error.code == "not_registered" and registration.pings.is_current(error.reply_to)
    if registration.is_registered and is_forgotten:
        return register_again(registration, now)
    if not registration.awaits(error):
        return registration, []
    if error.code in TRANSIENT:
        return registration, [Log(f"not registered yet: {sanitize(error.code)}, tries again")]
    if registration.identity.by_key and error.code in KEY_ERRORS:
        return _await_owner(registration, error, now)
    advice = ADVICE.get(error.code) or sanitize(error.message) or sanitize(error.code)
    if error.code == "forbidden" and error.message:
        advice = f"{sanitize(error.message, SENTENCE_CHARACTERS)}; {advice}"
    text = f"the server does not register {registration.identity.robot_id}: {advice}"
    return registration.disconnect(), [Quit(error.code, text)]


def _await_owner(registration: Registration, error: Error, now: int) -> Change:
    """Stay, and ask again after a long pause: the robot's owner may let its key in again."""
    refusals = registration.refusals + 1
    pause = min(SHORTEST_REFUSAL_MS * 2 ** min(registration.refusals, 3), LONGEST_REFUSAL_MS)
    log = Log(
        f"not registered: {sanitize(error.message, SENTENCE_CHARACTERS)}; "
        f"asks again in {pause // 1000} s"
    )
    if error.code == "unauthorized":
        return registration.disconnect(), [Redial("the server does not know this connection")]
    waiting = replace(registration, phase=BackingOff(now + pause), refusals=refusals)
    return waiting, [log]


def ping_early(registration: Registration, now: int) -> Change:
    """Ping ahead of time, if that is allowed yet: the answer says who drives."""
    phase, pings = registration.phase, registration.pings
    if not isinstance(phase, Online) or not pings.may_go_early(now):
        return registration, []
    slower = replace(registration, pings=pings.slow_down(phase.heartbeat_ms))
    return _ping(slower, phase, now)


def _ping(registration: Registration, phase: Online, now: int) -> Change:
    pings = replace(registration.pings, sent=registration.pings.sent + 1, last_at=now)
    frame = {"type": "ping", "id": pings.last_id, "robotId": registration.identity.robot_id}
    renewed = replace(phase, renewal_due=now + phase.heartbeat_ms)
    return replace(registration, phase=renewed, pings=pings), [Send(frame)]


def tick(registration: Registration, now: int) -> Change:
    """Do what is due."""
    match registration.phase:
        case BackingOff(due) if now >= due:
            return register(registration, now)
        case Registering(due, attempt) if now >= due:
            if attempt >= UNANSWERED_REGISTERS:
                return registration.disconnect(), [Redial("the server does not answer `register`")]
            return register(registration, now, attempt + 1)
        case Online() as online:
            return _renew(registration, online, now)
        case _:
            return registration, []


def _renew(registration: Registration, phase: Online, now: int) -> Change:
    actions: list[Action] = []
    if now >= phase.renewal_due:
        if registration.pings.unanswered >= UNANSWERED_HEARTBEATS:
            return registration.disconnect(), [Redial("the server answers no heartbeat")]
        pings = replace(registration.pings, unanswered=registration.pings.unanswered + 1)
        registration, actions = _ping(replace(registration, pings=pings), phase, now)
    return _refresh(registration, actions, now)


def _refresh(registration: Registration, actions: list[Action], now: int) -> Change:
    phase = registration.phase
    if not isinstance(phase, Online) or phase.refresh_due is None or now < phase.refresh_due:
        return registration, actions
    later = replace(phase, refresh_due=now + SHORTEST_REFRESH_MS)
    return replace(registration, phase=later), [*actions, request_ice(registration)]
