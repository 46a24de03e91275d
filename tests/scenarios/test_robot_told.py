"""What ends somebody's control says so when the robot has not been told of it."""

from dataclasses import dataclass

import pytest

from robosignal.protocol.errors import TryAgain
from tests.world import Frame, Peer, World

ENDS = ("unshare", "transfer", "forget", "release-control", "grant-control", "bye")
BY_DRIVER = ("release-control", "grant-control", "bye")


@dataclass
class Driven:
    """A robot, the operator who drives it, and its owner, who watches."""

    robot: Peer
    driver: Peer
    owner: Peer
    watching: str

    def end_control(self, how: str) -> Frame:
        """End the operator's control in this way, and return the reply."""
        about = {
            "unshare": {"userId": "olga"},
            "transfer": {"userId": "eve"},
            "grant-control": {"sessionId": self.watching},
        }
        by = self.driver if how in BY_DRIVER else self.owner
        return by.ask(type=how, robotId="r1", **about.get(how, {}))


@pytest.fixture
def driven(world: World) -> Driven:
    """Everybody, connected."""
    robot = world.robot("r1", "owner")
    world.share("r1", "olga")
    driver, owner = world.connect("olga"), world.connect("owner")
    driver.offer()
    return Driven(robot, driver, owner, owner.offer(role="viewer")["sessionId"])


@pytest.mark.parametrize("how", ENDS)
def test_a_robot_that_is_told_needs_no_word(driven: Driven, how: str) -> None:
    """The ack is as it was."""
    reply = driven.end_control(how)

    assert reply["type"] == "ack"
    assert "robotTold" not in reply


@pytest.mark.parametrize("cut", ["offline", "gone", "busy", "a fault"])
@pytest.mark.parametrize("how", ENDS)
def test_a_robot_that_is_cut_off_has_not_been_told(
    world: World, driven: Driven, how: str, cut: str
) -> None:
    """It may obey its driver still, and the user who ended that knows."""
    if cut == "offline":
        driven.robot.disconnect()
    elif cut == "gone":
        driven.robot.vanish()
    else:
        fault = TryAgain() if cut == "busy" else RuntimeError(cut)
        world.outbox.faults[driven.robot.connection_id] = fault

    reply = driven.end_control(how)

    assert (reply["type"], reply["robotTold"]) == ("ack", False)


@pytest.mark.parametrize("how", ["unshare", "transfer", "forget"])
def test_where_no_one_drove_there_is_nothing_to_tell(driven: Driven, how: str) -> None:
    """A robot that is offline and free obeys no user who loses a right."""
    driven.driver.ask(type="bye", robotId="r1")
    driven.robot.disconnect()

    assert "robotTold" not in driven.end_control(how)


def test_a_seed_robot_cannot_be_told(world: World) -> None:
    """It would not know the frame."""
    seed = world.robot("r1", "owner", v1=False)
    world.share("r1", "olga")
    world.connect("olga").offer()

    reply = world.connect("owner").ask(type="unshare", robotId="r1", userId="olga")

    assert (reply["robotTold"], seed.is_open) == (False, True)
