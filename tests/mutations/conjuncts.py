"""Lists the conjuncts and alternatives of a write's condition, and removes one of them.

Conditions are data, so a mutation is a value too; no source text is edited.
"""

from collections.abc import Callable, Iterator
from functools import wraps

from msgspec import structs

from robosignal.server.core.conditional_writes import AllOf, AnyOf, Condition, Write

Place = tuple[int, ...]
"""The way from the whole condition down to a part of it."""

TRUE = AllOf(())
FALSE = AnyOf(())


def parts(condition: Condition, here: Place = ()) -> Iterator[tuple[Place, Condition]]:
    """Yield every part that can be left out: each conjunct, and each alternative."""
    match condition:
        case AllOf(of) | AnyOf(of):
            for index, part in enumerate(of):
                if part in (TRUE, FALSE):
                    continue
                # The parts of one "and" within another are taken one by one.
                if not (isinstance(part, AllOf) and isinstance(condition, AllOf)):
                    yield (*here, index), part
                if isinstance(part, AllOf | AnyOf):
                    yield from parts(part, (*here, index))
        case _:
            if not here:
                yield here, condition


def without(condition: Condition, place: Place) -> Condition:
    """Return the condition without a part: a conjunct then holds, an alternative never does."""
    if not place:
        return TRUE
    index, *rest = place
    match condition:
        case AllOf(of):
            made = without(of[index], tuple(rest))
            return AllOf((*of[:index], made, *of[index + 1 :]))
        case AnyOf(of):
            made = without(of[index], tuple(rest)) if rest else FALSE
            return AnyOf((*of[:index], made, *of[index + 1 :]))
        case _:
            raise LookupError(place)


def shape(condition: Condition) -> tuple[tuple[Place, type[Condition]], ...]:
    """Return where which kinds of parts are, by which two forms of a condition differ."""
    return tuple((place, type(part)) for place, part in parts(condition))


def weakened(
    write: Callable[..., Write], place: Place, alone: Condition | None = None
) -> Callable[..., Write]:
    """Return what makes the same writes, but for this part of their conditions.

    `alone`: only conditions of this one's form are without the part.
    """

    @wraps(write)
    def make(*given: object, **named: object) -> Write:
        made = write(*given, **named)
        if alone is not None and shape(made.when) != shape(alone):
            return made
        try:
            return structs.replace(made, when=without(made.when, place))
        except (IndexError, LookupError):
            # This one has no such part, as an admin's has no right to ask for.
            return made

    return make
