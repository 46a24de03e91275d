"""The control lease's page: its picture and its table are what the writes do."""

from pathlib import Path

import pytest

from tools.lease_table import EVENTS, STATES, block, outcome, state_of

PAGE = Path(__file__).parents[2] / "docs" / "explanation" / "control.md"


def test_the_page_has_the_table_as_it_is() -> None:
    """`python -m tools.lease_table` rewrites it."""
    assert block() in PAGE.read_text()


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("state", STATES)
def test_who_holds_changes_only_with_the_epoch(state: str, event: str) -> None:
    """The lease begins and ends in the write that raises the epoch."""
    found = outcome(state, event)
    after, rises = found if found is not None else (state, False)

    assert rises or (after == "free") == (state == "free")


def test_each_state_is_what_it_is_called() -> None:
    """The items that the table is worked out on."""
    items = {
        name: {"controller": held and {"until": held.until, "lost": held.lost}}
        for name, held in STATES.items()
    }

    assert {name: state_of(item) for name, item in items.items()} == {name: name for name in STATES}
