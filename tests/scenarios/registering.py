"""Registers a robot, for the scenarios."""

from tests.world import Peer


def register(peer: Peer, robot_id: str = "r1", **more: object) -> dict[str, object]:
    """Register and return the reply."""
    return peer.ask(type="register", robotId=robot_id, **more)
