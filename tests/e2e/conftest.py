"""Three kinds of process, as people run them: `serve`, `robot` and real browsers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.processes import Process, run
from tests.e2e.tabs import BROWSERS, Launched, Open, Tab, launched


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


def serve(
    state: Path,
    *more: str,
    port: str = "0",
    environment: Mapping[str, str] | None = None,
    within: tuple[str, ...] = (),
) -> Site:
    """Start a gateway, with `more` arguments, and return it once it serves.

    `environment` and `within` are as `Process` takes them.
    """
    command = ("serve", "--port", port, "--state", str(state), *more)
    process = Process(*command, environment=environment, within=within)
    page_url = process.wait_for(r"is up at (\S+)")[1]
    websocket_url = process.wait_for(r"connect to (ws\S+)")[1]
    return Site(process, page_url, websocket_url, state)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A gateway of its own for the tests of one file."""
    found = serve(tmp_path_factory.mktemp("state"))
    yield found
    assert found.process.stop() == 0


@pytest.fixture(scope="module", params=BROWSERS)
def browser(request: pytest.FixtureRequest) -> Iterator[Launched]:
    """Each browser in turn, one for the tests of one file."""
    with launched(request.param) as found:
        yield found


@pytest.fixture
def open_page(browser: Launched) -> Iterator[Open]:
    """Open a link as a person of their own does, and fail on any script error."""
    tabs: list[Tab] = []

    def open_link(link: str) -> Tab:
        tab = browser.tab()
        tabs.append(tab)
        tab.goto(link)
        tab.wait_for_attribute("body", "data-state", "online")
        return tab

    yield open_link
    errors = [error for tab in tabs for error in tab.close()]
    assert errors == []
