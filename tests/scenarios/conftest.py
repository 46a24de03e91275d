"""Fixtures of the scenarios: robots, their owner, a client of the seed's, messages that cross."""

from collections.abc import Iterator

import pytest

from tests.scenarios.between import Between
from tests.tokens import signer
from tests.world import Peer, World


@pytest.fixture
def seed_robot(local_world: World) -> Peer:
    """A robot of the seed's."""
    return local_world.robot("r1", "owner", v1=False)


@pytest.fixture
def seed_client(local_world: World, seed_robot: Peer) -> Peer:
    """A client of the seed's, connected after the robot."""
    peer = local_world.connect("owner", v1=False)
    assert seed_robot.frames == []
    return peer


@pytest.fixture
def between() -> Iterator[Between]:
    """A store in which nothing comes between yet."""
    store = Between()
    yield store
    store.close()


@pytest.fixture
def crossing(between: Between) -> World:
    """A backend on that store."""
    return World(between, signer())


@pytest.fixture
def robot(world: World) -> Peer:
    """A robot without any client, on each store in turn."""
    return world.robot("r1", "owner")


@pytest.fixture
def owner(world: World, robot: Peer) -> Peer:
    """Its owner, in a page."""
    assert robot.frames == []
    return world.connect("owner")
