"""A robot and a client that speak as the seed did."""

import pytest

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
