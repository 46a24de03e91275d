"""What a driver sees of the path: direct, through a TURN server, cut, and losing packets.

Gateway, robot, browser and coturn are in a network of their own, whose firewall decides.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.browser import BrowserName
from tests.coturn import write_command
from tests.e2e.conftest import Site, serve
from tests.e2e.network import ADDRESS, ALL, TURN_PORT, Network, own_network
from tests.e2e.processes import Process
from tests.e2e.rover import OWNER, ROBOT, running_rover
from tests.e2e.tabs import BROWSERS, Launched, Open, Tab, launched
from tests.e2e.test_fresh_driving import drive_ahead

SECRET = "behind-the-hills"
OTHER_SECRET = "behind-the-dunes"
LOST_PERCENT = 20

FIRST_FACT = """path => document.querySelector('#fact-path').textContent
  .startsWith(`${path}\\u00a0·`)"""
LOSS = """() => {
  const path = document.querySelector('#fact-path').textContent;
  return Number(/([\\d.]+)\\u00a0%\\u00a0lost/.exec(path)?.[1] ?? -1);
}"""

WHY: dict[BrowserName, str] = {
    "chrome": "The TURN server refuses the password: its secret may differ",
    "firefox": "The network may need a TURN server.",
}
PATH_MS = 60_000
"""Longer than the page waits for a path."""
TEXT_INCLUDES = """(selector, text) =>
  document.querySelector(selector)?.textContent.includes(text)"""

# Every loss that the page says from now on.
NOTE_LOSS = f"""() => {{
  window.losses = [];
  const note = () => window.losses.push(({LOSS})());
  const whole = {{ childList: true, characterData: true, subtree: true }};
  new MutationObserver(note).observe(document.querySelector('#fact-path'), whole);
}}"""
# The words and the banner at the same moment: the banner has others once ICE notices as well.
IS_FROZEN_IN_WORDS = """() => {
  const panel = document.querySelector('#panel');
  const words = document.querySelector('#picture-words').textContent;
  return panel.dataset.picture === 'frozen' && panel.dataset.banner === 'waiting'
    && words.startsWith('Neither the robot nor its picture is heard of.');
}"""

# An application of its own, which watches.
APPLICATION = """async ([url, token, robotId]) => {
  const { connect } = await import('/robosignal.js');
  const signal = connect({ url, token: () => token });
  await new Promise((resolve) => signal.on('state', (state) => state === 'online' && resolve()));
  window.session = await signal.view(robotId);
}"""


@pytest.fixture(scope="module")
def network() -> Iterator[Network]:
    """One network for the file, in which a coturn runs."""
    with own_network() as found:
        yield found


@pytest.fixture(scope="module")
def turn_server(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Process]:
    """A coturn that shares the secret, at an address of the network's."""
    directory = tmp_path_factory.mktemp("coturn")
    command = write_command([SECRET], directory, address=ADDRESS, port=TURN_PORT)
    process = Process(program=tuple(command), within=network.within)
    process.wait_for("UDP listener opened")
    yield process
    process.kill()  # It takes seconds to end in an orderly way.


def serve_with_turn(network: Network, state: Path, secret: str) -> Site:
    """Start a gateway that gives out passwords of this secret for the coturn."""
    turn = {"TURN_URLS": f"turn:{ADDRESS}:{TURN_PORT}", "TURN_SECRET": secret}
    return serve(state, environment=turn, within=network.within)


