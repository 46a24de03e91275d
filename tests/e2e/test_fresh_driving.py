"""What a driver sees and sends while the robot, its camera or its motors stop, in real browsers."""

import os
import signal
import time
from collections.abc import Callable, Iterator

import pytest

from tests.e2e.conftest import Site
from tests.e2e.processes import PATIENCE_SECONDS, Process
from tests.e2e.rover import OWNER, ROBOT, running_rover
from tests.e2e.tabs import Open, Tab

ADMIN = "boss"
LIMIT_MS = 500
"""As the page has it, for a robot of 20 frames a second."""
PATIENT = 10
"""How many times a limit may pass on a machine that is busy with other tests."""

AGAIN = "Press again once that is over."

# When the panel's picture became each state, in epoch ms, and what the banner was then.
WATCH = """() => {
  const panel = document.querySelector('#panel');
  window.marks = [];
  const note = () => window.marks.push([panel.dataset.picture, Date.now(), panel.dataset.banner]);
  new MutationObserver(note).observe(panel, { attributeFilter: ['data-picture'] });
}"""
MARK = "state => window.marks.find(([name]) => name === state)?.[1]"
MARKS = "() => window.marks"
ASKS_TO_PRESS = "() => document.querySelector('#notice').textContent.includes('Press again')"
IS_RTT_OLD = "() => document.querySelector('#fact-rtt').dataset.old"


@pytest.fixture
def rover(site: Site) -> Iterator[Process]:
    """A robot that olga owns, which prints its motion."""
    with running_rover(site.websocket_url, site.token(OWNER)) as process:
        yield process


@pytest.fixture
def driver(site: Site, open_page: Open, rover: Process) -> Tab:  # noqa: ARG001 - it must be up
    """The console of a driver, whose picture is live."""
    page = open_page(site.link(OWNER))
    page.click(f"li[data-robot-id={ROBOT}] [data-action=drive]")
    page.wait_for_text("#banner-title", f"You drive {ROBOT}")
    page.wait_for_attribute("#panel", "data-picture", "live")
    page.wait_for_attribute("#pad", "data-active", "true")
    page.evaluate(WATCH)
    return page


def drive_ahead(page: Tab, rover: Process) -> None:
    """Hold W until the robot moves; press again whenever the page asks for it.

    It does where a busy machine has kept the picture or the page back for a moment.
    """
    until = time.monotonic() + PATIENCE_SECONDS
    rover.drain()
    page.hold("KeyW")
    while not any(line.startswith("moves 1.0") for line in rover.drain()):
        assert time.monotonic() < until, f"never moves:\n{rover.output}"
        if page.evaluate(ASKS_TO_PRESS):
            page.let_go("KeyW")
            page.wait_for_attribute("#pad", "data-active", "true")
            page.hold("KeyW")


def marked_after(page: Tab, state: str, since: float, report: Callable[[str], None]) -> int:
    """Return after how many ms the page has marked its picture, and took its green away."""
    took = int(page.wait_for(MARK, state) - since * 1000)
    report(f"picture {state}: {took} ms after the last frame could come")
    marks = page.evaluate(MARKS)
    assert [banner for name, _, banner in marks if name != "live" and banner == "you-drive"] == []
    return took


