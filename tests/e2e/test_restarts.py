"""Robots and gateways come back, and no page has to be reloaded for it."""

from pathlib import Path

import pytest

from tests.e2e.conftest import Site, serve
from tests.e2e.tabs import Open
from tests.e2e.test_driving import OWNER, ROBOT, frame_number, row, wait_for_frame_after

# What comes back is not the browser; another one would take as long again.
pytestmark = pytest.mark.parametrize("browser", ["chrome"], indirect=True)


def test_a_robot_that_was_killed_and_restarted_is_driven_again_without_a_reload(
    site: Site, open_page: Open
) -> None:
    """The page waits for the robot, and drives its new process when that is online."""
    before = site.robot(ROBOT, OWNER)
    page = open_page(site.link(OWNER))
    row(page, "drive")
    wait_for_frame_after(page, -1)

    before.kill()
    after = site.robot(ROBOT, OWNER)

    after.wait_for(f"^{ROBOT}: {OWNER} drives")
    page.wait_for_text("#banner-title", f"You drive {ROBOT}")
    # The new process counts its frames from the beginning.
    page.wait_for("() => document.querySelector('video').videoWidth > 0")
    wait_for_frame_after(page, frame_number(page))
    page.click("#panel [data-action=leave]")
    after.stop()


def test_media_outlives_a_gateway_that_was_killed_and_restarted(
    tmp_path: Path, open_page: Open
) -> None:
    """Video goes on while signaling is away; then robot and page are back, same driver."""
    first = serve(tmp_path)
    port = first.websocket_url.rsplit(":", 1)[1].split("/")[0]
    robot = first.robot(ROBOT, OWNER)
    page = open_page(first.link(OWNER))
    row(page, "drive")
    wait_for_frame_after(page, -1)

    first.process.kill()
    page.wait_for("() => document.body.dataset.state !== 'online'")
    wait_for_frame_after(page, frame_number(page))
    second = serve(tmp_path, port=port)

    robot.wait_for(f"^{ROBOT}: online")
    page.wait_for_attribute("body", "data-state", "online")
    page.wait_for_text("#banner-title", f"You drive {ROBOT}")
    wait_for_frame_after(page, frame_number(page))
    page.click("#panel [data-action=leave]")
    robot.stop()
    second.process.stop()
