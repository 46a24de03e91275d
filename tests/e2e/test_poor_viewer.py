"""A viewer with little bandwidth, and what the driver sees meanwhile, in a real browser."""

from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

import pytest

from tests.e2e.conftest import Site, serve
from tests.e2e.network import Network, own_network
from tests.e2e.processes import Process
from tests.e2e.rover import OWNER, ROBOT
from tests.e2e.tabs import Launched, Tab, launched

LIMIT_KBPS = 500
SETTLING_MS = 60_000
"""How long a browser may take to find out what it can receive."""

# One camera for all, with a square of faint noise that moves: the encoder needs all that it may
# have, up to 1.5 Mbit/s, and can do with 0.4.
ROBOT_CODE = """
import asyncio, logging, sys
import numpy as np
from aiortc import VideoStreamTrack
from av import VideoFrame
from robosignal.robot import Robot

NOISE = np.random.default_rng(1).integers(90, 150, (8, 160, 160), dtype=np.uint8)

class Camera(VideoStreamTrack):
    number = 0

    async def recv(self):
        pts, base = await self.next_timestamp()
        self.number += 1
        picture = np.full((540, 640), 90, dtype=np.uint8)
        left = self.number * 6 % 400
        picture[60:220, left : left + 160] = NOISE[self.number % 8]
        frame = VideoFrame.from_ndarray(picture, format="yuv420p")
        frame.pts, frame.time_base = pts, base
        return frame

async def main():
    url, robot, token = sys.argv[1:]
    await Robot(url, robot, token=token, on_drive=print, video=Camera(), fps=30).run()

logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
asyncio.run(main())
"""

# An application that keeps the peer connection, whose figures a page does not show.
APPLICATION = """async ([url, token, robotId, role]) => {
  const Original = window.RTCPeerConnection;
  window.RTCPeerConnection = class extends Original {
    constructor(...given) { super(...given); window.peer = this; }
  };
  const { connect } = await import('/robosignal.js');
  const signal = connect({ url, token: () => token });
  await new Promise((resolve) => signal.on('state', (state) => state === 'online' && resolve()));
  window.session = await signal[role](robotId);
}"""
KBPS = "() => window.session.view.picture.kbps"
# The figures of the seconds to come.
NOTE_PICTURES = """() => {
  window.pictures = [];
  setInterval(() => window.pictures.push({ ...window.session.view.picture }), 1_000);
}"""
SECONDS = 12
"""In most of them the robot has heard what the viewer can receive, were it to heed that."""
PORT = """async () => {
  const stats = await window.peer.getStats();
  const transport = [...stats.values()].find(({ type }) => type === 'transport');
  return stats.get(stats.get(transport.selectedCandidatePairId).localCandidateId).port;
}"""


@pytest.fixture
def network() -> Iterator[Network]:
    """A network of its own: what slows down stays so."""
    with own_network() as found:
        yield found


@pytest.fixture
def site(network: Network, tmp_path: Path) -> Iterator[Site]:
    """A gateway in the network."""
    found = serve(tmp_path, within=network.within)
    yield found
    found.process.stop()


@pytest.fixture
def browser(network: Network) -> Iterator[Launched]:
    """Chromium: Firefox names no transport's pair, by which the viewer's port is found."""
    with launched("chrome", network.within) as found:
        yield found


def join(browser: Launched, site: Site, role: str) -> Tab:
    """Return the page of one who drives or views, once their picture has more than the limit."""
    page = browser.tab()
    page.goto(site.link(OWNER))
    page.evaluate(APPLICATION, [site.websocket_url, site.token(OWNER), ROBOT, role])
    page.wait_for(f"() => ({KBPS})() > {2 * LIMIT_KBPS}", timeout_ms=SETTLING_MS)
    return page


def test_a_viewer_whose_path_is_narrow_does_not_lower_the_drivers_picture(
    network: Network,
    site: Site,
    browser: Launched,
    record_property: Callable[[str, object], None],
) -> None:
    """The viewer's falls to what its path carries, and goes on; the driver's stays as it was."""
    arguments = (site.websocket_url, ROBOT, site.token(OWNER))
    robot = Process.of_code(ROBOT_CODE, *arguments, within=network.within)
    robot.wait_for(f"^{ROBOT}: online")
    driver, viewer = join(browser, site, "drive"), join(browser, site, "view")
    network.slow_down(viewer.evaluate(PORT), LIMIT_KBPS)
    viewer.wait_for(f"() => ({KBPS})() < {1.2 * LIMIT_KBPS}", timeout_ms=SETTLING_MS)
    for page in (driver, viewer):
        page.evaluate(NOTE_PICTURES)
    drives, views = [
        page.wait_for(f"() => window.pictures.length >= {SECONDS} && window.pictures")
        for page in (driver, viewer)
    ]
    robot.stop()

    for who, pictures in (("driver", drives), ("viewer", views)):
        fps, kbps = (median(each[name] for each in pictures) for name in ("fps", "kbps"))
        record_property("figure", f"{who}: {fps} fps, {kbps} kbit/s")
    assert median(each["kbps"] for each in drives) > 2 * median(each["kbps"] for each in views)
    assert median(each["fps"] for each in views) > 0
