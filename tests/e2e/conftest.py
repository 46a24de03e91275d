"""Three kinds of process, as people run them: `serve`, `robot` and a real Chromium."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from tests.browser import require_browser
from tests.e2e.processes import Process, run

# No flag that changes WebRTC: candidates are hidden behind mDNS names here as for everyone.
ARGUMENTS = ("--no-sandbox", "--disable-gpu", "--disable-background-networking")


@dataclass(frozen=True)
class Site:
    """A running gateway, and how to sign in to it."""

    process: Process
    page_url: str
    websocket_url: str
    state: Path

    def token(self, user: str, *groups: str) -> str:
        """Return a token, as `robosignal token` prints it."""
        options = [option for group in groups for option in ("--group", group)]
        return run("token", user, *options, "--state", str(self.state))

    def link(self, user: str, *groups: str) -> str:
        """Return a link that signs a user in to the console."""
        return f"{self.page_url}#token={self.token(user, *groups)}"

    def robot(self, robot_id: str, owner: str) -> Process:
        """Start a robot process and return it once the robot is online."""
        robot = Process(
            *("robot", "--url", self.websocket_url, "--robot-id", robot_id),
            environment={"ROBOSIGNAL_TOKEN": self.token(owner)},
        )
        robot.wait_for(f"^{robot_id}: online")
        return robot


def serve(state: Path, port: str = "0") -> Site:
    """Start a gateway and return it once it serves."""
    process = Process("serve", "--port", port, "--state", str(state))
    page_url = process.wait_for(r"is up at (\S+)")[1]
    websocket_url = process.wait_for(r"connect to (ws\S+)")[1]
    return Site(process, page_url, websocket_url, state)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A gateway of its own for the tests of one file."""
    found = serve(tmp_path_factory.mktemp("state"))
    yield found
    assert found.process.stop() == 0


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One Chromium for the tests of one file."""
    executable = require_browser()
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=executable, args=ARGUMENTS)
        yield launched
        launched.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[[str], Page]]:
    """Open a link as a person of their own does, and fail on any script error."""
    errors: list[str] = []
    contexts = []

    def open_link(link: str) -> Page:
        context = browser.new_context()
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(link)
        page.wait_for_selector("body[data-state=online]")
        return page

    yield open_link
    for context in contexts:
        context.close()
    assert errors == []
