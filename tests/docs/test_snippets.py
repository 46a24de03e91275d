"""Every snippet of the pages can be read by what it is for: Python, a shell, a browser, JSON."""

import ast
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from _pytest.mark import ParameterSet

from tests.docs.pages import PAGES, ROOT, blocks, kinds, page

NAMES = [str(path.relative_to(ROOT)) for path in PAGES]
JAVASCRIPT = ("js", "jsx", "ts", "tsx")
READ = {"python", "sh", "html", *JAVASCRIPT, "json", "text", "", "mermaid", "toml"}
"""What snippets are written in. `text` and none are output, configuration, or cannot run here."""


def snippets(*wanted: str) -> list[ParameterSet]:
    """Return each snippet of these kinds, with its page and its place there."""
    return [
        pytest.param(body, id=f"{name}-{place}")
        for name in NAMES
        for place, body in enumerate(blocks(page(name), *wanted), start=1)
    ]


def test_every_kind_of_snippet_is_read_here() -> None:
    """Those of the protocol's page have a test of their own; Sphinx reads what is in braces."""
    found = {kind for name in NAMES for kind in kinds(page(name))}

    assert {kind for kind in found if not kind.startswith(("json ", "{"))} <= READ


@pytest.mark.parametrize("body", snippets("python"))
def test_python_parses(body: str) -> None:
    """Those that can run do so in tests of their own pages."""
    assert ast.parse(body).body


@pytest.mark.parametrize("body", snippets("sh"))
def test_a_shell_reads_its_commands(body: str) -> None:
    """Without carrying them out."""
    shell = shutil.which("sh") or "sh"
    read = subprocess.run([shell, "-n"], input=body, capture_output=True, text=True, check=False)

    assert (read.returncode, read.stderr) == (0, "")


def test_javascript_parses() -> None:
    """Scripts of HTML too; TypeScript reads all of them in one go."""
    found = [
        {"name": f"{name} {place}", "kind": kind, "code": body}
        for name in NAMES
        for kind in JAVASCRIPT
        for place, body in enumerate(blocks(page(name), kind), start=1)
    ]
    found += [
        {"name": name, "kind": "js", "code": script}
        for name in NAMES
        for body in blocks(page(name), "html")
        for script in re.findall(r"<script[^>]*>(.*?)</script>", body, re.DOTALL)
    ]
    read = subprocess.run(
        [Path(sys.executable).parent / "node", ROOT / "tests" / "docs" / "snippets.mjs"],
        input=json.dumps(found),
        capture_output=True,
        text=True,
        check=True,
    )

    assert len(found) > 1
    assert read.stdout == ""


@pytest.mark.parametrize("body", snippets("json"))
def test_json_parses(body: str) -> None:
    """What is to be copied into a file."""
    assert json.loads(body) is not None
