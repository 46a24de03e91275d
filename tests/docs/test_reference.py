"""The reference pages are what the code says: `python -m tools.reference` rewrites them."""

import pytest

from robosignal.protocol.errors import SignalingError
from tests.docs.pages import page
from tools.reference import BLOCKS, render


@pytest.mark.parametrize("name", BLOCKS)
def test_the_page_has_its_block_as_the_code_has_it(name: str) -> None:
    """Errors and commands."""
    assert page(f"docs/reference/{name}.md") == render(name)


@pytest.mark.parametrize("kind", SignalingError.__subclasses__(), ids=lambda kind: kind.code)
def test_every_error_has_a_cause_and_a_remedy(kind: type[SignalingError]) -> None:
    """Its docstring says what happened, and `remedy` what to do about it."""
    assert kind.__doc__
    assert kind.remedy
