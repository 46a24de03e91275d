"""The tests that the page about testing shows are tests that pass."""

import os
import subprocess
import sys
from pathlib import Path

from tests.docs.pages import ROOT, blocks, page

SNIPPETS = blocks(page("docs/howto/test-your-own-code.md"), "python")


def test_the_tests_of_the_page_pass(tmp_path: Path) -> None:
    """Each in a file of its own, and the fixture turned on as the page says."""
    tests = [snippet for snippet in SNIPPETS if "def test_" in snippet]
    (plugin,) = [snippet for snippet in SNIPPETS if "pytest_plugins" in snippet]
    (tmp_path / "conftest.py").write_text(plugin, encoding="utf-8")
    for number, snippet in enumerate(tests):
        (tmp_path / f"test_{number}.py").write_text(snippet, encoding="utf-8")
    options = [
        "-q",
        "-p",
        "no:cacheprovider",
        "-o",
        "asyncio_mode=auto",
        "--rootdir",
        str(tmp_path),
    ]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 0, run.stdout
    assert f"{len(tests)} passed" in run.stdout
