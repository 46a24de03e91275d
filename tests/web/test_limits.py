"""What the page says of limits and browsers agrees with the server and the documents."""

import re
from pathlib import Path

import pytest

from robosignal.protocol import limits
from robosignal.robot import drive

ROOT = Path(__file__).parents[2]
MODULE = ROOT / "web" / "robosignal"
SUPPORTED = "Chrome or Edge 100, Firefox 113, Safari 15.4, or a later version of these"


def constant(name: str, file: str = "session/migration.js") -> int:
    """Return a number of the module's."""
    found = re.search(rf"const {name} = ([0-9_]+);", (MODULE / file).read_text())
    assert found is not None, name
    return int(found[1])


def test_what_is_held_outlasts_no_watchdog_of_the_robots() -> None:
    """A page that has not run, or not sent, for so long drives a robot that has stopped."""
    assert constant("WATCHDOG_MS", "keys.js") == drive.WATCHDOG_MS


def test_the_page_renews_as_often_as_the_server_expects() -> None:
    """In milliseconds there, in seconds here."""
    assert constant("CONTROLLER_RENEWS_MS") == limits.LEASE_RENEWAL_SECONDS * 1000
    assert constant("VIEWER_RENEWS_MS") == limits.VIEWER_RENEWAL_SECONDS * 1000


@pytest.mark.parametrize(
    "place",
    [
        "web/console/check.js",
        "web/robosignal/environment.js",
        "docs/howto/own-page.md",
        "tests/web/test_denied.py",
    ],
)
def test_every_place_names_the_same_browsers(place: str) -> None:
    """The check at load, `connect`, the document, and what the browser's tests expect."""
    assert SUPPORTED in (ROOT / place).read_text(encoding="utf-8")


def test_the_check_at_load_is_written_for_browsers_that_know_no_modules() -> None:
    """No syntax after ES5: such a browser would not even say why nothing happens."""
    source = (ROOT / "web" / "console" / "check.js").read_text(encoding="utf-8")
    code = re.sub(r'/\*.*?\*/|//[^\n]*|"[^"]*"', "", source, flags=re.DOTALL)

    assert not re.search(r"=>|`|\?\.|\?\?|\b(let|const|class|import|async|of)\b", code)


def test_the_page_lists_again_when_the_index_has_caught_up() -> None:
    """In milliseconds there, in seconds here."""
    assert constant("SECOND_LOOK_MS", "presence.js") == limits.SECOND_LOOK_SECONDS * 1000
