"""What the process keeps of people who have left."""

from typing import Any

from robosignal.gateway.store import LocalStore
from tests.tokens import signer
from tests.world import World

VISITORS = 100


def kept(owner: object) -> dict[str, int]:
    """Return how many entries each collection of an object has, those within them included."""
    collections = {name: value for name, value in vars(owner).items() if hasattr(value, "__len__")}
    return {name: _entries(value) for name, value in collections.items()}


def _entries(collection: Any) -> int:
    inner = collection.values() if isinstance(collection, dict) else ()
    return len(collection) + sum(_entries(each) for each in inner if isinstance(each, dict))


def visit(world: World, user: str) -> None:
    """Come, do what anybody may, and leave."""
    peer = world.connect(user)
    for said in ({"type": "ready"}, {"type": "watch"}, {"type": "robots"}, {"type": "ping"}):
        peer.ask(**said)
    peer.offer("r1")
    peer.ask(type="ping", robotId="r1")
    if len(user) % 2:
        peer.ask(type="unwatch")
    peer.disconnect()


def test_nothing_is_kept_of_users_who_have_left() -> None:
    """Whether they said that they watch no more, or only closed."""
    store = LocalStore(None)
    world = World(store, signer())
    world.robot("r1", "owner")
    visit(world, "first")
    before = kept(store)
    for number in range(VISITORS):
        visit(world, f"u{'x' * (number % 2)}{number}")

    assert kept(store) == before
    assert before["_connections"] == 1
