"""A disk that takes no more: what is refused, what goes on, and that memory says what it says."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from robosignal.gateway.store import LocalStore
from robosignal.protocol.ids import RobotId
from tests.server.aws.items import R1

FILLED = """
import json, logging, resource, sys
from pathlib import Path
from robosignal.gateway.store import LocalStore
from robosignal.server.core.conditional_writes import Exists
from robosignal.protocol.errors import TryAgain
from robosignal.protocol.ids import RobotId
from tests.tokens import signer
from tests.world import World

logging.basicConfig(format="%(message)s")
directory = Path(sys.argv[1])
_, most = resource.getrlimit(resource.RLIMIT_FSIZE)


def full(is_full):
    # The system refuses to let a file of this process grow, as a full disk does.
    taken = (directory / "robots.sqlite3-wal").stat().st_size
    resource.setrlimit(resource.RLIMIT_FSIZE, (taken if is_full else most, most))


def removed():
    try:
        return store.remove_robot(RobotId("r1"), Exists(("ownerUserId",)))
    except TryAgain:
        return "try_again"


store = LocalStore(directory)
world = World(store, signer())
robot, driver = world.robot("r1", "owner"), world.connect("owner")
before = world.item()
full(True)
refused = [driver.refused(type="offer", robotId="r1", payload={"sdp": "o"}) for _ in range(3)]
refused.append(world.connect("eve").refused(type="register", robotId="r2"))
told = {
    "refused": refused,
    "removed": removed(),
    "unchanged": world.item() == before,
    "unknown": store.robot(RobotId("r2")) is None
    and store.list_owned("eve", None, 5).robot_ids == (),
    "renewed": robot.ask(type="ping", robotId="r1")["type"],
}
full(False)
told["driven"] = driver.offer()["epoch"]
told["epoch"] = world.item().epoch
print(json.dumps(told))
store.close()
"""


class Filled(NamedTuple):
    """What a backend did whose disk was full for a while, its state, and its log."""

    told: dict[str, Any]
    state: Path
    log: list[str]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Filled:
    """One such backend, in a process of its own, for the limit is the process's."""
    state = tmp_path_factory.mktemp("filled")
    done = subprocess.run(
        [sys.executable, "-c", FILLED, str(state)],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return Filled(json.loads(done.stdout), state, done.stderr.splitlines())


def test_what_a_full_disk_does_not_take_is_refused_and_may_be_tried_again(filled: Filled) -> None:
    """No fault of ours and none of the client's; it succeeds once there is room."""
    assert filled.told["refused"] == [[503, "try_again"]] * 4
    assert filled.told["removed"] == "try_again"
    assert filled.told["driven"] == filled.told["epoch"]


def test_a_refused_write_changes_nothing(filled: Filled) -> None:
    """Neither in memory nor in its lists; and a renewal needs no disk."""
    assert (filled.told["unchanged"], filled.told["unknown"], filled.told["renewed"]) == (
        True,
        True,
        "pong",
    )


def test_memory_and_disk_say_the_same_after_a_full_disk(filled: Filled) -> None:
    """What was refused is not there after a restart, what was answered is."""
    store = LocalStore(filled.state)
    robot, other = store.robot(R1), store.robot(RobotId("r2"))
    store.close()

    assert robot is not None
    assert (robot.epoch, other) == (filled.told["epoch"], None)


def test_a_full_disk_is_told_once(filled: Filled) -> None:
    """Clients try again and again, and the log may be on the same disk."""
    about = [line for line in filled.log if line.startswith("the state ")]

    assert [line.partition(" (")[0] for line in about] == [
        "the state cannot be written",
        "the state can be written again",
    ]
