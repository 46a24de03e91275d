"""Where schedules are played: a situation, restored before each, and the handler at the gate."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from robosignal.protocol.ids import ConnectionId, RobotId, UserId
from robosignal.server.core.records import Connection, Robot
from robosignal.server.entry import Signaling
from robosignal.server.ice.static import StaticServers
from robosignal.server.limits.checks import Reputations
from robosignal.server.limits.limiter import Unlimited
from robosignal.server.ports import Store
from tests.device import URL
from tests.explorer.calls import Call
from tests.explorer.cast import INVITED, KEYED, ROBOT, RULES, SITUATIONS, Copied, gathered, keyed
from tests.explorer.events import Event
from tests.explorer.history import By, Replied
from tests.explorer.ports import GatedPoster, GatedStore, Unwritten
from tests.explorer.running import Fault, Running
from tests.tokens import signer
from tests.world import ICE, Peer

ISSUERS = (signer().issuer(),)


class Doubtful(Reputations):
    """Knows of everyone that they were refused just now: every write is checked first."""

    def is_doubtful(self, sender: Connection, robot: RobotId, now: int) -> bool:  # noqa: ARG002
        """Check all."""
        return True

    def has_renewed(self, sender: Connection, robot: RobotId, now: int) -> bool:  # noqa: ARG002
        """Take each renewal for one more within a second."""
        return True


class Scene:
    """One situation. `warm`: every Lambda remembers the rows of v1 clients as they connected.

    `doubtful`: to every Lambda each sender is one whose writes are checked by a read first.
    """

    def __init__(self, name: str, *, warm: bool = False, doubtful: bool = False) -> None:
        self.name = name
        self.warm = warm
        self.doubtful = doubtful
        self.store = Copied()
        is_keyed = name in KEYED
        self.cast = (
            keyed(self.store, name)
            if is_keyed
            else gathered(self.store, seed_robot=name == "seed robot")
        )
        remembered = {peer.connection_id: self._row(peer) for peer in self.cast.peers.values()}
        self._users = {
            name: row.user_id for name, peer in self.cast.peers.items() if (row := self._row(peer))
        }
        (SITUATIONS | KEYED | INVITED)[name](self.cast)
        # Later than all that was set up: no write of a schedule repeats one of before.
        self.now = self.cast.world.now + 1000
        self.ages = {peer.connection_id: peer.connected_at for peer in self.cast.peers.values()}
        self._saved = self.store.saved()
        self.open = set(self.cast.world.outbox.open)
        self._opened = frozenset(self.open)
        self._remembered = {
            connection: row
            for connection, row in remembered.items()
            if warm and row is not None and row.is_settled
        }
        self._events: dict[str, tuple[By, dict[str, Any]]] = {}

    def _row(self, peer: Peer) -> Connection | None:
        return self.store.connection(peer.connection_id)

    @property
    def item(self) -> Robot | None:
        """The robot's item as it is now."""
        return self.store.robot(ROBOT)

    def ask(self, peer: str, now: int, **message: Any) -> dict[str, Any]:
        """Let a peer ask the backend something, with no gate, at this time; return the reply."""
        self.cast.world.now = now
        self.cast.world.outbox.open = {each: [] for each in self.open}
        return self.cast[peer].ask(**message)

    def put_back(self) -> None:
        """Let everything stand as when the situation was reached."""
        self.store.stand_as(self._saved)
        self.open.clear()
        self.open.update(self._opened)

    def begin(
        self,
        events: Sequence[Event],
        fault: Fault | None = None,
        store: Store | None = None,
        times: Sequence[int] | None = None,
    ) -> Running:
        """Put the situation back and hold each event's invocation before its first call.

        `times` are what each invocation's clock says beyond the situation's, in ms. `store`
        replaces this scene's own: it holds the same.
        """
        self.put_back()
        here = store or self.store
        running = Running(here.robot(ROBOT), fault)
        stored = GatedStore(here, running, self._remembered, stamps=store is not None)
        gated = stored, GatedPoster(self.open, running)
        for number, event in enumerate(events, 1):
            later = times[number - 1] if times is not None else 0
            by, request = self._invocation(number, event, later)
            signaling = self._signaling(*gated, running, by.now)
            running.begin(by, self._played(event, by, request, signaling, running))
        return running

    def _signaling(
        self, store: GatedStore, poster: GatedPoster, running: Running, now: int
    ) -> Signaling:
        return Signaling(
            store=store,
            poster=poster,
            ice=StaticServers(ICE),
            limiter=Unlimited(),
            issuers=ISSUERS,
            rules=RULES,
            history=Unwritten(),
            origins=None,
            clock=lambda: now,
            parallel_map=running.gate.side_by_side,
            reputations=Doubtful() if self.doubtful else Reputations(),
            device_audiences=lambda: frozenset({URL}),
            # Each invocation makes one code at most, at its own time.
            random=now.to_bytes,
        )

    def _invocation(self, number: int, event: Event, later: int) -> tuple[By, dict[str, Any]]:
        peer, cast = self.cast[event.peer], self.cast
        by = By(
            number=number,
            event=event.name,
            kind=event.kind,
            connection=peer.connection_id,
            user=self._users.get(event.peer, UserId("olga")),
            message=event.said(cast),
            now=self.now + number + later,
        )
        kind = {"$connect": "CONNECT", "$disconnect": "DISCONNECT"}.get(event.kind, "MESSAGE")
        request: dict[str, Any] = {
            "requestContext": {
                "eventType": kind,
                "routeKey": "$default",
                "connectionId": peer.connection_id,
                "connectedAt": peer.connected_at,
                "requestId": f"req-{number}",
                "requestTimeEpoch": by.now,
            }
        }
        if kind == "MESSAGE":
            request["body"] = event.body(cast)
        if kind == "CONNECT":
            offered = f"robosignal.v1, bearer.{cast.late[event.peer]}"
            request["headers"] = {"Sec-WebSocket-Protocol": offered}
        return by, request

    def _played(
        self, event: Event, by: By, request: dict[str, Any], signaling: Signaling, running: Running
    ) -> Callable[[], None]:
        def play() -> None:
            if event.kind == "$disconnect":
                self._socket(running, "lose socket", by.connection, self.open.discard)
            result = signaling.handle(request)
            body = result.get("body")
            reply = Replied(by, result["statusCode"], json.loads(body) if body else {})
            running.history.happened.append(reply)
            if event.kind == "$connect":
                self._socket(running, "open socket", by.connection, self.open.add)

        return play

    def _socket(
        self,
        running: Running,
        name: str,
        connection: ConnectionId,
        change: Callable[[ConnectionId], None],
    ) -> None:
        call = Call(name, connection, changes=(f"socket {connection}",))
        running.make(call, lambda: change(connection))
