"""The page of settings says of settings and outputs what the code says."""

import re
from typing import Any

from stacks.context import NAMES, TYPES, describe_type, read_settings
from tests.stacks.synthesis import ROOT, Template

PAGE = (ROOT / "docs" / "reference" / "settings.md").read_text(encoding="utf-8")
DEV, PROD = read_settings({}), read_settings({"STAGE": "prod"})


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the table under a heading, without its first two lines."""
    section = PAGE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines[2:]]


def shown(value: Any) -> str:
    """Return a default as the page writes it."""
    if value is None or value == ():
        return "none"
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def test_the_page_has_every_setting_with_its_limits_and_defaults() -> None:
    """Neither one more nor one fewer, and nothing else about any."""
    told = {name.strip("`"): cells for name, _, *cells in rows("Settings")}
    fields = {name: "stage" if name == "STAGE" else name for name in NAMES}

    assert told == {
        name: [describe_type(TYPES[field]), shown(getattr(DEV, field)), shown(getattr(PROD, field))]
        for name, field in fields.items()
    }


def test_the_page_names_every_output(dev: Template) -> None:
    """The page says what each output is for."""
    section = PAGE.split("\n## Outputs\n", 1)[1].split("\n## ", 1)[0]

    assert set(re.findall(r"`(\w+)`", section)) == set(dev["Outputs"])
