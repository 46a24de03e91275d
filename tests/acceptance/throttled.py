"""A backend of which AWS throttles chosen calls: the n-th of a message, or all from the n-th on.

It can also restore a situation. What a reply has to say is up to the tests.
"""

from typing import Any, cast

from robosignal.protocol.errors import TryAgain
from robosignal.protocol.ids import ConnectionId
from robosignal.server.ports import Store
from tests.explorer.cast import INVITED, KEYED, SITUATIONS, Copied, gathered, keyed
from tests.explorer.events import Event
from tests.world import Frame, Outbox, Peer

Told = tuple[int, Frame | None]
"""A status, and the reply's frame; None is silence."""

FOR_EVER = 10**6


class Throttle:
    """Counts calls, and refuses those from `begin` to before `end`."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.begin = self.end = FOR_EVER

    def call(self, name: str) -> None:
        """Note a call. Raise TryAgain if it is one of those to be refused."""
        self.calls.append(name)
        if self.begin < len(self.calls) <= self.end:
            raise TryAgain


class ThrottledStore:
    """Any store behind a throttle: every method of the port is a call."""

    def __init__(self, store: Store, throttle: Throttle) -> None:
        self._store = store
        self._throttle = throttle

    def __getattr__(self, name: str) -> Any:
        """Return the store's method of this name, throttled."""
        carry_out = getattr(self._store, name)

        def throttled(*asked: Any) -> Any:
            self._throttle.call(name)
            return carry_out(*asked)

        return throttled


class ThrottledOutbox(Outbox):
    """A sender behind a throttle."""

    def __init__(self, throttle: Throttle) -> None:
        super().__init__()
        self._throttle = throttle

    def post(self, connection: ConnectionId, frame: bytes) -> bool:
        """Deliver a frame, unless throttled."""
        self._throttle.call("post")
        return super().post(connection, frame)

    def close(self, connection: ConnectionId) -> None:
        """Close a connection, unless throttled."""
        self._throttle.call("close")
        super().close(connection)


class Scene:
    """One situation, put back before each message, on a backend whose calls can be throttled."""

    def __init__(self, situation: str) -> None:
        self.store = Copied()
        self.cast = (
            keyed(self.store, situation)
            if situation in KEYED
            else gathered(self.store, seed_robot=situation == "seed robot")
        )
        (SITUATIONS | KEYED | INVITED)[situation](self.cast)
        self.world = self.cast.world
        # Later than all that was set up: no write repeats one of before.
        self._now = self.world.now + 1000
        self._opened = set(self.world.outbox.open)
        self._saved = self.store.saved()
        self.throttle = Throttle()
        self.world.outbox = ThrottledOutbox(self.throttle)
        self.world.run_on(cast("Store", ThrottledStore(self.store, self.throttle)))

    def put_back(self, begin: int = FOR_EVER, end: int = FOR_EVER) -> None:
        """Let all stand as when the situation was reached; throttle the calls of these numbers."""
        self.store.stand_as(self._saved)
        self.world.now = self._now
        self.world.outbox.open = {each: [] for each in self._opened}
        self.throttle.calls.clear()
        self.throttle.begin, self.throttle.end = begin, end

    def calm(self) -> None:
        """Throttle no more, a second later."""
        self.throttle.begin = self.throttle.end = FOR_EVER
        self.world.pass_seconds(1)

    def send(self, event: Event, *, has_id: bool = True) -> Told:
        """Send what the event says; return the reply."""
        said = event.said(self.cast)
        if not has_id:
            del said["id"]
        peer: Peer = self.cast[event.peer]
        frame = peer.send(**said)
        return peer.status, frame
