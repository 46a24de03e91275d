"""A world whose history is kept as on one machine, and read as its owner reads it."""

from typing import Any

from robosignal.gateway.history import Bounds, KeptHistory
from robosignal.protocol.ids import RobotId
from robosignal.server.core.intervals import Interval
from robosignal.server.core.steps import ReadHistory
from robosignal.server.ports import Store
from tests.tokens import NOW, signer
from tests.world import Peer, World


def keeping_world(store: Store) -> World:
    """Return a backend on this store, which keeps a history in memory."""
    return World(store, signer(), history=KeptHistory(None, Bounds(), NOW))


def read_all(world: World, robot_id: str = "r1", **more: Any) -> list[Interval]:
    """Return every interval that is kept of a robot, the oldest first."""
    asked: dict[str, Any] = {
        "owner": None,
        "since": None,
        "until": None,
        "user_id": None,
        "role": None,
        "after": None,
        "limit": 10_000,
        "now": world.now,
        **more,
    }
    page = world.history.read(ReadHistory(robot_id=RobotId(robot_id), **asked))
    return [interval for _, interval in reversed(page.intervals)]


def told(world: World, robot_id: str = "r1") -> list[tuple[str, str, str | None, str | None]]:
    """Return of each interval: who, in which role, why it ended, and by which write."""
    return [
        (each.user_id, each.role, each.reason, each.ended_by) for each in read_all(world, robot_id)
    ]


def asks(peer: Peer, **more: Any) -> list[tuple[str, str]]:
    """Return who was there and in which role, as the server answers this user."""
    reply = peer.ask(**{"type": "history", "robotId": "r1", **more})
    assert reply["type"] == "history", reply
    return [(each["person"]["userId"], each["role"]) for each in reply["intervals"]]
