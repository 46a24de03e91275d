"""The page renews at the pace that the server's limits are made for."""

import re
from pathlib import Path

from signaling.wire import limits

MOVES = Path(__file__).parents[2] / "web" / "robosignal" / "moves.js"


def constant(name: str) -> int:
    """Return a number of the module's."""
    found = re.search(rf"const {name} = ([0-9_]+);", MOVES.read_text())
    assert found is not None, name
    return int(found[1])


def test_the_page_renews_as_often_as_the_server_expects() -> None:
    """In milliseconds there, in seconds here."""
    assert constant("HOLDER_RENEWS_MS") == limits.LEASE_RENEWAL_SECONDS * 1000
    assert constant("VIEWER_RENEWS_MS") == limits.PLACE_RENEWAL_SECONDS * 1000