@pytest.fixture(scope="module")
def site(network: Network, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A gateway whose secret is coturn's."""
    found = serve_with_turn(network, tmp_path_factory.mktemp("state"), SECRET)
    yield found
    found.process.stop()


@pytest.fixture(scope="module", params=BROWSERS)
def browser(request: pytest.FixtureRequest, network: Network) -> Iterator[Launched]:
    """Each browser in turn, in the network."""
    with launched(request.param, network.within) as found:
        yield found


@pytest.fixture
def rover(site: Site, network: Network, turn_server: Process) -> Iterator[Process]:  # noqa: ARG001 - it must be up
    """A robot that olga owns, which prints its motion."""
    network.open()
    with running_rover(site.websocket_url, site.token(OWNER), network.within) as process:
        yield process


def start_to_drive(site: Site, open_page: Open) -> Tab:
    """Return the console of a driver, once the picture is live and the robot takes commands."""
    page = open_page(site.link(OWNER))
    page.click(f"li[data-robot-id={ROBOT}] [data-action=drive]")
    page.wait_for_attribute("#panel", "data-picture", "live")
    page.wait_for_attribute("#pad", "data-active", "true")
    return page


def wait_for_path(site: Site, page: Tab, path: str) -> None:
    """Wait until an application's own session beside the console's tells that its path is this."""
    page.evaluate(APPLICATION, [site.websocket_url, site.token(OWNER), ROBOT])
    # A robot's relay that is heard of before it is told counts as direct for the moment.
    page.wait_for("path => window.session.view.picture.path === path", path)
    page.evaluate("() => window.session.leave()")


def test_a_direct_path_is_said_to_be_direct(site: Site, rover: Process, open_page: Open) -> None:
    """A TURN server is there, and is not needed."""
    page = start_to_drive(site, open_page)
    page.wait_for(FIRST_FACT, "Direct")
    drive_ahead(page, rover)
    page.let_go("KeyW")

    wait_for_path(site, page, "direct")


@pytest.mark.parametrize("firewall", [Network.close_direct_paths, Network.close_all_but_the_server])
def test_a_relayed_path_is_said_to_be_relayed_and_drives(
    site: Site,
    network: Network,
    rover: Process,
    open_page: Open,
    firewall: Callable[[Network], None],
) -> None:
    """One relay, or one at each end: coturn takes the passwords that the gateway gave out."""
    firewall(network)
    page = start_to_drive(site, open_page)
    page.wait_for(FIRST_FACT, "Relayed")
    drive_ahead(page, rover)
    page.let_go("KeyW")

    wait_for_path(site, page, "relay")


def test_lost_packets_are_counted_on_the_page_and_the_count_goes_away_again(
    site: Site,
    network: Network,
    rover: Process,
    open_page: Open,
    record_property: Callable[[str, object], None],
) -> None:
    """The kernel drops packets by chance: the page says how many, and then none again."""
    page = start_to_drive(site, open_page)
    page.wait_for(f"() => ({LOSS})() === 0")
    network.lose(LOST_PERCENT)
    page.evaluate(NOTE_LOSS)
    page.wait_for(f"() => ({LOSS})() >= {LOST_PERCENT / 4}")
    page.wait_for("() => window.losses.length >= 6")
    told = page.evaluate("() => window.losses")
    lost, reached = network.count_lost()
    drive_ahead(page, rover)
    page.let_go("KeyW")
    network.open()
    page.wait_for(f"() => ({LOSS})() === 0")
    page.wait_for_text("#banner-title", f"You drive {ROBOT}")
    drive_ahead(page, rover)
    page.let_go("KeyW")

    really = 100 * lost / (lost + reached)
    record_property("figure", f"{told} % lost on the page, {really:.0f} % of all packets")


def test_a_cut_path_is_told_in_words_that_go_away_again(
    site: Site, network: Network, rover: Process, open_page: Open
) -> None:
    """Every packet is lost: neither robot nor picture is heard of, until the path is back."""
    page = start_to_drive(site, open_page)
    network.lose(ALL)
    page.wait_for(IS_FROZEN_IN_WORDS)
    network.open()
    page.wait_for_attribute("#panel", "data-picture", "live")
    page.wait_for_text("#picture-words", "")
    page.wait_for_text("#banner-title", f"You drive {ROBOT}")
    page.wait_for_attribute("#pad", "data-active", "true")
    drive_ahead(page, rover)
    page.let_go("KeyW")


def test_a_secret_that_is_not_coturns_is_told_to_driver_and_robot(
    network: Network, turn_server: Process, browser: Launched, tmp_path: Path
) -> None:
    """No path opens without a relay; Firefox tells a page nothing of what a server answers."""
    site = serve_with_turn(network, tmp_path, OTHER_SECRET)
    network.close_direct_paths()
    with running_rover(site.websocket_url, site.token(OWNER), network.within) as rover:
        page = browser.tab()
        page.goto(site.link(OWNER))
        page.click(f"li[data-robot-id={ROBOT}] [data-action=drive]")
        rover.wait_for(rf"the TURN server turn:{ADDRESS}:{TURN_PORT} refuses a relay \(401 ")
        turn_server.wait_for(f"Cannot find credentials of user <.*:{OWNER}>")
        page.wait_for(TEXT_INCLUDES, "#banner-text", WHY[browser.name], timeout_ms=PATH_MS)
        # Firefox counts the refusal among its script errors.
        page.close()
    site.process.stop()
