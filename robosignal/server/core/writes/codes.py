"""Writes to the items of codes and invitations: making one, and taking a use of it.

A use is taken, then what it is for is done, then the use is completed. Until then its taker may
take it again, which costs no further use: so what was cut off is repeated.
"""

from typing import Any

import msgspec

from robosignal.server.core.conditional_writes import (
    AllOf,
    AnyOf,
    Compare,
    Missing,
    Put,
    Size,
    Write,
)
from robosignal.server.core.records import Code, Invitation, Robot

CODE_HASH = ("codeHash",)
TAKERS = ("takers",)
EXPIRES_AT = ("expiresAt",)

DONE = ""
"""What a completed use is for: no key's id is empty."""


def create(code: Code | Invitation) -> Write:
    """Store a new code or invitation."""
    item: dict[str, Any] = {**msgspec.to_builtins(code), "takers": {}}
    then = tuple(Put((name,), value) for name, value in item.items())
    return Write("create_code", Missing(CODE_HASH), then)


def take_use(
    taker: str, aim: str, code: Code | Invitation, now: int, held: str | None = None
) -> Write:
    """Note that a robot or user takes a use, and for what: each takes one once.

    `aim`: the id of the robot's key, which is the only one that it may let in; for a user,
    `aim_at_share`. `held`: another aim of a use of the taker's, which this one may replace.
    """
    path = ("takers", taker)
    room = AllOf((Missing(path), Size(TAKERS, "<", code.uses)))
    own = tuple(Compare(path, "=", each) for each in (aim, held) if each is not None)
    when = AllOf((Compare(EXPIRES_AT, ">", now), AnyOf((*own, room))))
    return Write("take_use", when, (Put(path, aim),))


def complete_use(taker: str, aim: str) -> Write:
    """Note that it is done: what is ended after that does not come back by the same code."""
    path = ("takers", taker)
    return Write("complete_use", Compare(path, "=", aim), (Put(path, DONE),))


def aim_at_share(robot: Robot) -> str:
    """Return what a user takes a use of an invitation for: a share of the robot as it was read."""
    return f"share:{robot.shares_changed}"
