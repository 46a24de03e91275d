"""The page renews at the pace that the server's limits are made for."""

import re
from pathlib import Path

from signaling.wire import limits

MODULE = Path(__file__).parents[2] / "web" / "robosignal"


def constant(name: str, file: str = "moves.js") -> int:
    """Return a number of the module's."""
    found = re.search(rf"const {name} = ([0-9_]+);", (MODULE / file).read_text())
    assert found is not None, name
    return int(found[1])


def test_the_page_renews_as_often_as_the_server_expects() -> None:
    """In milliseconds there, in seconds here."""
    assert constant("HOLDER_RENEWS_MS") == limits.LEASE_RENEWAL_SECONDS * 1000
    assert constant("VIEWER_RENEWS_MS") == limits.PLACE_RENEWAL_SECONDS * 1000


def test_the_page_lists_again_when_the_index_has_caught_up() -> None:
    """In milliseconds there, in seconds here."""
    assert constant("SECOND_LOOK_MS", "watching.js") == limits.SECOND_LOOK_SECONDS * 1000
