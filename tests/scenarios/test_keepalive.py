"""The schedule that keeps seed connections from being idle: who gets which frame."""

import pytest

from robosignal.gateway.store import LocalStore
from robosignal.protocol.errors import TryAgain
from robosignal.protocol.limits import SEED_KEEPALIVE_SECONDS
from robosignal.server.core.directory import FLEET
from robosignal.server.core.keepalive import ROBOTS_PER_SHARD
from robosignal.server.core.steps import Page
from robosignal.server.events import SCHEDULED
from tests.tokens import signer
from tests.world import World

TO_ROBOT = {"type": "candidate", "robotId": "r1", "to": "r1", "candidate": None}
TO_PAGE = {"type": "ping", "robotId": "r1"}
SDP = "v=0\r\n"


def test_each_seed_end_gets_a_frame_and_no_one_else(world: World) -> None:
    """A robot, in a session or not, and a page in one; neither v1 nor a page without one."""
    robot, page = world.robot("r1", v1=False), world.connect("owner", v1=False)
    lone, other = world.robot("r2", v1=False), world.connect("owner", v1=False)
    modern, driver = world.robot("r3"), world.connect("owner")
    page.send(type="offer", to="r1", sdp=SDP)
    driver.offer("r3")
    everyone = (robot, page, lone, other, modern, driver)
    for peer in everyone:
        peer.take()

    status = world.run_schedule()["statusCode"]

    lonely = {**TO_ROBOT, "robotId": "r2", "to": "r2"}
    assert status == 200
    assert [peer.take() for peer in everyone] == [[TO_ROBOT], [TO_PAGE], [lonely], [], [], []]


def test_a_seed_page_is_kept_with_a_v1_robot_as_driver_and_as_viewer(world: World) -> None:
    """Which robot it sees is nothing to its own connection."""
    robot = world.robot("r1")
    driver, viewer = world.connect("owner", v1=False), world.connect("owner", v1=False)
    driver.send(type="offer", to="r1", sdp=SDP)
    viewer.send(type="offer", to="r1", sdp=SDP, role="viewer")
    robot.take()

    world.run_schedule()

    assert (driver.take(), viewer.take(), robot.take()) == ([TO_PAGE], [TO_PAGE], [])


def test_a_v1_driver_of_a_seed_robot_is_sent_nothing(world: World) -> None:
    """It pings by itself; the robot is kept."""
    robot, driver = world.robot("r1", v1=False), world.connect("owner")
    driver.offer()
    robot.take()

    world.run_schedule()

    assert (robot.take(), driver.take()) == ([TO_ROBOT], [])


def test_nothing_that_is_stored_changes(world: World) -> None:
    """What a seed connection has lasts as long as its socket and token, kept or not."""
    robot, page = world.robot("r1", v1=False), world.connect("owner", v1=False)
    page.send(type="offer", to="r1", sdp=SDP)
    robot.take()
    before = world.stored()

    for _ in range(11):
        world.pass_seconds(SEED_KEEPALIVE_SECONDS)
        world.run_schedule()

    assert world.stored() == before
    assert (robot.take(), page.take()) == ([TO_ROBOT] * 11, [TO_PAGE] * 11)


@pytest.mark.parametrize("which", ["robot", "page"])
def test_a_socket_that_turns_out_to_be_gone_is_recorded_as_lost(world: World, which: str) -> None:
    """As any post would find it: the robot is offline, or the driver's grace begins."""
    peers = {"robot": world.robot("r1", v1=False), "page": world.connect("owner", v1=False)}
    peers["page"].send(type="offer", to="r1", sdp=SDP)
    watcher = world.connect("owner")
    watcher.ask(type="watch")
    peers[which].vanish()

    world.run_schedule()

    item = world.item()
    assert item.controller is not None
    assert (item.connection_id is None) == (which == "robot")
    assert (item.controller.lost is not None) == (which == "page")
    assert watcher.types() == (["presence"] if which == "robot" else [])


def test_a_run_records_few_losses_and_the_next_ones_the_rest(local_world: World) -> None:
    """A network's failure takes many at once; each that is recorded is told to watchers."""
    world = local_world
    world.connect("owner").ask(type="watch")
    robots = [world.robot(f"r{n}", v1=False) for n in range(20)]
    for robot in robots:
        robot.vanish()

    left = []
    for _ in range(3):
        assert world.run_schedule()["statusCode"] == 200
        left.append(sum(world.item(f"r{n}").connection_id is not None for n in range(20)))

    assert left == [12, 4, 0]


def test_a_connection_whose_token_has_ended_is_closed_and_sent_nothing(world: World) -> None:
    """No frame goes beyond a token's end."""
    robot = world.robot("r1", v1=False)
    page = world.connect("owner", v1=False, ttl_s=60)
    page.send(type="offer", to="r1", sdp=SDP)
    robot.take()
    world.pass_seconds(60)

    world.run_schedule()

    assert (robot.take(), page.take()) == ([TO_ROBOT], [])


def test_every_robot_of_a_large_fleet_is_reached(local_world: World) -> None:
    """More than one page of each shard."""
    count = len(FLEET) * ROBOTS_PER_SHARD + 50
    robots = [local_world.robot(f"r{n}", v1=False) for n in range(count)]

    local_world.run_schedule()

    assert {len(robot.take()) for robot in robots} == {1}


def test_one_busy_receiver_keeps_no_other_from_its_frame(local_world: World) -> None:
    """What AWS is too busy to post now, the next run posts."""
    first, second = local_world.robot("r1", v1=False), local_world.robot("r2", v1=False)
    local_world.outbox.busy_for = {first.connection_id}

    status = local_world.run_schedule()["statusCode"]

    assert (status, first.take(), len(second.take())) == (200, [], 1)
    assert local_world.item().connection_id == first.connection_id


class BusyFleet(LocalStore):
    """A store whose index is throttled."""

    def list_fleet(self, *_: object) -> Page:
        """Raise TryAgain."""
        raise TryAgain


def test_a_run_that_cannot_read_the_fleet_ends_without_a_failure() -> None:
    """The schedule comes again; Lambda would repeat a failure at once."""
    world = World(BusyFleet(None), signer())
    robot = world.robot("r1", v1=False)

    assert world.run_schedule()["statusCode"] == 503
    assert robot.frames == []


@pytest.mark.parametrize("v1", [True, False])
def test_no_client_can_run_the_schedule(local_world: World, *, v1: bool) -> None:
    """Its words in a message are a message of an unknown kind."""
    robot = local_world.robot("r1", v1=False)
    client = local_world.connect("owner", v1=v1)

    client.send(**SCHEDULED)
    local_world.event("MESSAGE", client, body="{}", **SCHEDULED)

    assert robot.frames == []
