"""A driver's tab that is hidden for a while: what the page says of the picture then and after."""

import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.browser import require_browser
from tests.e2e.chromium import Chromium, Page
from tests.e2e.conftest import Site
from tests.e2e.processes import Process
from tests.e2e.rover import OWNER, ROBOT, running_rover

HIDDEN_SECONDS = 4
"""A browser slows the timers of a hidden page to one a second."""

PANEL = "document.querySelector('#panel')"
UNTIL = """condition => new Promise(done => {
    const look = () => condition() ? done(true) : setTimeout(look, 20);
    look();
})"""
WATCH = """(() => {
    window.marks = [];
    const panel = document.querySelector("#panel");
    const note = () => marks.push([document.visibilityState, panel.dataset.picture]);
    new MutationObserver(note).observe(panel, { attributeFilter: ["data-picture"] });
})()"""
RETURN_MS = """(async () => {
    while (document.visibilityState !== "visible") await new Promise(go => setTimeout(go, 5));
    const began = performance.now();
    await new Promise(go => document.querySelector("video").requestVideoFrameCallback(go));
    return performance.now() - began;
})()"""


def until(page: Page, condition: str) -> None:
    """Wait in the page for a condition."""
    assert page.run(f"({UNTIL})(() => {condition})")


@pytest.fixture
def rover(site: Site) -> Iterator[Process]:
    """A robot whose camera can be stopped."""
    with running_rover(site.websocket_url, site.token(OWNER)) as process:
        yield process


@pytest.fixture
def page(
    site: Site,
    rover: Process,  # noqa: ARG001 - it must be up
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Page]:
    """The console of a driver, in a browser whose tabs are really hidden."""
    chromium = Chromium(require_browser(), tmp_path_factory.mktemp("profile"))
    opened = chromium.open(site.link(OWNER))
    drive = f"document.querySelector('li[data-robot-id={ROBOT}] [data-action=drive]:enabled')"
    until(opened, f"{drive} !== null")
    opened.run(f"{drive}.click()")
    until(opened, "document.querySelector('#pad').dataset.active === 'true'")
    opened.run(WATCH)
    yield opened
    chromium.stop()


def come_back(page: Page) -> None:
    """Bring the page to the front again."""
    page.chromium.call("Target.activateTarget", targetId=page.target)


def alarms(page: Page) -> list[tuple[str, str]]:
    """Return what the picture was other than live, and whether the page was seen then."""
    found: list[Any] = page.run("window.marks")
    return [(seen, state) for seen, state in found if state != "live"]


def test_a_tab_that_was_hidden_raises_no_alarm_when_it_comes_back(
    page: Page, record_property: Callable[[str, object], None]
) -> None:
    """Its element shows no frames meanwhile, and the robot sends them all the same: live."""
    other = page.chromium.open("about:blank")
    hidden = page.run("document.visibilityState")
    time.sleep(HIDDEN_SECONDS)
    come_back(page)
    record_property("figure", f"first frame {page.run(RETURN_MS):.0f} ms after the tab came back")
    until(page, f"{PANEL}.dataset.banner === 'you-drive'")
    other.close()

    assert hidden == "hidden"
    assert alarms(page) == []


def test_a_camera_that_stops_while_the_tab_is_hidden_is_told_before_and_after_the_return(
    page: Page, rover: Process
) -> None:
    """The decoder is asked then: stale while hidden, and still so when somebody looks."""
    other = page.chromium.open("about:blank")
    os.kill(rover.pid, signal.SIGUSR1)
    until(page, f"{PANEL}.dataset.picture === 'stale'")
    found = alarms(page)
    come_back(page)
    until(page, "document.visibilityState === 'visible'")
    until(page, f"{PANEL}.dataset.picture === 'stale' && {PANEL}.dataset.banner === 'waiting'")
    words = page.run("document.querySelector('#picture-words').textContent")
    os.kill(rover.pid, signal.SIGUSR2)
    until(page, f"{PANEL}.dataset.picture === 'live' && {PANEL}.dataset.banner === 'you-drive'")
    other.close()

    assert ("hidden", "stale") in found
    assert "camera" in words
