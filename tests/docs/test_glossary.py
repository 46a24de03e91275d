"""The glossary's names are the code's, the wire's and the tables': a renamed one fails here."""

import re
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
    Key,
    Robot,
    Session,
)
from tests.docs.pages import ROOT, page, rows
from tests.docs.test_protocol import FRAMES, leaves

ROWS = [cells for cells in rows(page("docs/glossary.md")) if len(cells) == 5]
RECORDS = (Connection, Assertion, Enrolment, Session, Robot, Key, Code)
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
