"""A whole backend in one process, with people and robots who send and receive.

Drives the shipped entry by API Gateway's events over a real store; only the network is left
out. Time is the world's own and moves when a test says so.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from robosignal.protocol.errors import TryAgain
from robosignal.protocol.ids import ConnectionId, RobotId, UserId
from robosignal.server.core.conditional_writes import (
    AddToSet,
    Exists,
    Missing,
    Put,
    RemoveFromSet,
    Write,
)
from robosignal.server.core.directory import FLEET
from robosignal.server.core.records import Connection, Robot, fleet_shard_of, offer_key
from robosignal.server.core.request import Rules
from robosignal.server.core.steps import Written
from robosignal.server.deadline import Deadline
from robosignal.server.entry import Signaling
from robosignal.server.events import SCHEDULED
from robosignal.server.history import NotKept
from robosignal.server.ice.static import StaticServers
from robosignal.server.limits.limiter import Unlimited
from robosignal.server.ports import History, IceSource, Limiter, Store
from tests.device import URL, DeviceKey
from tests.tokens import NOW, Signer

Frame = dict[str, Any]

ICE = [{"urls": ["stun:stun.example:3478"]}]


class Outbox:
    """Delivers frames into lists. Implements `robosignal.server.ports.Poster`."""

    def __init__(self) -> None:
        self.open: dict[ConnectionId, list[Frame]] = {}
        self.posts = 0
        self.closed: list[ConnectionId] = []
        self.busy = False
        self.busy_for: set[ConnectionId] = set()
        """For these alone AWS is too busy."""
        self.faults: dict[ConnectionId, Exception] = {}
        """What posts to these raise."""
        self.before_post: Callable[[], object] = lambda: None
        """Runs between an event's earlier steps and each of its posts."""

    def post(self, connection: ConnectionId, frame: bytes) -> bool:
        """Keep a frame for an open connection; False for a closed one. Raise TryAgain when busy."""
        self.posts += 1
        self.before_post()
        if self.busy or connection in self.busy_for:
            raise TryAgain
        if connection in self.faults:
            raise self.faults[connection]
        if connection not in self.open:
            return False
        self.open[connection].append(json.loads(frame))
        return True

    def close(self, connection: ConnectionId) -> None:
        """Close a connection."""
        self.closed.append(connection)
        self.open.pop(connection, None)


@dataclass
class Peer:
    """One connection: what it sent for last, and every frame posted to it."""

    world: "World"
    connection_id: ConnectionId
    connected_at: int
    frames: list[Frame] = field(default_factory=list)
    status: int = 0
    expires_at: int = 0
    """When its token expires, in epoch milliseconds."""

    def send(self, **message: Any) -> Frame | None:
        """Send a message; return the reply's frame, or None for silence."""
        return self.send_text(json.dumps(message))

    def send_text(self, text: str) -> Frame | None:
        """Send any text as a frame."""
        result = self.world.event("MESSAGE", self, body=text)
        self.status = result["statusCode"]
        return json.loads(result["body"]) if "body" in result else None

    def ask(self, **message: Any) -> Frame:
        """Send a message with an id and return the reply that it must get."""
        reply = self.send(id="q", **message)
        assert reply is not None, message
        assert reply["replyTo"] == "q", reply
        return reply

    def refused(self, **message: Any) -> tuple[int, str]:
        """Send a message with an id that must be refused; return the status and the code."""
        reply = self.ask(**message)
        assert reply["type"] == "error", reply
        return self.status, reply["code"]

    def offer(self, robot_id: str = "r1", **more: Any) -> Frame:
        """Send an offer and return its reply."""
        return self.ask(**{"type": "offer", "robotId": robot_id, "payload": {"sdp": "o"}, **more})

    @property
    def seconds_left(self) -> int:
        """How many whole seconds its token has left."""
        return (self.expires_at - self.world.now) // 1000

    @property
    def is_open(self) -> bool:
        """Whether this connection is still open."""
        return self.connection_id in self.world.outbox.open

    def types(self) -> list[str]:
        """Return the types of the frames posted so far."""
        return [frame["type"] for frame in self.frames]

    def take(self) -> list[Frame]:
        """Return the frames posted since the last time."""
        taken = list(self.frames)
        self.frames.clear()
        return taken

    def vanish(self) -> None:
        """Lose the socket without anybody being told."""
        self.world.outbox.open.pop(self.connection_id, None)

    def disconnect(self) -> None:
        """Lose the socket; `$disconnect` runs."""
        self.vanish()
        self.world.event("DISCONNECT", self, disconnectStatusCode=1006, disconnectReason="")


