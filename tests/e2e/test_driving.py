"""The main job on real input: drive a robot from each browser, lose it to another, come back."""

import re
from collections.abc import Callable, Iterator

import pytest

from robosignal.robot.media.test_pattern import BLOCK, NUMBER_BITS
from tests.e2e.conftest import Site
from tests.e2e.processes import Process
from tests.e2e.tabs import Open, Tab

ROBOT = "rover-1"
OWNER = "olga"
ADMIN = "boss"

# The frame number as the strip of blocks in the decoded video shows it; -1 before there is any.
FRAME_NUMBER = """([block, bits]) => {
  const video = document.querySelector('video[data-robot-id]');
  if (!video || !video.videoWidth) return -1;
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  const picture = canvas.getContext('2d');
  picture.drawImage(video, 0, 0);
  const isWhite = (n) => picture.getImageData((n + 0.5) * block, block / 2, 1, 1).data[0] > 127;
  if (!isWhite(0) || isWhite(1)) return -1;
  let number = 0;
  for (let n = 0; n < bits; n += 1) number = number * 2 + Number(isWhite(n + 2));
  return number;
}"""

# An application of its own on the module that the console uses: connect, drive, listen.
APPLICATION = """async ([url, token, robotId]) => {
  const { connect } = await import('/robosignal.js');
  const signal = connect({ url, token: () => token });
  await new Promise((resolve) => signal.on('state', (state) => state === 'online' && resolve()));
  const session = await signal.drive(robotId);
  window.heard = [];
  session.on('message', (message) => window.heard.push(message));
  session.on('refused', (epoch) => window.heard.push({ refused: epoch }));
  window.session = session;
}"""

# The red marker in the picture: how far from the top it is, and whether it is bright, as it is
# while the robot moves; null before there is any.
MARKER = """() => {
  const video = document.querySelector('video[data-robot-id]');
  if (!video || !video.videoWidth) return null;
  const canvas = document.createElement('canvas');
  [canvas.width, canvas.height] = [video.videoWidth, video.videoHeight];
  const picture = canvas.getContext('2d');
  picture.drawImage(video, 0, 0);
  const { data } = picture.getImageData(0, 0, canvas.width, canvas.height);
  const pixel = data.findIndex((red, at) => at % 4 === 0 && red - data[at + 1] > 60);
  const row = Math.floor(pixel / 4 / canvas.width);
  return pixel < 0 ? null : { row, moves: data[pixel + 1] > 100 };
}"""

HAS_STOPPED = (
    "() => document.querySelector('#notice').textContent.endsWith('Press again to drive.')"
)

SAY = "text => window.session.send(text)"


@pytest.fixture(scope="module")
def robot(site: Site) -> Iterator[Process]:
    """A robot that olga owns."""
    process = site.robot(ROBOT, OWNER)
    yield process
    process.stop()


def frame_number(page: Tab) -> int:
    """Return the number of the video frame that the page shows, -1 for none."""
    number: int = page.evaluate(FRAME_NUMBER, [BLOCK, NUMBER_BITS])
    return number


def wait_for_frame_after(page: Tab, number: int) -> int:
    """Wait until the page shows a later frame, and return its number."""
    script = f"args => ({FRAME_NUMBER})(args[0]) > args[1]"
    page.wait_for(script, [[BLOCK, NUMBER_BITS], number])
    return frame_number(page)


def hold_until(page: Tab, key: str, script: str, *args: object) -> None:
    """Hold a key until a function is true in the page; press again whenever the page asks for it.

    It does when it was itself held up for half a second, as on a machine that is busy.
    """
    is_true = False
    while not is_true:
        page.hold(key)
        page.wait_for(f"(...args) => ({script})(...args) || ({HAS_STOPPED})()", *args)
        page.let_go(key)
        is_true = page.evaluate(script, *args)


def row(page: Tab, action: str) -> None:
    """Press a button in the robot's row."""
    page.click(f"li[data-robot-id={ROBOT}] [data-action={action}]")


