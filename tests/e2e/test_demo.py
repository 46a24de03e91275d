"""The demo robot enrols itself: at its first start, at later ones, and when something is lost."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from robosignal.cli.demo import KEY_FILE
from tests.e2e.conftest import serve
from tests.e2e.processes import Process

ONLINE = "^demo: online"


def start(state: Path, environment: dict[str, str] | None = None) -> None:
    """Start the demo, wait until its robot is online, and stop it."""
    options = ("--demo", "--port", "0", "--state", str(state))
    process = Process("serve", *options, environment=environment)
    process.wait_for(ONLINE)
    assert process.stop() == 0


def kid(state: Path) -> str:
    """Return the key that the demo robot has."""
    found: str = json.loads((state / KEY_FILE).read_text())["kid"]
    return found


def kids(state: Path) -> dict[str, bool]:
    """Return the keys that the gateway has kept of it, and whether each waits for approval."""
    with closing(sqlite3.connect(state / "robots.sqlite3")) as file:
        query = "SELECT item FROM robots WHERE robot_id = 'demo'"
        (text,) = file.execute(query).fetchone()
    return {each: key.get("pending", False) for each, key in json.loads(text)["keys"].items()}


def test_the_demo_robot_keeps_its_key(tmp_path: Path) -> None:
    """The second start uses the first one's."""
    start(tmp_path)
    first = kid(tmp_path)
    start(tmp_path)

    assert kid(tmp_path) == first
    assert kids(tmp_path) == {first: False}


def test_a_demo_robot_of_before_robots_had_keys_is_enrolled(tmp_path: Path) -> None:
    """It had connected by its owner's token."""
    site = serve(tmp_path)
    site.robot("demo", "demo").stop()
    assert site.process.stop() == 0

    start(tmp_path)

    assert kids(tmp_path) == {kid(tmp_path): False}


def test_a_demo_robot_whose_key_file_is_lost_gets_another_key(tmp_path: Path) -> None:
    """However often: it has at most three."""
    start(tmp_path)
    for _ in range(3):
        last = kid(tmp_path)
        (tmp_path / KEY_FILE).unlink()
        start(tmp_path)
        assert kid(tmp_path) != last

    assert len(kids(tmp_path)) == 3
    assert kids(tmp_path)[kid(tmp_path)] is False


def test_a_key_of_a_state_that_is_gone_is_replaced(tmp_path: Path) -> None:
    """The gateway knows neither the key nor the robot."""
    start(tmp_path)
    last = kid(tmp_path)
    for path in tmp_path.glob("robots.sqlite3*"):
        path.unlink()

    start(tmp_path)

    assert kid(tmp_path) != last


@pytest.mark.parametrize(
    ("state", "environment"),
    [(":memory:", {}), ("state", {"CLAIM_POLICY": "provisioned"})],
)
def test_the_demo_robot_comes_online_everywhere(
    tmp_path: Path, state: str, environment: dict[str, str]
) -> None:
    """Without a state, and where only enrolled robots register."""
    start(tmp_path / state if state == "state" else Path(state), environment)


def test_a_gateway_that_is_stopped_while_its_robot_enrols_ends_at_once(tmp_path: Path) -> None:
    """And leaves nothing behind that runs; the next start enrols it."""
    process = Process("serve", "--demo", "--port", "0", "--state", str(tmp_path))
    process.wait_for("^Open one of these links")

    assert process.stop() == 0
    assert process.has_closed_its_output()
    start(tmp_path)
