"""Counts the words and names that the project retires, and shows where they are.

`python -m tools.words` prints the counts, `python -m tools.words RULE` each place of one rule, and
`python -m tools.words --lower` writes the counts down as all that is allowed from now on: they
may only fall. docs/glossary.md says which words are used instead.
"""

import ast
import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
ALLOWED = ROOT / "tests" / "words_allowed.json"
GLOSSARY = ROOT / "docs" / "glossary.md"
ROOMS = ("benchmarks", "docs", "lambdas", "robosignal", "stacks", "tests", "tools", "web")
KINDS = frozenset({".py", ".js", ".mjs", ".ts", ".tsx", ".jsx", ".md", ".html"})
# They name the words in order to retire them.
EXEMPT = {"tools/words.py", "tests/test_words.py", "docs/glossary.md"}

ENGLISH = {
    "whoever": r"\bwhom?ever\b",
    "nobody": r"\bnobody\b",
    "anew": r"\banew\b",
    "stands": r"\b(?:stands|stood)\b",
    "lest": r"\blest\b",
    "bears": r"\b(?:bears|bore)\b",
    "amiss": r"\bamiss\b",
    "cease": r"\bceas(?:e|es|ed)\b",
    "mend": r"\bmend(?:s|ed)?\b",
}
"""Patterns of words that a reader has to read twice, for pages, comments, texts and names."""

OPENER = re.compile(r"\bmust never know\b|^Knows |^Owns |; (?:it )?never knows? ", re.MULTILINE)
"""The formula with which modules opened."""

PARTICIPLES = frozenset(
    {"begun", "bound", "built", "done", "drawn", "found", "given", "gone", "grown", "heard"}
    | {"held", "kept", "known", "left", "lost", "made", "met", "paid", "said", "seen", "sent"}
    | {"shown", "shut", "spelt", "taken", "told", "took", "won", "written"}
)
# They end alike, and are none.
NO_PARTICIPLES = frozenset({"embed", "feed", "need", "seed", "shed", "speed", "unauthorized"})

NAMES = frozenset(
    {
        "admission",
        "crowd",
        "cure",
        "engagement",
        "Hands",
        "laps",
        "standing",
        "stage",
        "tape",
        "world",
    }
)
"""Metaphors, and second names of what has a name; those of the glossary come on top."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where one rule finds one thing: a file's path from the root, a line from 1, and what."""

    path: str
    line: int
    found: str

    @property
    def room(self) -> str:
        """The part of the project that the file is in."""
        first = self.path.partition("/")[0]
        return "docs" if first == "docs" or self.path.endswith(".md") else first


def files() -> list[Path]:
    """Return the project's own texts."""
    found = [*ROOT.glob("*.md"), *(each for room in ROOMS for each in (ROOT / room).rglob("*"))]
    return [each for each in sorted(found) if each.suffix in KINDS and not _is_foreign(each)]


def _is_foreign(path: Path) -> bool:
    return "node_modules" in path.parts or path.relative_to(ROOT).as_posix() in EXEMPT


@cache
def retired_names() -> frozenset[str]:
    """Return the names that no module, class or function may have."""
    rows = GLOSSARY.read_text(encoding="utf-8").splitlines()
    cells = [row.strip().strip("|").split("|")[-1] for row in rows if row.startswith("| ")]
    return NAMES | {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}


def places(rule: str) -> Iterator[Place]:
    """Yield every place of one rule."""
    for path in files():
        yield from places_in(rule, path.relative_to(ROOT).as_posix(), path.read_text("utf-8"))


def places_in(rule: str, path: str, text: str) -> Iterator[Place]:
    """Yield every place of one rule in one file, of which this is the text."""
    if rule in ENGLISH:
        # The parts of a name are words too. A page may still quote a name that is no more.
        words = text if path.endswith(".md") else text.replace("_", " ")
        for found in re.finditer(ENGLISH[rule], words, re.IGNORECASE):
            yield Place(path, text.count("\n", 0, found.start()) + 1, found[0])
    elif rule == "openers" and not path.endswith(".md"):
        head = _opening(path, text)
        yield from [Place(path, 1, found[0].strip()) for found in OPENER.finditer(head)][:1]
    elif rule == "participles" and not path.startswith("tests/"):
        yield from (each for each in _functions(path, text) if _is_participle(each.found))
    elif rule == "retired names":
        retired = retired_names()
        yield from (each for each in _named(path, text) if each.found in retired)


