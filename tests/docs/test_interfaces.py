"""The pages list what the interfaces have: options, settings, writes, events, methods."""

import json
import re
from typing import Any

import pytest

from robosignal.protocol.messages import MESSAGES
from stacks.context import read_settings
from tests.docs.pages import ROOT, code, examples, page, rows

SHOWN = [
    example
    for name in ("deploy", "turn")
    for example in examples(page(f"docs/howto/{name}.md"), "json")
]
SOURCES = ROOT / "robosignal" / "server"


def variables(cells: list[str]) -> set[str]:
    """Return the names of environment variables among these cells."""
    return {cell.strip("`") for cell in cells if re.fullmatch(r"`[A-Z]+(_[A-Z]+)*`", cell)}


def test_the_readme_lists_the_environment_of_the_lambda() -> None:
    """Every variable that the settings read has a row."""
    source = (SOURCES / "settings.py").read_text(encoding="utf-8")
    read = set(re.findall(r'reader\.(?:require|read)\(\s*"([A-Z_]+)"', source))

    assert variables([row[0] for row in rows(page("README.md"))]) == read


def test_the_readme_marks_the_variables_that_are_required() -> None:
    """Its second column says which must be there."""
    source = (SOURCES / "settings.py").read_text(encoding="utf-8")
    needed = set(re.findall(r'reader\.require\(\s*"([A-Z_]+)"', source))
    required = [row[0] for row in rows(page("README.md")) if row[1] == "required"]

    assert variables(required) == needed


@pytest.mark.parametrize("example", SHOWN, ids=str)
def test_the_settings_that_are_shown_for_the_cdk_file_are_read_from_it(
    example: dict[str, Any],
) -> None:
    """The pages show lists as `cdk.json` may have them, in the object of a stage."""
    context = json.loads(page("cdk.json"))["context"]
    ((stage, shown),) = example["context"].items()
    settings = read_settings(
        {**context, stage: {**context.get(stage, {}), **shown}, "STAGE": stage}
    )

    read = {name: getattr(settings, name) for name in shown}
    assert json.loads(json.dumps(read)) == shown


def test_every_write_to_a_robot_is_explained() -> None:
    """docs/explanation/control.md has a row for each write to a robot or a code, and no other."""
    sources = set((SOURCES / "core" / "writes").glob("*.py"))
    sources -= {SOURCES / "core" / "writes" / "connections.py"}
    text = "".join(path.read_text(encoding="utf-8") for path in sources)
    written = set(re.findall(r'(?:Write|write_grace|write_late_loss)\(\s*"([a-z_]+)"', text))
    named = " ".join(row[0] for row in rows(page("docs/explanation/control.md")))
    explained = set(re.findall(r"`([a-z_]+)`", named))

    assert written <= explained
    assert explained - written <= {*MESSAGES, "control", "registered", "pong"}


def test_every_event_of_the_browsers_module_is_explained() -> None:
    """The page of the browser's module names each event that a signal or a session emits."""
    source = page("web/robosignal/types.js")
    listings = re.findall(r"@typedef \{object\} \w+Events\n(.*?)\*/", source, re.DOTALL)
    events = set(re.findall(r"@property \{[^\n]+\} ([\w-]+) ", "".join(listings)))

    assert len(listings) == 3
    assert events <= {row[0].strip("`") for row in rows(page("docs/reference/browser.md"))}


def test_every_method_of_the_browsers_module_is_explained() -> None:
    """Every method and property that its declarations have has a row."""
    declared = page("web/robosignal/robosignal.d.ts")
    named = " ".join(code(page("docs/reference/browser.md")))
    for variable, name in (("signal", "Signal"), ("session", "Session")):
        (body,) = re.findall(rf"(?ms)^declare class {name} .*?\n(.*?)^\}}", declared)
        methods = set(re.findall(r"^  (?:get )?(\w+)\(", body, re.MULTILINE))

        assert len(methods) > 10
        assert methods <= set(re.findall(rf"{variable}\.(\w+)", named))


LOOKED_FOR = [
    (question, name, path)
    for question, where, *_ in rows(page("docs/explanation/design.md"))
    for name, path in re.findall(r"`(\w+)` in `([\w/.-]+)`", where)
]


@pytest.mark.parametrize(("question", "name", "path"), LOOKED_FOR)
def test_where_to_look_is_where_it_is_defined(question: str, name: str, path: str) -> None:
    """The map of the code in docs/explanation/design.md names a definition, not only a file."""
    source = (ROOT / path).read_text(encoding="utf-8")
    kinds = rf"(?:def|class|export function) {name}\b|{name}\b(?:: [^=]+)? = "

    assert question
    assert re.search(rf"^(?:{kinds})", source, re.MULTILINE)


def test_the_map_of_the_code_answers_the_first_questions() -> None:
    """Every row of the table has an answer that the test above reads."""
    table = page("docs/explanation/design.md").partition("| question |")[2].partition("\n\n")[0]

    assert len({question for question, _, _ in LOOKED_FOR}) == table.count("\n") - 1 >= 14
