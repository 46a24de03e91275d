"""The clock is set back: nothing holds longer than its lease by any clock."""

from pathlib import Path

import pytest

from robosignal.gateway.store import LocalStore
from robosignal.protocol.limits import CLOCK_SECONDS, VIEWERS
from robosignal.server.aws.turn_secret import StoredSecret
from tests.scenarios.registering import register
from tests.tokens import signer
from tests.world import Peer, World

HOUR = 3600


def is_refused(peer: Peer) -> bool:
    """Say whether a first offer finds a holder."""
    return peer.refused(type="offer", robotId="r1", payload={"sdp": "o"}) == (409, "robot_busy")


def leave(peer: Peer, how: str) -> None:
    """Lose a socket, with or without the backend being told."""
    if how == "told":
        peer.disconnect()
    else:
        peer.vanish()


@pytest.mark.parametrize("back_s", [HOUR, 24 * HOUR])
@pytest.mark.parametrize("how", ["told", "untold"])
def test_a_driver_who_left_before_holds_no_longer(world: World, how: str, back_s: int) -> None:
    """Their lease ends later than any can: another drives, and no list names them."""
    world.robot("r1", "owner")
    world.share("r1", "olga")
    other, driver = world.connect("olga"), world.connect("owner")
    driver.offer()
    leave(driver, how)

    world.pass_seconds(-back_s)

    (entry,) = other.ask(type="robots", robotIds=["r1"])["robots"]
    assert "controlledBy" not in entry
    assert other.offer()["role"] == "controller"


def test_a_seed_that_left_before_holds_no_longer_than_a_socket_can(world: World) -> None:
    """Its lease lasts for two hours from its beginning, and not for a day and two hours."""
    world.robot("r1", "owner")
    world.connect("owner", v1=False, ttl_s=12 * HOUR).offer()

    world.pass_seconds(-24 * HOUR)

    assert world.connect("owner").offer()["role"] == "controller"


def test_a_holder_that_is_there_takes_its_own_lease_again(world: World) -> None:
    """By a new offer, as after a lapse: with a new epoch."""
    world.robot("r1", "owner")
    driver = world.connect("owner")
    epoch = driver.offer()["epoch"]

    world.pass_seconds(-HOUR)

    assert driver.offer()["epoch"] == epoch + 1


@pytest.mark.parametrize("how", ["told", "untold"])
def test_viewers_who_left_before_keep_no_one_out(world: World, how: str) -> None:
    """All their places are over at once."""
    world.robot("r1", "owner")
    for _ in range(VIEWERS):
        viewer = world.connect("owner")
        viewer.offer(role="viewer")
        leave(viewer, how)

    world.pass_seconds(-HOUR)

    (entry,) = world.connect("owner").ask(type="robots")["robots"]
    assert entry["viewers"] == 0
    assert world.connect("owner").offer(role="viewer")["role"] == "viewer"


def test_a_robot_that_vanished_before_is_not_online_for_longer(world: World) -> None:
    """Its presence ends later than any can, so it is believed no more."""
    world.robot("r1", "owner").vanish()

    world.pass_seconds(-HOUR)

    (entry,) = world.connect("owner").ask(type="robots")["robots"]
    assert (entry["online"], entry["validForSeconds"]) == (False, 0)


def test_who_is_there_goes_on(world: World) -> None:
    """The next ping of a driver, a viewer and a robot renews what they have."""
    robot, driver = world.robot("r1", "owner"), world.connect("owner")
    viewer = world.connect("owner")
    driving = driver.offer()["sessionId"]
    viewing = viewer.offer(role="viewer")["sessionId"]
    world.pass_seconds(-HOUR)

    assert driver.ask(type="ping", sessionId=driving)["role"] == "controller"
    assert viewer.ask(type="ping", sessionId=viewing)["role"] == "viewer"
    assert robot.ask(type="ping", robotId="r1")["type"] == "pong"

    (entry,) = viewer.ask(type="robots")["robots"]
    assert (entry["online"], entry["viewers"]) == (True, 1)
    assert entry["controlledBy"]["userId"] == "owner"
    assert is_refused(world.connect("owner"))


def test_a_clock_that_is_a_little_behind_takes_nothing_from_anybody(world: World) -> None:
    """Those of a deployment are never quite the same."""
    world.robot("r1", "owner")
    other = world.connect("owner")
    world.connect("owner").offer()

    world.pass_seconds(-CLOCK_SECONDS)

    assert is_refused(other)


def test_a_seed_that_connected_before_drives_after(world: World) -> None:
    """Its socket opened in what is the future now; its lease is counted from now."""
    world.robot("r1", "owner")
    seed = world.connect("owner", v1=False, ttl_s=12 * HOUR)
    world.pass_seconds(-HOUR)
    seed.offer()

    assert is_refused(world.connect("owner"))


def test_a_page_takes_its_session_back_after_a_restart(tmp_path: Path) -> None:
    """The gateway starts on a machine whose clock was ahead: the page is no older than it was."""
    store = LocalStore(tmp_path)
    world = World(store, signer())
    world.robot("r1", "owner")
    driver, viewer = world.connect("owner"), world.connect("owner")
    sessions = driver.offer()["sessionId"], viewer.offer(role="viewer")["sessionId"]
    store.close()
    world.pass_seconds(-HOUR)
    after = LocalStore(tmp_path, world.now)
    world.run_on(after)
    register(world.connect("owner"), "r1", instanceId="run-0001")

    back = [world.connect("owner").ask(type="resume", sessionId=each) for each in sessions]

    after.close()
    assert [each.get("role") for each in back] == ["controller", "viewer"]


def test_a_secret_that_was_read_before_is_read_again() -> None:
    """Else a changed one would be used an hour late."""
    secrets = iter(("north", "south"))

    class Vault:
        def get_secret_value(self, *, SecretId: str) -> dict[str, str]:  # noqa: N803 - boto3's name
            return {"SecretString": next(secrets), "ARN": SecretId}

    secret = StoredSecret("arn", Vault)

    read = [secret(2 * HOUR * 1000), secret(2 * HOUR * 1000 + 1), secret(HOUR * 1000)]
    assert read == ["north", "north", "south"]