def _opening(path: str, text: str) -> str:
    """Return the comment or docstring with which a module opens."""
    if path.endswith(".py"):
        return ast.get_docstring(ast.parse(text)) or ""
    found = re.match(r"/\*\*(.*?)\*/", text, re.DOTALL)
    return re.sub(r"^\s*\* ?", "", found[1], flags=re.MULTILINE) if found else ""


def _is_participle(name: str) -> bool:
    first = re.split(r"_|(?=[A-Z])", name.strip("_#"))[0]
    return first in PARTICIPLES or (first.endswith("ed") and first not in NO_PARTICIPLES)


def _functions(path: str, text: str) -> Iterator[Place]:
    if path.endswith(".py"):
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not _is_value(node):
                yield Place(path, node.lineno, node.name)
    elif path.endswith((".js", ".mjs")):
        pattern = (
            r"\bfunction\*? (\w+)"
            r"|^ +(?:async |static )*#?(\w+)\([^)]*\) \{$"
            r"|\bconst (\w+) = (?:async )?(?:\([^)]*\)|\w+) =>"
        )
        for found in re.finditer(pattern, text, re.MULTILINE):
            line = text.count("\n", 0, found.start()) + 1
            yield Place(path, line, next(name for name in found.groups() if name))


def _is_value(node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Say whether a function is called like a value: a property, or an override of a library's."""
    marks = [ast.unparse(each) for each in node.decorator_list]
    return any(mark.endswith(("property", "override")) for mark in marks)


def _named(path: str, text: str) -> Iterator[Place]:
    """Yield the names of a file, its classes and its functions."""
    if path.endswith((".py", ".js", ".mjs")):
        yield Place(path, 1, Path(path).stem)
        yield from _functions(path, text)
        for found in re.finditer(r"^(?:export )?class (\w+)", text, re.MULTILINE):
            yield Place(path, text.count("\n", 0, found.start()) + 1, found[1])


RULES = (*ENGLISH, "openers", "participles", "retired names")

Counts = dict[str, dict[str, int]]


def counts(rules: Iterable[str] = RULES) -> Counts:
    """Return by rule and room how often it is broken, without zeros."""
    found = {rule: Counter(place.room for place in places(rule)) for rule in rules}
    return {rule: dict(sorted(each.items())) for rule, each in found.items() if each}


def allowed() -> Counts:
    """Return the counts that are allowed."""
    counted: Counts = json.loads(ALLOWED.read_text(encoding="utf-8"))
    return counted


def lowered(before: Counts, now: Counts) -> Counts:
    """Return the lower of two counts for each rule and room."""
    least = {
        rule: {room: min(most, now.get(rule, {}).get(room, 0)) for room, most in rooms.items()}
        for rule, rooms in before.items()
    }
    kept = {rule: {room: n for room, n in rooms.items() if n} for rule, rooms in least.items()}
    return {rule: rooms for rule, rooms in kept.items() if rooms}


def main(words: list[str]) -> int:
    """Print counts or places, or lower what is allowed; return the exit code."""
    if words == ["--lower"]:
        least = lowered(allowed(), counts())
        ALLOWED.write_text(json.dumps(least, indent=2) + "\n", encoding="utf-8")
    elif words:
        for place in places(" ".join(words)):
            sys.stdout.write(f"{place.path}:{place.line}: {place.found}\n")
    else:
        for rule, rooms in counts().items():
            each = ", ".join(f"{room} {count}" for room, count in rooms.items())
            sys.stdout.write(f"{rule}: {sum(rooms.values())} ({each})\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
