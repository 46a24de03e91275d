"""What follows when the server refuses the token: ask for another, at once or later, or give up.

The connection machine runs inside: this is all that the redialer calls.
"""

from dataclasses import dataclass, field, replace
from typing import Literal

from robosignal.robot.connection import machine
from robosignal.robot.connection import state as connection_state
from robosignal.robot.connection.events import (
    Enter,
    Event,
    FrameReceived,
    Output,
    SignIn,
    Start,
    Stop,
    Swap,
    Tick,
    Wake,
)
from robosignal.robot.connection.state import (
    LONGEST_WAIT_MS,
    ConnectionState,
    read_expiry,
    wait_ms,
)

Reason = Literal["never-accepted", "expired", "refused"]
"""Why no token is of use any more: the server has never accepted one; the one it accepted has
ended; or it has refused for some time what it accepted before.
"""


LONGEST_KEY_WAIT_MS = 300_000
"""The longest pause between two dials with a key that the server refuses."""

FIRST_HINT = 2
"""The refusal after which the log says what may be wrong: the first may be due to the clock."""

KEY_HINT = (
    ". It may wait for its owner's approval, be revoked, or not be enrolled there; "
    "or the URL is not written as the server expects it"
)


@dataclass(frozen=True, slots=True)
class Report:
    """A sentence for the log."""

    text: str


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Nothing is dialled any more: why, and for how long tokens have been refused, in ms."""

    reason: Reason
    refused_ms: int = 0


@dataclass(frozen=True, slots=True)
class Acceptance:
    """When the server last accepted a token, and that token's end if it is known, in ms."""

    at: int
    until: int | None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Since when no token has been accepted, and when to try again, in ms."""

    since: int
    retry_due: int | None = None


@dataclass(frozen=True, slots=True)
class TokenPolicy:
    """A connection, and what is known of its token.

    `is_renewable` if a new token can be asked for. `by_key` if the robot signs each with a key of
    its own: then a refusal never ends it, since its owner may let the key in later. `accepted` is
    the last acceptance, `refused` is None unless a refusal came after it, and `refusals` counts
    those since a connection that lasted.
    """

    connection: ConnectionState = field(default_factory=ConnectionState)
    is_renewable: bool = False
    by_key: bool = False
    accepted: Acceptance | None = None
    refused: Refusal | None = None
    refusals: int = 0


Step = tuple[TokenPolicy, list[Output | Report | GiveUp]]


def step(policy: TokenPolicy, event: Event, now: int, random: float) -> Step:
    """Return the state after `event` and what to do, as `machine.step` does.

    `SignIn` never comes out: a later dial or `GiveUp` takes its place.
    """
    after, outputs = _step(policy, event, now, random)
    at = next_due(after)
    if at is not None and (at != next_due(policy) or isinstance(event, Tick)):
        outputs = [*outputs, Wake(at)]
    return after, outputs


def next_due(policy: TokenPolicy) -> int | None:
    """Return the earliest time at which something is due, in ms; None if nothing is."""
    retry_due = None if policy.refused is None else policy.refused.retry_due
    times = (connection_state.next_due(policy.connection), retry_due)
    return min((at for at in times if at is not None), default=None)


def _step(policy: TokenPolicy, event: Event, now: int, random: float) -> Step:
    retries: list[Output | Report | GiveUp] = []
    retry_due = None if policy.refused is None else policy.refused.retry_due
    if isinstance(event, Tick) and retry_due is not None and now >= retry_due:
        policy, retries = _pass(_cancel_retry(policy), Start(), now, random)
    if isinstance(event, Stop):
        policy = _cancel_retry(policy)
    policy, outputs = _pass(policy, event, now, random)
    return policy, [*retries, *outputs]


def _cancel_retry(policy: TokenPolicy) -> TokenPolicy:
    if policy.refused is None:
        return policy
    return replace(policy, refused=Refusal(policy.refused.since))


def _pass(policy: TokenPolicy, event: Event, now: int, random: float) -> Step:
    """Pass an event to the connection, without its timer, since there is only one."""
    connection, inner = machine.step(policy.connection, event, now, random)
    policy = replace(policy, connection=connection)
    outputs: list[Output | Report | GiveUp] = [
        output for output in inner if not isinstance(output, Wake | SignIn)
    ]
    if isinstance(event, FrameReceived) and (Enter("online") in inner or Swap() in inner):
        until = read_expiry(event.frame.get("expiresAt"), now)
        policy = replace(policy, accepted=Acceptance(now, until), refused=None)
    if SignIn() in inner:
        policy, answer = _refuse(policy, now, random, has_ended=isinstance(event, FrameReceived))
        outputs.append(answer)
    return policy, outputs


def _refuse(
    policy: TokenPolicy, now: int, random: float, *, has_ended: bool
) -> tuple[TokenPolicy, Report | GiveUp]:
    since = now if policy.refused is None else policy.refused.since
    refusals = 1 if _has_lasted(policy, now) else policy.refusals + 1
    policy = replace(policy, refused=Refusal(since), refusals=refusals)
    reason = _find_reason(policy, now - since, now, has_ended=has_ended)
    if reason is not None:
        return policy, _resign(policy, GiveUp(reason, now - since))
    wait = _wait_ms(policy, random)
    report = Report(_describe_retry(policy, wait, has_ended=has_ended))
    return replace(policy, refused=Refusal(since, now + wait)), report


def _has_lasted(policy: TokenPolicy, now: int) -> bool:
    # A token that outlives this is followed in time, so one that does not would end in a loop.
    if policy.accepted is None or policy.refused is not None:
        return False
    return now - policy.accepted.at >= policy.connection.timing.shortest_ms


def _find_reason(
    policy: TokenPolicy, refused_ms: int, now: int, *, has_ended: bool
) -> Reason | None:
    """Return why no token is of use any more; None while one may still be accepted.

    A server may refuse a good token for some time: its issuer was configured wrongly, or
    publishes a new key late. So what it has accepted before is tried again.
    """
    if policy.by_key:
        return None
    if policy.accepted is None:
        return "never-accepted"
    if policy.is_renewable and policy.refusals == 1:
        return None
    until = policy.accepted.until
    if not policy.is_renewable and (has_ended or (until is not None and now >= until)):
        return "expired"
    return "refused" if refused_ms >= policy.connection.timing.patience_ms else None


def _resign(policy: TokenPolicy, give_up: GiveUp) -> Report | GiveUp:
    if policy.connection.is_online:
        return Report("the token is refused for a new connection: the current one goes on")
    return give_up


def _wait_ms(policy: TokenPolicy, random: float) -> int:
    if not policy.is_renewable:
        return wait_ms(policy.refusals, random)
    # A new token is worth one dial at once, but not when the last one has done no good.
    longest = LONGEST_KEY_WAIT_MS if policy.by_key else LONGEST_WAIT_MS
    return 0 if policy.refusals == 1 else wait_ms(policy.refusals - 1, random, longest)


def _describe_retry(policy: TokenPolicy, wait: int, *, has_ended: bool) -> str:
    what = "cannot redial yet" if policy.connection.is_online else "offline"
    if policy.by_key:
        return f"{what}: {_describe_key(policy, wait, has_ended=has_ended)}"
    why = "has ended" if has_ended else "is refused"
    then = "asks for a new one" if policy.is_renewable else "dials again"
    return f"{what}: the token {why}; {then}{_describe_wait(wait)}"


def _describe_key(policy: TokenPolicy, wait: int, *, has_ended: bool) -> str:
    if has_ended:
        return f"its assertion is used up; signs a new one{_describe_wait(wait)}"
    hint = KEY_HINT if policy.refusals == FIRST_HINT else ""
    return f"the server refuses its key; dials again{_describe_wait(wait)}{hint}"


def _describe_wait(wait: int) -> str:
    return f" in {wait / 1000:.1f} s" if wait else ""
