"""The rules alone: the backend's handler for a candidate in a session, over the local store.

Nothing is sent: what is posted is dropped. Owns this one conversation; must never know a socket.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from benchmarks.shaped import ShapedWorld
from robosignal.gateway.store import LocalStore
from robosignal.loadtest.pair import CANDIDATE
from robosignal.protocol.ids import ConnectionId
from tests.tokens import NOW
from tests.world import Outbox


class Dropping(Outbox):
    """Takes every frame and keeps none."""

    def post(self, connection: ConnectionId, frame: bytes) -> bool:  # noqa: ARG002 - it is dropped
        """Say that it was handed over."""
        return True


@contextmanager
def relaying() -> Iterator[Callable[[int], float]]:
    """Yield what relays so many candidates, and returns the CPU of one in µs."""
    with closing(LocalStore(None)) as store:
        world = ShapedWorld(store, Dropping(), NOW)
        world.robot("r1")
        driver = world.connect("owner")
        driver.send(type="ready")
        session = driver.offer("r1")["sessionId"]
        driver.send(type="ice-candidate", sessionId=session, seq=1, pcId="b", payload=CANDIDATE)
        handle, event = world.signaling.handle, world.last

        def relay(count: int) -> float:
            began = time.process_time()
            for _ in range(count):
                handle(event)
            return (time.process_time() - began) * 1e6 / count

        yield relay
