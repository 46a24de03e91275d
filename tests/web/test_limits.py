"""The page renews at the pace that the server's limits are made for."""

import re
from pathlib import Path

from robosignal.robot import commands
from signaling.wire import limits

MOVES = Path(__file__).parents[2] / "web" / "robosignal" / "moves.js"
KEYS = MOVES.with_name("keys.js")


def constant(name: str, module: Path = MOVES) -> int:
    """Return a number of the module's."""
    found = re.search(rf"const {name} = ([0-9_]+);", module.read_text())
    assert found is not None, name
    return int(found[1])


def test_what_is_held_outlasts_no_watchdog_of_the_robots() -> None:
    """A page that has not run, or not sent, for so long drives a robot that has stopped."""
    assert constant("WATCHDOG_MS", KEYS) == commands.WATCHDOG_MS


def test_the_page_renews_as_often_as_the_server_expects() -> None:
    """In milliseconds there, in seconds here."""
    assert constant("HOLDER_RENEWS_MS") == limits.LEASE_RENEWAL_SECONDS * 1000
    assert constant("VIEWER_RENEWS_MS") == limits.PLACE_RENEWAL_SECONDS * 1000
