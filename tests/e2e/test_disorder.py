"""Frames that overtake each other, as on API Gateway: people drive all the same."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.e2e.conftest import Site
from tests.e2e.delaying import delaying
from tests.e2e.processes import Process
from tests.e2e.tabs import Open
from tests.e2e.test_driving import OWNER, ROBOT, row, wait_for_frame_after

SHORTEST_S, LONGEST_S = 0.03, 0.09
SEED = 1
TIMES = 5


@pytest.fixture(scope="module")
def slow(site: Site) -> Iterator[Site]:
    """The gateway, behind what delays each frame by a time of its own."""
    with delaying(site.page_url, SHORTEST_S, LONGEST_S, SEED) as page_url:
        websocket_url = f"{page_url.replace('http', 'ws', 1)}prod"
        yield replace(site, page_url=page_url, websocket_url=websocket_url)


@pytest.fixture(scope="module")
def robot(slow: Site) -> Iterator[Process]:
    """A robot whose frames are delayed, too."""
    process = slow.robot(ROBOT, OWNER)
    yield process
    process.stop()


def test_drive_shows_video_again_and_again(slow: Site, robot: Process, open_page: Open) -> None:
    """Each time it drives again, and the robot hears who drives, and that they have left."""
    page = open_page(slow.link(OWNER))
    for _ in range(TIMES):
        row(page, "drive")
        robot.wait_for(f"^{ROBOT}: {OWNER} drives")
        wait_for_frame_after(page, -1)
        page.wait_for_text("#banner-title", f"You drive {ROBOT}")
        page.click("#panel [data-action=leave]")
        robot.wait_for(f"^{ROBOT}: no one drives")
