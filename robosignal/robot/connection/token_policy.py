"""What follows when the server refuses the token: ask anew, at once or later, or give up.

Knows when a token was accepted, until when, and since when none is; never a token or a socket.
The connection's logic runs inside: this is all that a shell calls.
"""

from dataclasses import dataclass, field, replace

from robosignal.robot.connection import machine, state
from robosignal.robot.connection.events import (
    Enter,
    Event,
    FrameCame,
    Output,
    SignIn,
    Start,
    Stop,
    Swap,
    Tick,
    Wake,
)
from robosignal.robot.connection.state import Connection, Online, wait_ms

NEVER_ACCEPTED = "the token is refused or expired: sign in again, and pass the new --token"
ENDED = "the token has expired: sign in again, and pass the new --token"


@dataclass(frozen=True, slots=True)
class Say:
    """Something that whoever reads the log should know."""

    text: str


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Nothing is dialled any more. The text says why, and what to do."""

    text: str


@dataclass(frozen=True, slots=True)
class Admission:
    """A connection and what is known of its token; times in ms of the connection's clock.

    `until` is when the accepted token ends, None if that is not known. `welcomed` is when it was
    accepted, None once one is refused. `refused` is since when none has been accepted, `count`
    how often since a connection that lasted, `asks` when to try again.
    """

    connection: Connection = field(default_factory=Connection)
    renewable: bool = False
    accepted: bool = False
    until: int | None = None
    welcomed: int | None = None
    refused: int | None = None
    count: int = 0
    asks: int | None = None

    @property
    def online(self) -> bool:
        """Whether a connection stands."""
        return isinstance(self.connection.current, Online)


Told = Output | Say | GiveUp
Stepped = tuple[Admission, list[Told]]


def step(seen: Admission, event: Event, now: int, random: float) -> Stepped:
    """Return what is known after `event` and what to do, as `connection.step` does.

    No `SignIn` comes out: it is answered in here, by a later dial or by `GiveUp`.
    """
    after, told = _stepped(seen, event, now, random)
    at = due(after)
    if at is not None and (at != due(seen) or isinstance(event, Tick)):
        told = [*told, Wake(at)]
    return after, told


def due(seen: Admission) -> int | None:
    """Return the earliest time at which something is due."""
    times = (state.due(seen.connection), seen.asks)
    return min((at for at in times if at is not None), default=None)


def _stepped(seen: Admission, event: Event, now: int, random: float) -> Stepped:
    asked: list[Told] = []
    if isinstance(event, Tick) and seen.asks is not None and now >= seen.asks:
        seen, asked = _passed(replace(seen, asks=None), Start(), now, random)
    if isinstance(event, Stop):
        seen = replace(seen, asks=None)
    seen, told = _passed(seen, event, now, random)
    return seen, [*asked, *told]


def _passed(seen: Admission, event: Event, now: int, random: float) -> Stepped:
    """Pass an event to the connection; its timer is not its own, for there is but one."""
    after, outputs = machine.step(seen.connection, event, now, random)
    seen = replace(seen, connection=after)
    told: list[Told] = [output for output in outputs if not isinstance(output, Wake | SignIn)]
    if isinstance(event, FrameCame) and (Enter("online") in outputs or Swap() in outputs):
        seen = _accepted(seen, event.frame.get("expiresAt"), now)
    if SignIn() in outputs:
        seen, answer = _refused(seen, now, random, ended=isinstance(event, FrameCame))
        told.append(answer)
    return seen, told


def _accepted(seen: Admission, expires: object, now: int) -> Admission:
    # An end before its own welcome says that a clock is wrong, as `redial_at` has it.
    known = isinstance(expires, int) and not isinstance(expires, bool) and expires > now
    until = int(expires) if known else None  # type: ignore[call-overload]
    return replace(seen, accepted=True, until=until, welcomed=now, refused=None, asks=None)


def _refused(
    seen: Admission, now: int, random: float, *, ended: bool
) -> tuple[Admission, Say | GiveUp]:
    lasted = seen.welcomed is not None and _lasted(seen, now - seen.welcomed)
    since = now if seen.refused is None else seen.refused
    count = 1 if lasted else seen.count + 1
    seen = replace(seen, welcomed=None, refused=since, count=count, asks=None)
    over = _over(seen, now - since, now, ended=ended)
    if over is not None:
        return seen, _resigned(seen, over)
    wait = _wait_ms(seen, random)
    return replace(seen, asks=now + wait), Say(_hopeful(seen, wait, ended=ended))


def _lasted(seen: Admission, online_ms: int) -> bool:
    # A token that outlives this is followed in time, so one that does not would end in a loop.
    return online_ms >= seen.connection.span.shortest_ms


def _over(seen: Admission, refused_ms: int, now: int, *, ended: bool) -> str | None:
    """Return why no token will do any more; None while there is hope.

    A server may refuse a good token for some time: its issuer was configured wrongly, or
    publishes a new key late. So what it has accepted before is tried again.
    """
    if not seen.accepted:
        return NEVER_ACCEPTED
    if seen.renewable and seen.count == 1:
        return None
    if not seen.renewable and (ended or (seen.until is not None and now >= seen.until)):
        return ENDED
    if refused_ms < seen.connection.span.patience_ms:
        return None
    seconds = refused_ms // 1000
    return (
        f"the token was accepted before, and has been refused for {seconds} s now: "
        "sign in again, and pass the new --token"
    )


def _resigned(seen: Admission, why: str) -> Say | GiveUp:
    if seen.online:
        return Say("a new connection is refused the token: this one goes on until it ends")
    return GiveUp(why)


def _wait_ms(seen: Admission, random: float) -> int:
    if not seen.renewable:
        return wait_ms(seen.count, random)
    # A new token is worth one dial at once, but not when the last one has done no good.
    return 0 if seen.count == 1 else wait_ms(seen.count - 1, random)


def _hopeful(seen: Admission, wait: int, *, ended: bool) -> str:
    what = "cannot redial yet" if seen.online else "offline"
    why = "has ended" if ended else "is refused"
    then = "asks for a new one" if seen.renewable else "dials again"
    when = f" in {wait / 1000:.1f} s" if wait else ""
    return f"{what}: the token {why}; {then}{when}"
