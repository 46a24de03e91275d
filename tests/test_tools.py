"""The tools that run some of the tests name tests that there are."""

import pytest

from tests.docs.pages import ROOT
from tools import mutate, proof


@pytest.mark.parametrize("test", sorted({*mutate.TESTS, *proof.TESTS}))
def test_every_test_that_a_tool_runs_is_there(test: str) -> None:
    """Its file, and in it the function."""
    path, _, name = test.partition("::")
    text = (ROOT / path).read_text(encoding="utf-8") if path.endswith(".py") else ""

    assert (ROOT / path).exists()
    assert not name or f"def {name.partition('[')[0]}(" in text
