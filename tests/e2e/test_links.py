"""The links that `serve --demo` prints, opened in real browsers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.processes import Process
from tests.e2e.tabs import Launched, Open

DEMO = r"^  demo, .* (http\S+)$"
ADMIN = r"^  admin, .* (http\S+)$"
USED = (
    "This link has been used, or is too old. "
    "The terminal in which the server runs shows the next one."
)


@pytest.fixture
def demo(tmp_path: Path) -> Iterator[Process]:
    """A gateway with the demo robot."""
    found = Process("serve", "--demo", "--port", "0", "--state", str(tmp_path))
    yield found
    assert found.stop() == 0


def test_a_printed_link_signs_in_and_leaves_nothing_behind(demo: Process, open_page: Open) -> None:
    """Neither the address nor any place in the tab's history has its code; a reload stays in."""
    link = demo.wait_for(DEMO)[1]
    page = open_page(link)
    address = page.evaluate("() => location.href")
    page.reload()
    page.wait_for_attribute("body", "data-state", "online")

    assert address == page.evaluate("() => location.href") == link.partition("#")[0]
    assert page.evaluate("() => history.state") is None
    page.wait_for_text("#who", "demo")


def test_a_link_that_was_used_says_so_and_the_next_one_serves(
    demo: Process, browser: Launched, open_page: Open
) -> None:
    """The terminal has shown it by then, for the same user."""
    link = demo.wait_for(ADMIN)[1]
    open_page(link)
    late = browser.tab()
    late.goto(link)
    late.wait_for_text("#notice", USED)
    address = late.evaluate("() => location.href")
    kept = late.evaluate("() => sessionStorage.length")
    late.close()
    demo.wait_for("^the next link:$")
    page = open_page(demo.wait_for(ADMIN)[1])
    page.wait_for_text("#who", "admin")

    assert (address, kept) == (link.partition("#")[0], 0)


def test_both_links_are_there_for_a_takeover(demo: Process, open_page: Open) -> None:
    """As the README tells: the second window takes over from the first."""
    first, second = demo.wait_for(DEMO)[1], demo.wait_for(ADMIN)[1]
    demo.wait_for("^demo: online")
    driver, admin = open_page(first), open_page(second)
    driver.click("li[data-robot-id=demo] [data-action=drive]")
    driver.wait_for_text("#banner-title", "You drive demo")
    admin.click("li[data-robot-id=demo] [data-action=take-over]")

    driver.wait_for_text("#banner-title", "You lost control to “admin”")
    admin.wait_for_text("#banner-title", "You drive demo")
