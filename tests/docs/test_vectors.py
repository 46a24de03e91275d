"""The page of test vectors explains every word that the scripts use, and no other."""

import json
import re
from typing import Any

import pytest

from tests.docs.pages import ROOT, code, page, rows

PAGE = page("docs/reference/vectors.md")
VECTORS = ROOT / "spec" / "vectors"
SCRIPTS: dict[str, list[dict[str, Any]]] = {
    name: json.loads((VECTORS / f"{name}.json").read_text(encoding="utf-8"))
    for name in ("robot", "connection", "silence")
}
WORDS = {
    "Events of a robot": ("robot",),
    "Outputs of a robot": ("robot",),
    "Events of a connection": ("connection", "silence"),
    "Outputs of a connection": ("connection", "silence"),
}


def section(title: str) -> str:
    """Return the text below one heading."""
    return PAGE.partition(f"## {title}\n")[2].partition("\n## ")[0]


def explained(title: str) -> set[str]:
    """Return the words in the first column of a section's table."""
    return {name for row in rows(section(title)) for name in re.findall(r"`([\w-]+)`", row[0])}


@pytest.mark.parametrize(("title", "files"), WORDS.items())
def test_every_word_of_the_scripts_is_explained(title: str, files: tuple[str, ...]) -> None:
    """The table has each event and output that occurs, and none besides."""
    steps = [step for name in files for script in SCRIPTS[name] for step in script["steps"]]
    events = {step["event"]["type"] for step in steps}
    outputs = {output["do"] for step in steps for output in step["expect"]}

    assert explained(title) == (events if title.startswith("Events") else outputs)


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_field_of_a_step_is_explained(name: str) -> None:
    """A field of an event or an output is in the text, or it names a session or a peer."""
    steps = [step for script in SCRIPTS[name] for step in script["steps"]]
    used = {field for step in steps for each in [step["event"], *step["expect"]] for field in each}

    assert used - set(code(PAGE)) <= {"type", "do", "sessionId", "pcId"}


def test_every_field_of_a_script_is_explained() -> None:
    """The table of fields has those that the scripts have."""
    used = {field for scripts in SCRIPTS.values() for script in scripts for field in script}

    assert explained("Scripts") == used - {"steps"}


@pytest.mark.parametrize("name", SCRIPTS)
def test_every_script_is_a_duty_or_a_habit(name: str) -> None:
    """Its level says which, and its name is its own."""
    names = [script["name"] for script in SCRIPTS[name]]

    assert {script["level"] for script in SCRIPTS[name]} <= {"must", "should"}
    assert len(set(names)) == len(names)


def test_every_file_of_vectors_is_listed() -> None:
    """The first table leaves none out."""
    listed = {row[0].strip("`") for row in rows(PAGE) if row[0].endswith(".json`")}

    assert listed == {path.name for path in VECTORS.glob("*.json")}
