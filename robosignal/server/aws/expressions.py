"""Renders conditions and updates as DynamoDB's expressions.

Every name and value is a placeholder, so a reserved word, or a session id with a dot in it, cannot
be misread. Source: DynamoDB developer guide, "Expressions in DynamoDB".
"""

from typing import Any, assert_never

from robosignal.server.core.conditional_writes import (
    AddToSet,
    AllOf,
    AnyOf,
    Compare,
    Condition,
    Contains,
    Copy,
    Differs,
    Exists,
    Increment,
    Lacks,
    Missing,
    Path,
    Put,
    Remove,
    RemoveFromSet,
    Size,
    Update,
    Write,
)


def marshal(value: Any) -> dict[str, Any]:  # noqa: PLR0911 - one for each type
    """Return a plain value in DynamoDB's JSON. Raise TypeError for a type that it lacks."""
    match value:
        case str():
            return {"S": value}
        case bool():
            return {"BOOL": value}
        case int():
            return {"N": str(value)}
        case None:
            return {"NULL": True}
        case dict():
            return {"M": {name: marshal(each) for name, each in value.items()}}
        case set() | frozenset():
            return {"SS": sorted(value)}
        case list() | tuple():
            return {"L": [marshal(each) for each in value]}
        case _:
            raise TypeError(f"cannot store {type(value).__name__}")


def unmarshal(attribute: dict[str, Any]) -> Any:
    """Return the plain value of an attribute. Numbers are integers, string sets are sets."""
    ((kind, value),) = attribute.items()
    match kind:
        case "S" | "BOOL":
            return value
        case "N":
            return int(value)
        case "M":
            return unmarshal_item(value)
        case "NULL":
            return None
        case "SS":
            return set(value)
        case "L":
            return [unmarshal(each) for each in value]
        case _:
            raise TypeError(f"cannot read an attribute of type {kind}")


def unmarshal_item(item: dict[str, Any]) -> dict[str, Any]:
    """Return an item with plain values."""
    return {name: unmarshal(each) for name, each in item.items()}


class Rendered:
    """A write as parameters of UpdateItem, or a condition alone as parameters of DeleteItem."""

    def __init__(self, asked: Write | Condition) -> None:
        self._names: dict[str, str] = {}
        self._values: dict[str, Any] = {}
        when = asked.when if isinstance(asked, Write) else asked
        self.parameters: dict[str, Any] = {"ConditionExpression": self._condition(_simplify(when))}
        if isinstance(asked, Write):
            self.parameters["UpdateExpression"] = self._updates(asked.then)
        names = {hold: name for name, hold in self._names.items()}
        self.parameters["ExpressionAttributeNames"] = names
        if self._values:
            self.parameters["ExpressionAttributeValues"] = self._values

    def _path(self, path: Path) -> str:
        return ".".join(self._names.setdefault(name, f"#{len(self._names)}") for name in path)

    def _value(self, value: Any) -> str:
        found = marshal(value)
        for hold, known in self._values.items():
            if known == found:
                return hold
        hold = f":{len(self._values)}"
        self._values[hold] = found
        return hold

    def _condition(self, condition: Condition) -> str:  # noqa: C901, PLR0911 - one for each kind
        match condition:
            case Exists(path):
                return f"attribute_exists({self._path(path)})"
            case Missing(path):
                return f"attribute_not_exists({self._path(path)})"
            case Compare(path, how, value):
                return f"{self._path(path)} {how} {self._value(value)}"
            case Differs(path, value):
                missing = f"attribute_not_exists({self._path(path)})"
                return f"{missing} OR {self._path(path)} <> {self._value(value)}"
            case Contains(path, member):
                return f"contains({self._path(path)}, {self._value(member)})"
            case Lacks(path, member):
                missing = f"attribute_not_exists({self._path(path)})"
                return f"{missing} OR NOT contains({self._path(path)}, {self._value(member)})"
            case Size(path, how, value):
                # attribute_exists is for moto, which fails on the size of a missing attribute.
                there = f"attribute_exists({self._path(path)})"
                return f"{there} AND size({self._path(path)}) {how} {self._value(value)}"
            case AllOf(of):
                return " AND ".join(self._conjunct(part) for part in of)
            case AnyOf(of):
                if not of:
                    raise ValueError("the condition can never hold: do not write")
                return " OR ".join(self._condition(part) for part in of)
            case _:
                assert_never(condition)

    def _conjunct(self, part: Condition) -> str:
        # AND binds before OR, so only an OR within an AND needs its parentheses.
        text = self._condition(part)
        return f"({text})" if isinstance(part, AnyOf | Differs | Lacks) else text

    def _updates(self, updates: tuple[Update, ...]) -> str:
        clauses: dict[str, list[str]] = {}
        for update in updates:
            clause, text = self._update(update)
            clauses.setdefault(clause, []).append(text)
        return " ".join(f"{clause} {', '.join(texts)}" for clause, texts in clauses.items())

    def _update(self, update: Update) -> tuple[str, str]:
        path = self._path(update.path)
        match update:
            case Put(value=value, if_missing=if_missing):
                held = self._value(value)
                return (
                    "SET",
                    f"{path} = if_not_exists({path}, {held})" if if_missing else f"{path} = {held}",
                )
            case Copy(source=source):
                kept = f"if_not_exists({self._path(source)}, {self._value(None)})"
                return "SET", f"{path} = {kept}"
            case Increment(start=start):
                first = None if start is None else self._value(start)
                old = path if first is None else f"if_not_exists({path}, {first})"
                return "SET", f"{path} = {old} + {self._value(1)}"
            case Remove():
                return "REMOVE", path
            case AddToSet(member=member):
                return "ADD", f"{path} {self._value({member})}"
            case RemoveFromSet(member=member):
                return "DELETE", f"{path} {self._value({member})}"
            case _:
                assert_never(update)


TRUE = AllOf(())


def _simplify(condition: Condition) -> Condition:
    """Return an equal condition without parts that always hold and groups of one part."""
    match condition:
        case AllOf(of):
            parts = tuple(part for part in map(_simplify, of) if part != TRUE)
            return parts[0] if len(parts) == 1 else AllOf(parts)
        case AnyOf(of):
            parts = tuple(map(_simplify, of))
            if TRUE in parts:
                return TRUE
            return parts[0] if len(parts) == 1 else AnyOf(parts)
        case _:
            return condition