def test_video_advances_and_the_round_trip_is_measured(
    site: Site, robot: Process, open_page: Open
) -> None:
    """Drive shows live video, frame after frame, with a driver's name and a round trip."""
    page = open_page(site.link(OWNER))

    row(page, "drive")

    first = wait_for_frame_after(page, -1)
    assert wait_for_frame_after(page, first) > first
    page.wait_for_attribute("#panel", "data-driver", OWNER)
    page.wait_for("() => Number(document.querySelector('#panel').dataset.rttMs) > 0")
    robot.wait_for(f"^{ROBOT}: {OWNER} drives")
    page.click("#panel [data-action=leave]")
    robot.wait_for(f"^{ROBOT}: no one drives")


@pytest.mark.usefixtures("robot")
def test_the_first_frame_comes_soon_after_drive(
    site: Site, open_page: Open, record_property: Callable[[str, object], None]
) -> None:
    """How long a person waits for it is recorded."""
    page = open_page(site.link(OWNER))
    page.evaluate("() => { window.pressed = performance.now(); }")

    row(page, "drive")

    page.wait_for(f"args => ({FRAME_NUMBER})(args) >= 0", [BLOCK, NUMBER_BITS])
    took_ms = page.evaluate("() => performance.now() - window.pressed")
    record_property("figure", f"first video frame {took_ms:.0f} ms after Drive")
    page.click("#panel [data-action=leave]")


@pytest.mark.usefixtures("robot")
def test_the_data_channel_echoes_to_the_driver(site: Site, open_page: Open) -> None:
    """An application on robosignal.js says a text, and hears it back from the robot."""
    page = open_page(site.link(OWNER))
    token = site.token(OWNER)

    page.evaluate(APPLICATION, [site.websocket_url, token, ROBOT])
    page.wait_for(f"() => ({SAY})('hello robot')")

    page.wait_for("() => window.heard.includes('hello robot')")
    page.evaluate("() => window.session.leave()")


@pytest.mark.usefixtures("robot")
def test_a_message_above_the_channels_limit_is_refused_in_words(
    site: Site, open_page: Open
) -> None:
    """300 KB: an error with a code and the limit; what the limit allows is echoed."""
    page = open_page(site.link(OWNER))
    page.evaluate(APPLICATION, [site.websocket_url, site.token(OWNER), ROBOT])
    page.wait_for(f"() => ({SAY})('ready')")

    code, message = page.evaluate("""() => {
        try { return window.session.send("x".repeat(300_000)); }
        catch (error) { return [error.code, error.message]; }
    }""")
    limit = int(re.findall(r"takes (\d+) at most", message)[0])
    page.evaluate("limit => window.session.send('x'.repeat(limit))", limit)

    assert code == "too_large"
    page.wait_for("limit => window.heard.some((one) => one.length === limit)", limit)
    page.evaluate("() => window.session.leave()")


@pytest.mark.usefixtures("robot")
def test_a_session_whose_video_no_page_shows_is_live_too(site: Site, open_page: Open) -> None:
    """What has come is what counts, not whether an element shows it."""
    page = open_page(site.link(OWNER))
    page.evaluate(APPLICATION, [site.websocket_url, site.token(OWNER), ROBOT])

    page.wait_for("() => window.session.view.state === 'live'")
    assert page.evaluate("() => window.session.view.missing") == []
    page.evaluate("() => window.session.leave()")


@pytest.mark.usefixtures("robot")
def test_a_held_key_drives_and_letting_go_stops(site: Site, open_page: Open) -> None:
    """The marker in the picture rises while the key is down, and stops when it is up."""
    page = open_page(site.link(OWNER))
    row(page, "drive")
    wait_for_frame_after(page, -1)
    before = page.wait_for(MARKER)
    # Keys drive once picture and channel are there, and while the video has the focus, which it is
    # given at the end of Drive.
    page.wait_for("() => document.querySelector('#panel').dataset.banner === 'you-drive'")
    page.wait_for("() => document.activeElement?.id === 'video'")

    has_risen = f"above => {{ const now = ({MARKER})(); return now !== null && now.row < above; }}"
    hold_until(page, "ArrowUp", has_risen, before["row"])

    page.wait_for(f"() => ({MARKER})()?.moves === false")
    page.click("#panel [data-action=leave]")


