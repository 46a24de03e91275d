"""What users import says what it takes: every public name, and every parameter of it by name."""

import ast
import importlib
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.docs.pages import ROOT

API = ("robosignal.operator", "robosignal.robot", "robosignal.testing")
"""The modules whose `__all__` users build on."""

PACKAGE = ROOT / "robosignal"

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


def callables() -> Iterator[tuple[str, Callable[..., Any], str]]:
    """Yield each public class, function and method: its name, what is called, its documentation."""
    for module in API:
        for name in importlib.import_module(module).__all__:
            value = getattr(importlib.import_module(module), name)
            if inspect.isclass(value):
                yield f"{module}.{name}", value, documentation(value)
                for each, method in methods(value):
                    yield f"{module}.{name}.{each}", method, inspect.getdoc(method) or ""
            elif inspect.isfunction(value):
                yield f"{module}.{name}", value, inspect.getdoc(value) or ""


def documentation(kind: type[Any]) -> str:
    """Return the docstrings of a class and its own bases, and those of their constructors."""
    ours = [each for each in kind.__mro__ if each.__module__.startswith("robosignal.")]
    constructors = [each.__dict__["__init__"] for each in ours if "__init__" in each.__dict__]
    return "\n".join(each.__doc__ or "" for each in (*ours, *constructors))


def methods(kind: type[Any]) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Yield the public methods and properties that a class itself defines."""
    for name, value in vars(kind).items():
        if not name.startswith("_"):
            inner = value.fget if isinstance(value, property) else inspect.unwrap(value)
            inner = getattr(inner, "__func__", inner)
            if inspect.isfunction(inner):
                yield name, inner


def parameters(called: Callable[..., Any]) -> set[str]:
    """Return the names of what is passed, without those of Python's own exceptions."""
    if inspect.isclass(called) and inspect.getattr_static(called, "__init__") in (
        Exception.__init__,
        object.__init__,
    ):
        return set()
    return set(inspect.signature(called).parameters) - {"self", "cls"}


NAMES = {name: (called, text) for name, called, text in callables()}


@pytest.mark.parametrize("name", NAMES)
def test_every_parameter_of_the_interface_is_named_in_its_docstring(name: str) -> None:
    """In backticks, or at the head of a line of `Args:`."""
    called, text = NAMES[name]
    quoted = re.findall(r"`(\w+)[^`]*`", text)
    listed = re.findall(r"^\s+(\w+): ", text, re.MULTILINE)

    assert text
    assert parameters(called) - {*quoted, *listed} == set()


def test_the_interface_was_found() -> None:
    """Classes, their methods and their properties."""
    assert {
        "robosignal.robot.Robot",
        "robosignal.robot.Robot.run",
        "robosignal.robot.Limits.clamp",
        "robosignal.testing.LocalBackend.url",
        "robosignal.testing.LocalBackend.connect",
    } <= set(NAMES)


def test_every_public_name_has_a_docstring() -> None:
    """Modules, classes, functions and methods of the whole package."""
    missing = [name for path in sorted(PACKAGE.rglob("*.py")) for name in undocumented(path)]

    assert missing == []


def undocumented(path: Path) -> Iterator[str]:
    """Yield what is public in a file and has no docstring."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    if tree.body and not ast.get_docstring(tree):
        yield str(path.relative_to(ROOT))
    classes = [each for each in definitions(tree) if isinstance(each, ast.ClassDef)]
    rooms: list[ast.Module | ast.ClassDef] = [tree, *classes]
    for node in rooms:
        for each in definitions(node):
            if not (ast.get_docstring(each) or replaces(each)):
                yield f"{path.relative_to(ROOT)}:{each.lineno} {each.name}"


def definitions(node: ast.Module | ast.ClassDef) -> Iterator[Definition]:
    """Yield the public classes and functions of a module, or of a class."""
    for each in node.body:
        if isinstance(each, Definition) and not each.name.startswith("_"):
            yield each


def replaces(node: Definition) -> bool:
    """Say whether it is an `overload` or an `override` of what is documented elsewhere."""
    marks = {ast.unparse(mark).rpartition(".")[2] for mark in node.decorator_list}
    return not marks.isdisjoint({"overload", "override"})
