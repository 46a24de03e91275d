"""The glossary's names are the code's, the wire's and the tables': a renamed one fails here."""

import re
import tokenize
from io import StringIO
from pathlib import Path
from typing import Any

import msgspec
import pytest

from robosignal.protocol import errors, frames
from robosignal.protocol.messages import MESSAGES
from robosignal.server.core.records import (
    Assertion,
    Code,
    Connection,
    Enrolment,
    Invitation,
    Key,
    Robot,
    Session,
)
from tests.docs.pages import ROOT, page, rows
from tests.docs.test_protocol import FRAMES, leaves

ROWS = [cells for cells in rows(page("docs/glossary.md")) if len(cells) == 5]
RECORDS = (Connection, Assertion, Enrolment, Session, Robot, Key, Code, Invitation)
SHARES = {"operatorUserId"}
"""The one attribute of a share's item, which no record reads."""


def named(kind: str) -> set[str]:
    """Return the names that the glossary gives for `code`, `wire` or `table`."""
    cells = "; ".join(cells[3] for cells in ROWS)
    lists = re.findall(rf"\b{kind} ((?:`[\w-]+`(?:, )?)+)", cells)
    return {name for each in lists for name in re.findall(r"`([\w-]+)`", each)}


def fields(*kinds: type[Any]) -> set[str]:
    """Return the names of these structs' fields as they are encoded."""
    return {field.encode_name for kind in kinds for field in msgspec.structs.fields(kind)}


def test_every_word_is_there_once() -> None:
    """About forty of them and some more, none twice."""
    words = [cells[0] for cells in ROWS]

    assert len(words) > 50
    assert len(set(words)) == len(words)


def test_every_name_on_the_wire_is_sent() -> None:
    """A type of message or frame, a field of one, or an error's code."""
    codes = {kind.code for kind in leaves(errors.SignalingError)}
    sent = fields(
        *MESSAGES.values(), *FRAMES.values(), frames.Person, frames.RobotEntry, frames.KeyEntry
    )

    assert (
        named("wire") - sent - set(MESSAGES) - set(FRAMES) - codes - {"candidate", "sdp"} == set()
    )


def test_every_message_has_a_word() -> None:
    """What may be sent is in the glossary."""
    assert set(MESSAGES) <= named("wire")


def test_the_attributes_of_the_tables_are_those_of_the_glossary() -> None:
    """None is left out, and none is made up."""
    assert named("table") == fields(*RECORDS) | SHARES


@pytest.mark.parametrize("name", sorted(named("code")))
def test_every_name_in_the_code_is_defined(name: str) -> None:
    """As a class, a function, a module, a constant or a type."""
    package = ROOT / "robosignal"
    sources = "".join(path.read_text(encoding="utf-8") for path in package.rglob("*.py"))
    kinds = rf"(?:class|(?:async )?def) {name}\b|{name}\b(?:: \w+)? = "
    defined = re.search(rf"^ *(?:{kinds})", sources, re.MULTILINE)

    assert defined or list(package.rglob(f"{name}.py")) or list(package.rglob(f"{name}/"))


OTHER_MEANINGS = {
    "account": "AWS's",
    "driver": "the user who drives",
    "line": "of text",
    "link": "in a page",
    "command": "of the command line; to drive",
    "event": "of the Lambda, the DOM and the machines",
    "response": "HTTP's and STUN's",
    "retry": "of requests to AWS",
    "hop": "of HTTP",
    "keepalive, except that of seed connections": "that of seed connections",
    "mode": "of a file",
    "watcher": "a user who watches",
    "slot": "of a Python class",
    "early": "before its time",
    "forward": "the direction",
    "lock": "of a thread",
    "owner": "of a robot",
    "term": "of a vocabulary",
    "generation": "of a candidate",
    "guard": "of a step",
    "drop": "of a cache",
    "transfer": "of a robot to another owner",
    "refresh": "of a token",
    "kill": "of a process",
    "lease": "the right to drive",
    "follow": "to come after",
    "version": "of the software",
    "row": "of a page's table, a picture and SQL",
    "column": "of SQL",
    "bucket": "of a rate limit",
    "transaction": "DynamoDB's and STUN's",
    "action": "of a parallel step, and of the machines",
    "plugin": "pytest's",
}
"""Words that the glossary does not use for one thing, and that mean another here."""

RETIRED = sorted(
    {word.strip(" `") for cells in ROWS if cells[0] != "word" for word in cells[4].split(",")}
    - {"", "except that of seed connections", "keepalive"}
    - set(OTHER_MEANINGS)
)

TEXTS = [
    (path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8").replace("_", " "))
    for room in ("docs", "robosignal", "web/robosignal", "web/console", "lambdas")
    for path in sorted((ROOT / room).rglob("*"))
    if path.suffix in {".py", ".js", ".md"} and path != ROOT / "docs" / "glossary.md"
]


@pytest.mark.parametrize("word", RETIRED)
def test_a_word_that_the_glossary_does_not_use_is_used_nowhere(word: str) -> None:
    """Neither in a name nor in a sentence, in any form; others are in `OTHER_MEANINGS`."""
    forms = re.compile(rf"\b{word}(?:s|e?d|ing|ment)?\b", re.IGNORECASE)

    assert [path for path, text in TEXTS if forms.search(text)] == []


def test_every_other_meaning_is_of_a_word_that_the_glossary_retires() -> None:
    """And is met: else the word can be held to be used nowhere."""
    retired = {cell.strip(" `") for cells in ROWS for cell in cells[4].split(",")}
    used = " ".join(text for _, text in TEXTS).lower()
    named = [word.partition(",")[0] for word in OTHER_MEANINGS]

    assert set(named) - retired == set()
    assert [word for word in named if word not in used] == []


def prose(path: Path) -> str:
    """Return the comments and the docstrings of a Python file, without what they quote."""
    tokens = tokenize.generate_tokens(StringIO(path.read_text(encoding="utf-8")).readline)
    kinds = (tokenize.COMMENT, tokenize.STRING)
    said = [token.string for token in tokens if token.type in kinds]
    return re.sub(r"`[^`]*`", "", "\n".join(each for each in said if each[0] in '#"'))


@pytest.mark.parametrize(
    "path", sorted((ROOT / "robosignal" / "server").rglob("*.py")), ids=lambda path: path.name
)
def test_the_backend_calls_a_record_of_a_table_an_item(path: Path) -> None:
    """DynamoDB's word; "in a row" is another."""
    assert re.findall(r"(?<!in a )\brows?\b", prose(path)) == []