class World:
    """The backend and everyone connected to it."""

    def __init__(
        self,
        store: Store,
        signer: Signer,
        *,
        rules: Rules | None = None,
        limiter: Limiter | None = None,
        origins: frozenset[str] | None = None,
        ice: IceSource | None = None,
        history: History | None = None,
    ) -> None:
        self.now = NOW
        self.outbox = Outbox()
        self.peers: list[Peer] = []
        self._signer = signer
        self._rules = rules or Rules()
        self._limiter = limiter or Unlimited()
        self._origins = origins
        self._ice = ice or StaticServers(ICE)
        self.history = history or NotKept()
        self.run_on(store)

    def run_on(self, store: Store) -> None:
        """Serve from now on with this store, as a Lambda that has just started does."""
        self.store = store
        self.signaling = Signaling(
            store=store,
            poster=self.outbox,
            ice=self._ice,
            limiter=self._limiter,
            issuers=(self._signer.issuer(),),
            rules=self._rules,
            history=self.history,
            origins=self._origins,
            device_audiences=lambda: frozenset({URL}),
            clock=lambda: self.now,
            # The world's time does not pass while an event is handled, however busy the machine is.
            deadline=lambda _: Deadline(clock=lambda: 0.0),
        )

    def pass_seconds(self, seconds: float) -> None:
        """Let time pass."""
        self.now += int(seconds * 1000)

    def token(self, user: str, groups: Sequence[str] = (), ttl_s: int = 3600) -> str:
        """Return a good token of this user."""
        now_s = self.now // 1000
        return self._signer.access(
            **{
                "sub": user,
                "username": user,
                "name": user.title(),
                "cognito:groups": list(groups),
                "iat": now_s,
                "exp": now_s + ttl_s,
            }
        )

    def dial(self) -> Peer:
        """Return a connection that API Gateway has named, before `$connect`."""
        self.now += 1  # so that no two connections are equally old
        peer = Peer(self, ConnectionId(f"conn-{len(self.peers) + 1:04}="), self.now)
        self.peers.append(peer)
        return peer

    def connect(
        self, user: str, *, v1: bool = True, groups: Sequence[str] = (), ttl_s: int = 3600
    ) -> Peer:
        """Open a connection as this user, in the v1 dialect or the seed's."""
        peer = self.dial()
        peer.expires_at = (self.now // 1000 + ttl_s) * 1000
        token = self.token(user, groups, ttl_s)
        offered = {"Sec-WebSocket-Protocol": f"robosignal.v1, bearer.{token}"}
        carrier = offered if v1 else {"Authorization": f"Bearer {token}"}
        result = self.event("CONNECT", peer, headers=carrier)
        assert result["statusCode"] == 200, result
        self.outbox.open[peer.connection_id] = peer.frames
        return peer

    def robot(self, robot_id: str = "r1", user: str = "owner", *, v1: bool = True) -> Peer:
        """Open a connection and register a robot on it."""
        peer = self.connect(user, v1=v1)
        said = {"instanceId": f"run-{peer.connection_id[5:9]}"} if v1 else {}
        peer.send(type="register", robotId=robot_id, **said)
        assert peer.status == 200
        return peer

    def dial_device(self, token: str, *, v1: bool = True) -> tuple[Peer, int]:
        """Open a connection with this assertion; return it, and the status of `$connect`."""
        peer = self.dial()
        offered = {"Sec-WebSocket-Protocol": f"robosignal.v1, bearer.{token}"}
        carrier = offered if v1 else {"Authorization": f"Bearer {token}"}
        status = self.event("CONNECT", peer, headers=carrier)["statusCode"]
        if status == 200:
            self.outbox.open[peer.connection_id] = peer.frames
        return peer, status

    def device(self, key: DeviceKey, robot_id: str = "r1", **changes: Any) -> Peer:
        """Open a connection as a robot does by its own key."""
        token = key.assertion(robot_id, now_s=self.now // 1000, **changes)
        peer, status = self.dial_device(token)
        assert status == 200, status
        return peer

    def device_robot(self, key: DeviceKey, robot_id: str = "r1", run: str = "run-1") -> Peer:
        """Open a connection by a robot's own key, and register the robot on it."""
        self.pass_seconds(1)  # Its assertion is newer than the one before.
        peer = self.device(key, robot_id)
        peer.ask(type="register", robotId=robot_id, instanceId=run)
        assert peer.status == 200
        return peer

    def enroll(self, key: DeviceKey, robot_id: str = "r1", user: str = "owner") -> None:
        """Let a key in, by a robot's owner."""
        peer = self.connect(user)
        peer.ask(type="enroll", robotId=robot_id, publicKey=key.jwk)
        assert peer.status == 200

    def item(self, robot_id: str = "r1") -> Robot:
        """Return a robot's item as the store has it."""
        found = self.store.robot(RobotId(robot_id))
        assert found is not None, robot_id
        return found

    def enrol(self, robot_id: str, user: str) -> None:
        """Give a robot that has never registered an owner."""
        shard = fleet_shard_of(RobotId(robot_id))
        puts = (Put(("ownerUserId",), user), Put(("fleetShard",), shard))
        enrols = Write("enrol", Missing(("ownerUserId",)), puts)
        assert isinstance(self.store.write_robot(RobotId(robot_id), enrols), Written)

    def share(self, robot_id: str, user: str) -> None:
        """Make a user an operator of a robot, as sharing does on the robot's item."""
        joins = Write("share", Exists(("ownerUserId",)), (AddToSet(("operators",), user),))
        assert isinstance(self.store.write_robot(RobotId(robot_id), joins), Written)

    def offer_share(self, robot_id: str, user: str, owner: str) -> None:
        """Offer a robot to a user, as sharing does on the robot's item and in the lists."""
        key = offer_key(UserId(user))
        self.store.note_share(RobotId(robot_id), key, UserId(owner))
        puts = (AddToSet(("offeredOperators",), user),)
        offers = Write("share", Exists(("ownerUserId",)), puts)
        assert isinstance(self.store.write_robot(RobotId(robot_id), offers), Written)

    def unshare(self, robot_id: str, user: str) -> None:
        """Take a user from a robot's operators, and leave the sessions as they are."""
        parts = Write("unshare", Exists(("ownerUserId",)), (RemoveFromSet(("operators",), user),))
        assert isinstance(self.store.write_robot(RobotId(robot_id), parts), Written)

    def stored(self) -> dict[str, Robot | Connection | None]:
        """Return all that the store has: every robot's item and every connection's row."""
        found: dict[str, Robot | Connection | None] = {
            peer.connection_id: self.store.connection(peer.connection_id) for peer in self.peers
        }
        for shard in FLEET:
            ids = self.store.list_fleet(shard, None, 1000).robot_ids
            found |= {robot_id: self.store.robot(robot_id) for robot_id in ids}
        return found

    def run_schedule(self) -> dict[str, Any]:
        """Hand the backend the event of its schedule."""
        return self.signaling.handle({**SCHEDULED, "id": "e1", "detail": {}})

    def event(self, kind: str, peer: Peer, **fields: Any) -> dict[str, Any]:
        """Hand the backend one of API Gateway's events."""
        return self.signaling.handle({"requestContext": self.context(kind, peer), **fields})

    def context(self, kind: str, peer: Peer) -> dict[str, Any]:
        """Return what API Gateway says of an event."""
        return {
            "eventType": kind,
            "routeKey": {"MESSAGE": "$default"}.get(kind, f"${kind.lower()}"),
            "connectionId": peer.connection_id,
            "connectedAt": peer.connected_at,
            "requestId": f"req-{self.now}",
            "requestTimeEpoch": self.now,
        }
