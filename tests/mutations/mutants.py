"""Every mutation of the rules: a condition without a part, a wider permission, a silent check.

And of what robots are told: a right that lasts longer, or allows more, or is not mentioned.

A mutant is a value with a name; applying one changes this process for good.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from importlib import import_module

from msgspec import structs

from robosignal.protocol.frames import Control, Right, SessionRight
from robosignal.protocol.messages import Message
from robosignal.server.core import authorization, delivery, notices, renewal
from robosignal.server.core.authorization import PERMISSIONS, Relation
from robosignal.server.core.conditional_writes import Condition, Write
from robosignal.server.core.records import Robot, Session
from robosignal.server.core.request import Request
from tests.mutations.conjuncts import Place, parts, weakened
from tests.server.core.conditions.every_case import CASES, FORMS

CHECKS: tuple[Callable[..., object], ...] = (
    authorization.refuse_unlisted,
    authorization.refuse_former_robot,
    authorization.refuse_robot_connections,
    delivery.refuse_oversize,
    renewal.refuse_mismatched_ping,
    renewal.refuse_second_session,
)
"""What refuses a message before any write; a generator among them asks for no step then."""


def _owners_right(request: Request, robot: Robot, session: Session) -> Right:
    return structs.replace(FIND_RIGHT(request, robot, session), owner=True)


def _silent_frame(robot: Robot, now: int) -> Control:  # noqa: ARG001 - as the function it replaces
    return notices.control_frame(robot)


def _no_rights(robot: Robot, now: int) -> list[SessionRight]:  # noqa: ARG001 - as above
    return []


FIND_RIGHT, ROBOT_CONTROL_FRAME = authorization.find_right, notices.robot_control_frame
TOLD: tuple[tuple[str, str, Callable[..., object], Callable[..., object]], ...] = (
    ("find_right makes owners", "all senders own the robot", FIND_RIGHT, _owners_right),
    ("robot_control_frame is silent", "no seconds", ROBOT_CONTROL_FRAME, _silent_frame),
    ("session_rights is silent", "no sessions", notices.session_rights, _no_rights),
)
"""What a robot is told falsely: a name, what is false, the function, what replaces it."""


@dataclass(frozen=True, slots=True)
class Mutant:
    """One mutation: its name, what it leaves out or lets in, and how to apply it."""

    name: str
    what: str
    apply: Callable[[], None]


def mutants() -> Iterator[Mutant]:
    """Yield every mutant, in an order that does not change by itself."""
    for write, (first, *_) in CASES.items():
        module = write.__module__.rpartition(".")[2]
        for place, part in parts(first.write.when):
            numbers = ".".join(map(str, place)) or "all"
            name = f"{module}.{write.__name__} {numbers}"
            yield Mutant(name, f"without {part}", _weakening(write, place))
    for form, (write, examined) in FORMS.items():
        for place, part in parts(examined.write.when):
            name = f"{form} {'.'.join(map(str, place))}"
            yield Mutant(name, f"without {part}", _weakening(write, place, examined.write.when))
    for kind, may in PERMISSIONS.items():
        for standing in Relation:
            if Relation.ANYONE not in may and standing not in may:
                name = f"PERMISSIONS {kind.__name__} +{standing.name}"
                yield Mutant(name, f"also {standing.value}", _widening(kind, standing))

    for check in CHECKS:
        silent = partial(_replace_everywhere, check, _pass)
        yield Mutant(f"{check.__name__} refuses nothing", "never raises", silent)

    for name, what, told, instead in TOLD:
        yield Mutant(name, what, partial(_replace_everywhere, told, instead))
    yield Mutant("right_seconds rounds up", "one second more", _lengthen_rights)


def _weakening(
    write: Callable[..., Write], place: Place, alone: Condition | None = None
) -> Callable[[], None]:
    def apply() -> None:
        weak = weakened(write, place, alone)
        setattr(import_module(write.__module__), write.__name__, weak)

    return apply


def _replace_everywhere(function: Callable[..., object], other: Callable[..., object]) -> None:
    """Replace a function in every module that has it by its name."""
    name = function.__name__
    for path, module in list(sys.modules.items()):
        if path.startswith("robosignal.server.") and vars(module).get(name) is function:
            setattr(module, name, other)


def _pass(*_: object) -> Iterator[None]:
    return iter(())


def _lengthen_rights() -> None:
    exact = Session.right_seconds
    setattr(Session, "right_seconds", lambda session, now: exact(session, now) + 1)  # noqa: B010 - mypy knows it as a method


def _widening(kind: type[Message], standing: Relation) -> Callable[[], None]:
    def apply() -> None:
        authorization.PERMISSIONS[kind] = PERMISSIONS[kind] | {standing}

    return apply
