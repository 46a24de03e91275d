"""Writes to the items of codes: making one, and taking a use of it."""

from typing import Any

import msgspec

from robosignal.protocol.ids import RobotId
from robosignal.server.core.conditional_writes import (
    AllOf,
    AnyOf,
    Compare,
    Missing,
    Put,
    Size,
    Write,
)
from robosignal.server.core.records import Code

CODE_HASH = ("codeHash",)
TAKERS = ("takers",)
EXPIRES_AT = ("expiresAt",)


def create(code: Code) -> Write:
    """Store a new code."""
    item: dict[str, Any] = {**msgspec.to_builtins(code), "takers": {}}
    then = tuple(Put((name,), value) for name, value in item.items())
    return Write("create_code", Missing(CODE_HASH), then)


ENROLLED = ""
"""In place of the key of a robot that has enrolled: no key's id is empty."""


def take_use(robot_id: RobotId, kid: str, code: Code, now: int) -> Write:
    """Note that a robot enrols by the code: each one once, whichever key it has then.

    To note the same robot and key again is allowed and takes no further use until its key is in, so
    a robot may repeat what was interrupted.
    """
    taker = ("takers", robot_id)
    room = AllOf((Missing(taker), Size(TAKERS, "<", code.uses)))
    when = AllOf((Compare(EXPIRES_AT, ">", now), AnyOf((Compare(taker, "=", kid), room))))
    return Write("take_use", when, (Put(taker, kid),))


def complete_use(robot_id: RobotId, kid: str) -> Write:
    """Note that the key is in: the code lets it in no second time, after it was ended."""
    taker = ("takers", robot_id)
    return Write("complete_use", Compare(taker, "=", kid), (Put(taker, ENROLLED),))