@pytest.fixture
def report(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """Print a figure, and keep it with the test's result."""

    def say(text: str) -> None:
        print(text)  # noqa: T201 - a figure to read with -s
        record_property("figure", text)

    return say


def test_a_robot_whose_process_stops_is_marked_and_a_held_key_does_not_go_on(
    driver: Tab, rover: Process, report: Callable[[str], None]
) -> None:
    """SIGSTOP: frozen in time, never green; after SIGCONT only a new press moves the robot."""
    drive_ahead(driver, rover)
    since = time.time()
    os.kill(rover.pid, signal.SIGSTOP)
    try:
        took = marked_after(driver, "frozen", since, report)
        is_rtt_old = driver.evaluate(IS_RTT_OLD)
        driver.wait_for(
            "() => document.querySelector('#notice').textContent.startsWith('Stopped.')"
        )
    finally:
        os.kill(rover.pid, signal.SIGCONT)
    driver.wait_for_attribute("#panel", "data-picture", "live")
    driver.wait_for_attribute("#pad", "data-active", "true")
    rover.wait_for(r"^moves 0\.0")
    rover.drain()
    time.sleep(1)  # The key is still down: this is how long nothing may move.
    moved = [line for line in rover.drain() if line.startswith("moves 1")]
    driver.let_go("KeyW")
    drive_ahead(driver, rover)
    driver.let_go("KeyW")

    assert LIMIT_MS - 100 <= took <= PATIENT * LIMIT_MS
    assert is_rtt_old == "true"
    assert moved == []


def test_a_press_before_the_first_picture_is_ignored_in_words_and_never_drives_later(
    site: Site, open_page: Open, rover: Process
) -> None:
    """W is held from before the picture comes: nothing moves, and the page asks for a new press."""
    os.kill(rover.pid, signal.SIGUSR1)
    page = open_page(site.link(OWNER))
    page.click(f"li[data-robot-id={ROBOT}] [data-action=drive]")
    page.wait_for("() => document.activeElement?.id === 'video'")
    page.hold("KeyW")
    page.wait_for_text("#notice", f"Nothing moves. The robot is not connected. {AGAIN}")
    os.kill(rover.pid, signal.SIGUSR2)
    page.wait_for_attribute("#pad", "data-active", "true")
    time.sleep(0.5)  # The key is still down: this is how long nothing may move.
    moved = [line for line in rover.drain() if line.startswith("moves 1")]
    notice = page.evaluate("() => document.querySelector('#notice').textContent")
    page.let_go("KeyW")
    drive_ahead(page, rover)
    page.wait_for_text("#notice", "")
    page.let_go("KeyW")

    assert moved == []
    assert notice.endswith(AGAIN)


def test_a_camera_that_stops_is_marked_apart_and_past_twice_the_limit_nothing_drives(
    driver: Tab, rover: Process, report: Callable[[str], None]
) -> None:
    """The robot is heard, its picture does not move: stale, in words, and no motion."""
    drive_ahead(driver, rover)
    since = time.time()
    os.kill(rover.pid, signal.SIGUSR1)
    took = marked_after(driver, "stale", since, report)
    age = driver.evaluate("() => Number(document.querySelector('#panel').dataset.pictureAgeMs)")
    words = driver.evaluate("() => document.querySelector('#picture-words').textContent")
    rover.wait_for(r"^moves 0\.0")
    stopped = time.time() - since
    driver.wait_for("() => document.querySelector('#panel').dataset.banner !== 'you-drive'")
    report(f"no motion {stopped * 1000:.0f} ms after the camera stopped")
    os.kill(rover.pid, signal.SIGUSR2)
    driver.wait_for_attribute("#panel", "data-picture", "live")
    driver.let_go("KeyW")
    drive_ahead(driver, rover)
    driver.let_go("KeyW")

    # The last frame may be as old as a frame lasts by then.
    assert LIMIT_MS - 100 <= took <= PATIENT * LIMIT_MS
    assert age >= LIMIT_MS
    assert "camera" in words
    assert 2 * LIMIT_MS - 100 <= stopped * 1000 <= PATIENT * 2 * LIMIT_MS


def test_the_space_bar_stops_the_robot_for_all_until_the_driver_clears_it(
    driver: Tab, rover: Process
) -> None:
    """Space while W is held: it stops and stays so; after Clear only a new press moves it."""
    drive_ahead(driver, rover)
    driver.hold(" ")
    rover.wait_for(f"{OWNER} stops the robot")
    driver.let_go(" ")
    driver.wait_for_text("#banner-title", f"Stopped by “{OWNER}”")
    driver.wait_for_attribute("#panel", "data-banner", "waiting")
    driver.let_go("KeyW")
    rover.drain()
    driver.hold("KeyW")
    time.sleep(0.5)  # This is how long a press may move nothing.
    moved = [line for line in rover.drain() if line.startswith("moves 1")]
    driver.let_go("KeyW")
    driver.click("[data-action=clear-stop]")
    driver.wait_for_text("#banner-title", f"You drive {ROBOT}")
    driver.wait_for_attribute("#pad", "data-active", "true")
    driver.evaluate("() => document.querySelector('video').focus()")
    drive_ahead(driver, rover)
    driver.let_go("KeyW")

    assert moved == []


def test_a_viewer_who_may_drive_stops_the_robot_with_the_button(
    site: Site, driver: Tab, rover: Process, open_page: Open
) -> None:
    """Everyone reads who it was; the driver clears it."""
    viewer = open_page(site.link(ADMIN, "ADMINS"))
    viewer.click(f"li[data-robot-id={ROBOT}] [data-action=watch]")
    viewer.wait_for_attribute("#panel", "data-picture", "live")
    viewer.click("[data-action=stop]")
    rover.wait_for(f"{ADMIN} stops the robot")
    driver.wait_for_text("#banner-title", f"Stopped by “{ADMIN}”")
    viewer.wait_for_text("#banner-text", f"Stopped by “{ADMIN}”.")
    driver.click("[data-action=clear-stop]")
    viewer.wait_for("() => !document.querySelector('#banner-text').textContent.includes('Stopped')")
