"""Reads the project's pages: their code blocks, tables and links. It judges none of them."""

import json
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])

# Within a list a block is indented.
_BLOCK = re.compile(
    r"^(?P<indent> *)```(?P<kind>[^\n]*)\n(?P<body>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL
)
_LINK = re.compile(r"\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`\n]+)`")


def page(name: str) -> str:
    """Return a page's text, by its path from the root."""
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(text: str, *kinds: str) -> list[str]:
    """Return the bodies of the code blocks whose info string is exactly one of these."""
    found = [each for each in _BLOCK.finditer(text) if each["kind"] in kinds]
    return [textwrap.dedent(each["body"]) for each in found]


def typed_and_shown(text: str) -> list[tuple[str, str]]:
    """Return what a page has people type in a shell, and what it shows, in its order, by kind."""
    found = [each for each in _BLOCK.finditer(text) if each["kind"] in ("sh", "text")]
    return [(each["kind"], textwrap.dedent(each["body"])) for each in found]


def kinds(text: str) -> set[str]:
    """Return the info strings of all code blocks."""
    return {found["kind"] for found in _BLOCK.finditer(text)}


def examples(text: str, kind: str) -> list[dict[str, Any]]:
    """Return the JSON object that each block of this kind holds."""
    return [json.loads(body) for body in blocks(text, kind)]


def prose(text: str) -> str:
    """Return a page without its code blocks."""
    return _BLOCK.sub("", text)


def code(text: str) -> list[str]:
    """Return what is between backticks in the prose."""
    return _CODE.findall(prose(text))


def links(text: str) -> list[str]:
    """Return where the links and pictures of the prose lead."""
    return _LINK.findall(prose(text))


def rows(text: str) -> Iterator[list[str]]:
    """Yield the cells of every table row, without headings and rules."""
    lines = prose(text).splitlines()
    for before, line in zip(["", *lines], lines, strict=False):
        if line.startswith("| ") and before.startswith("|") and not line.startswith("| ---"):
            yield [cell.strip() for cell in line.strip("|").split("|")]


def anchors(text: str) -> set[str]:
    """Return the anchors of a page's headings, as Git hosts make them."""
    titles = re.findall(r"^#+ (.+)$", prose(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
