"""Every mutation of the rules: a write without a part of its condition, a wider right.

A mutant is a value with a name; applying one changes this process for good.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import import_module

from signaling.core import policy
from signaling.core.expressions import Write
from signaling.core.policy import MAY, Standing
from signaling.wire.messages import Message
from tests.mutations.conjuncts import Place, parts, weakened
from tests.mutations.samples import SAMPLES


@dataclass(frozen=True, slots=True)
class Mutant:
    """One mutation: its name, what it leaves out or lets in, and how to apply it."""

    name: str
    what: str
    apply: Callable[[], None]


def mutants() -> Iterator[Mutant]:
    """Yield every mutant, in an order that does not change by itself."""
    for write, given in SAMPLES.items():
        module = write.__module__.rpartition(".")[2]
        for place, part in parts(write(*given).when):
            numbers = ".".join(map(str, place)) or "all"
            name = f"{module}.{write.__name__} {numbers}"
            yield Mutant(name, f"without {part}", _weakening(write, place))
    for kind, may in MAY.items():
        for standing in Standing:
            if Standing.ANYONE not in may and standing not in may:
                name = f"MAY {kind.__name__} +{standing.name}"
                yield Mutant(name, f"also {standing.value}", _widening(kind, standing))


def _weakening(write: Callable[..., Write], place: Place) -> Callable[[], None]:
    def apply() -> None:
        setattr(import_module(write.__module__), write.__name__, weakened(write, place))

    return apply


def _widening(kind: type[Message], standing: Standing) -> Callable[[], None]:
    def apply() -> None:
        policy.MAY[kind] = MAY[kind] | {standing}

    return apply