def test_a_driver_who_reloads_drives_again_at_once(
    site: Site, robot: Process, open_page: Open
) -> None:
    """No half minute in which Drive is disabled because it is they who drive elsewhere."""
    page = open_page(site.link(OWNER))
    row(page, "drive")
    wait_for_frame_after(page, -1)
    robot.wait_for(f"^{ROBOT}: {OWNER} drives")

    page.reload()
    row(page, "drive")

    robot.wait_for(f"^{ROBOT}: {OWNER} drives")
    wait_for_frame_after(page, -1)
    page.wait_for_text("#banner-title", f"You drive {ROBOT}")
    page.click("#panel [data-action=leave]")


def test_a_takeover_is_shown_to_the_first_driver_and_fences_it(
    site: Site, robot: Process, open_page: Open
) -> None:
    """Another takes over: the first one sees by whom, and the robot refuses its commands."""
    first, second = open_page(site.link(OWNER)), open_page(site.link(ADMIN, "ADMINS"))
    row(first, "drive")
    wait_for_frame_after(first, -1)

    row(second, "take-over")

    first.wait_for_text("#banner-title", f"You lost control to “{ADMIN}”")
    first.wait_for_attribute("#panel", "data-driver", ADMIN)
    second.wait_for_text("#banner-title", f"You drive {ROBOT}")
    wait_for_frame_after(second, -1)
    # The displaced driver watches on, in a session whose commands the robot refuses.
    wait_for_frame_after(first, frame_number(first))
    robot.wait_for(f"^{ROBOT}: {ADMIN} drives")
    second.click("#panel [data-action=leave]")
    first.click("#panel [data-action=leave]")


def test_a_displaced_drivers_commands_are_refused_by_the_robot(
    site: Site, robot: Process, open_page: Open
) -> None:
    """What was echoed before the takeover is refused after it, with the epoch that counts."""
    first, second = open_page(site.link(OWNER)), open_page(site.link(ADMIN, "ADMINS"))
    first.evaluate(APPLICATION, [site.websocket_url, site.token(OWNER), ROBOT])
    first.wait_for(f"() => ({SAY})('mine')")
    first.wait_for("() => window.heard.includes('mine')")

    row(second, "take-over")
    robot.wait_for(f"^{ROBOT}: {ADMIN} drives")

    first.wait_for(
        f"() => {{ ({SAY})('still mine?'); return window.heard.some((one) => one.refused > 0); }}"
    )
    assert "still mine?" not in first.evaluate("() => window.heard")
    first.evaluate("() => window.session.leave()")
    second.click("#panel [data-action=leave]")


def test_control_is_handed_over_by_consent_and_both_pictures_go_on(
    site: Site, robot: Process, open_page: Open
) -> None:
    """A viewer asks, the driver grants: the robot obeys the other, and neither reloads."""
    driver, viewer = open_page(site.link(OWNER)), open_page(site.link(ADMIN, "ADMINS"))
    row(driver, "drive")
    wait_for_frame_after(driver, -1)
    row(viewer, "watch")
    wait_for_frame_after(viewer, -1)

    viewer.click("#panel [data-action=request]")
    driver.click("[data-action=grant]")

    robot.wait_for(f"^{ROBOT}: {ADMIN} drives")
    viewer.wait_for_text("#banner-title", f"You drive {ROBOT}")
    driver.wait_for_attribute("#panel", "data-driver", ADMIN)
    for page in (driver, viewer):
        wait_for_frame_after(page, frame_number(page))
    for page in (viewer, driver):
        page.click("#panel [data-action=leave]")


def test_presence_is_pushed_to_a_page_that_watches(site: Site, open_page: Open) -> None:
    """A robot that comes online appears in a page that is open already, and goes offline there."""
    page = open_page(site.link("walter"))
    appeared = "li[data-robot-id=rover-2]"

    robot = site.robot("rover-2", "walter")

    page.wait_for_attribute(appeared, "data-online", "true")
    robot.stop()
    page.wait_for_attribute(appeared, "data-online", "false")
