"""Every mutation of the rules: a condition without a part, a wider permission, a silent check.

A mutant is a value with a name; applying one changes this process for good.
"""

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module

from robosignal.protocol.messages import Message
from robosignal.server.core import authorization, delivery, renewal
from robosignal.server.core.authorization import PERMISSIONS, Relation
from robosignal.server.core.conditional_writes import Write
from tests.mutations.conjuncts import Place, parts, weakened
from tests.server.core.conditions.every_case import CASES

CHECKS: tuple[Callable[..., object], ...] = (
    authorization.refuse_unlisted,
    authorization.refuse_former_robot,
    authorization.refuse_robot_connections,
    delivery.refuse_oversize,
    renewal.refuse_mismatched_ping,
    renewal.refuse_second_session,
)
"""What refuses a message before any write; a generator among them asks for no step then."""


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
    for kind, may in PERMISSIONS.items():
        for standing in Relation:
            if Relation.ANYONE not in may and standing not in may:
                name = f"PERMISSIONS {kind.__name__} +{standing.name}"
                yield Mutant(name, f"also {standing.value}", _widening(kind, standing))

    for check in CHECKS:
        yield Mutant(f"{check.__name__} refuses nothing", "never raises", _silencing(check))


def _weakening(write: Callable[..., Write], place: Place) -> Callable[[], None]:
    def apply() -> None:
        setattr(import_module(write.__module__), write.__name__, weakened(write, place))

    return apply


def _silencing(check: Callable[..., object]) -> Callable[[], None]:
    """Replace a check in every module that has it by its name."""

    def silent(*_: object) -> Iterator[None]:
        return iter(())

    def apply() -> None:
        for name, module in list(sys.modules.items()):
            if name.startswith("robosignal.server.") and vars(module).get(check.__name__) is check:
                setattr(module, check.__name__, silent)

    return apply


def _widening(kind: type[Message], standing: Relation) -> Callable[[], None]:
    def apply() -> None:
        authorization.PERMISSIONS[kind] = PERMISSIONS[kind] | {standing}

    return apply
