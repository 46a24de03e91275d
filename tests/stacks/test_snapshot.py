"""A tripwire: the production template as it was when somebody last looked at all of it.

When a change is meant, rewrite the snapshot and read the difference:
    ROBOSIGNAL_SNAPSHOT=write .venv/bin/pytest tests/stacks/test_snapshot.py
"""

import json
import os
import re
from pathlib import Path

from tests.stacks.synthesis import Template

SNAPSHOT = Path(__file__).parent / "snapshot.json"
HASHES = re.compile(r"[0-9a-f]{64}|(?<=CurrentVersion)[0-9A-F]{8}[0-9a-f]{32}")


def masked(template: Template) -> str:
    """Return the template's text without what changes with the function's code."""
    return HASHES.sub("HASH", json.dumps(template, indent=1, sort_keys=True)) + "\n"


def test_the_template_is_the_one_that_was_looked_at(prod: Template) -> None:
    """Nothing changes by the way: not by a new CDK, not by a flag."""
    if os.environ.get("ROBOSIGNAL_SNAPSHOT") == "write":
        SNAPSHOT.write_text(masked(prod))

    assert masked(prod) == SNAPSHOT.read_text()
