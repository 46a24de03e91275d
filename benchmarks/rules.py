"""The rules alone: the handler for a candidate in a session, without sockets."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager

from benchmarks.gateway_events import GatewayEventsWorld
from robosignal.gateway.store import LocalStore
from robosignal.loadtest.session import CANDIDATE
from robosignal.protocol.ids import ConnectionId
from tests.tokens import NOW
from tests.world import Outbox


class DiscardingOutbox(Outbox):
    """Discards every frame."""

    def post(self, connection: ConnectionId, frame: bytes) -> bool:  # noqa: ARG002 - it is discarded
        """Claim that the frame was delivered."""
        return True


@contextmanager
def measure_rules() -> Iterator[Callable[[int], float]]:
    """Yield a function that relays so many candidates and returns the CPU of one in µs."""
    with closing(LocalStore(None)) as store:
        world = GatewayEventsWorld(store, DiscardingOutbox(), NOW)
        world.robot("r1")
        driver = world.connect("owner")
        driver.send(type="ready")
        session = driver.offer("r1")["sessionId"]
        driver.send(type="ice-candidate", sessionId=session, seq=1, pcId="b", payload=CANDIDATE)
        handle, event = world.signaling.handle, world.last_event

        def relay(count: int) -> float:
            began = time.process_time()
            for _ in range(count):
                handle(event)
            return (time.process_time() - began) * 1e6 / count

        yield relay
