"""Conditional writes as data, in DynamoDB's terms.

A rule is written once, as a `Write`. The DynamoDB adapter renders it as expressions; `apply`
carries it out on a plain item, for the local store.

The semantics are DynamoDB's. A missing attribute equals no value, and no comparison with it holds.
Every operand of an update is read from the item as it was before the update.
Source: docs.aws.amazon.com, "Condition and filter expressions" and "Update expressions".
"""

from collections.abc import Callable, Mapping
from operator import eq, ge, gt, le, lt
from typing import Any, Literal, assert_never

from msgspec import Struct

from robosignal.protocol.messages import Role
from robosignal.server.core.effects import Effect

Path = tuple[str, ...]
Item = Mapping[str, Any]
Comparator = Literal["=", "<", "<=", ">", ">="]

COMPARATORS: dict[Comparator, Callable[[Any, Any], bool]] = {
    "=": eq,
    "<": lt,
    "<=": le,
    ">": gt,
    ">=": ge,
}


class Exists(Struct, frozen=True):
    """The attribute exists: attribute_exists."""

    path: Path


class Missing(Struct, frozen=True):
    """The attribute does not exist: attribute_not_exists."""

    path: Path


class Compare(Struct, frozen=True):
    """The attribute exists and compares so with the value."""

    path: Path
    how: Comparator
    value: Any


class Differs(Struct, frozen=True):
    """The attribute does not exist, or has another value.

    Both cases are rendered, because AWS does not document what `<>` yields for a missing attribute.
    """

    path: Path
    value: Any


class Contains(Struct, frozen=True):
    """The attribute is a set with this member: contains."""

    path: Path
    member: str


class Lacks(Struct, frozen=True):
    """The attribute does not exist, or is a set without this member.

    Both cases are rendered, as for `Differs`.
    """

    path: Path
    member: str


class Size(Struct, frozen=True):
    """The attribute exists and its number of elements compares so with the value: size."""

    path: Path
    how: Comparator
    value: int


class AllOf(Struct, frozen=True):
    """Every one of these holds: AND. Without any, it is true."""

    of: "tuple[Condition, ...]"


class AnyOf(Struct, frozen=True):
    """At least one of these holds: OR. Without any, it is false."""

    of: "tuple[Condition, ...]"


Condition = Exists | Missing | Compare | Differs | Contains | Lacks | Size | AllOf | AnyOf


class Put(Struct, frozen=True):
    """Set the attribute to the value; with `if_missing`, only if it does not exist yet."""

    path: Path
    value: Any
    if_missing: bool = False


class Copy(Struct, frozen=True):
    """Set the attribute to another one's value, or to null if that does not exist."""

    path: Path
    source: Path


class Increment(Struct, frozen=True):
    """Add one to a number. A missing one counts as `start`, which must be given then."""

    path: Path
    start: int | None = None


class Remove(Struct, frozen=True):
    """Remove the attribute, if it exists."""

    path: Path


class AddToSet(Struct, frozen=True):
    """Add a member to a set, which is created if it does not exist."""

    path: Path
    member: str


class RemoveFromSet(Struct, frozen=True):
    """Remove a member from a set; the set is removed with its last member."""

    path: Path
    member: str


Update = Put | Copy | Increment | Remove | AddToSet | RemoveFromSet


class Write(Struct, frozen=True):
    """One conditional write to one item."""

    name: str
    """For logs and traces; no rule reads it."""
    when: Condition
    then: tuple[Update, ...]
    renewal: bool = False
    """Whether it only extends what is there. Losing one costs nothing: the next follows soon."""
    effect: Effect | None = None
    """What it does to who drives, to presence or to the operators; None: nothing."""
    opens: Role | None = None
    """The role of the session that it opens; None: it opens none."""

    def changes(self, path: Path) -> bool:
        """Say whether it updates this attribute."""
        return any(each.path == path for each in self.then)

    def increments(self, path: Path) -> bool:
        """Say whether it adds one to this number."""
        return any(isinstance(each, Increment) and each.path == path for each in self.then)


_NOTHING = object()


def evaluate(condition: Condition, item: Item) -> bool:  # noqa: PLR0911 - one for each kind
    """Say whether the condition holds for this item."""
    match condition:
        case Exists(path):
            return _at(item, path) is not _NOTHING
        case Missing(path):
            return _at(item, path) is _NOTHING
        case Compare(path, how, value):
            found = _at(item, path)
            return found is not _NOTHING and COMPARATORS[how](found, value)
        case Differs(path, value):
            return bool(_at(item, path) != value)
        case Contains(path, member):
            found = _at(item, path)
            return isinstance(found, set | frozenset) and member in found
        case Lacks(path, member):
            return not evaluate(Contains(path, member), item)
        case Size(path, how, value):
            found = _at(item, path)
            return found is not _NOTHING and COMPARATORS[how](len(found), value)
        case AllOf(of):
            return all(evaluate(each, item) for each in of)
        case AnyOf(of):
            return any(evaluate(each, item) for each in of)
        case _:
            assert_never(condition)


def apply(write: Write, item: Item) -> dict[str, Any] | None:
    """Return the item as the write leaves it; None if its condition is false.

    The given item is not changed. An item that does not exist is empty, without even its key.
    Raise KeyError where DynamoDB answers ValidationException: for arithmetic on a missing
    attribute, and for a path below a missing map.
    """
    if not evaluate(write.when, item):
        return None
    after = dict(item)
    for update in write.then:
        _update(update, item, after)
    return after


def _update(update: Update, before: Item, after: dict[str, Any]) -> None:
    match update:
        case Put(path, value, if_missing):
            old = _at(before, path) if if_missing else _NOTHING
            _set(after, path, value if old is _NOTHING else old)
        case Copy(path, source):
            found = _at(before, source)
            _set(after, path, None if found is _NOTHING else found)
        case Increment(path, start):
            found = _at(before, path)
            old = start if found is _NOTHING else found
            if old is None:
                raise KeyError(path)
            _set(after, path, old + 1)
        case Remove(path):
            _parent(after, path).pop(path[-1], None)
        case AddToSet(path, member):
            old = _at(before, path)
            _set(after, path, {member} | (set() if old is _NOTHING else old))
        case RemoveFromSet(path, member):
            _remove_from_set(after, path, member)
        case _:
            assert_never(update)


def _remove_from_set(after: dict[str, Any], path: Path, member: str) -> None:
    rest = set(_parent(after, path).get(path[-1], ())) - {member}
    if rest:
        _set(after, path, rest)
    else:
        _parent(after, path).pop(path[-1], None)


def _at(item: Item, path: Path) -> Any:
    found: Any = item
    for name in path:
        if not isinstance(found, Mapping) or name not in found:
            return _NOTHING
        found = found[name]
    return found


def _parent(after: dict[str, Any], path: Path) -> dict[str, Any]:
    """Return the map that contains the last name; copy each map on the way down."""
    found = after
    for name in path[:-1]:
        found[name] = dict(found[name])
        found = found[name]
    return found


def _set(after: dict[str, Any], path: Path, value: Any) -> None:
    _parent(after, path)[path[-1]] = value
