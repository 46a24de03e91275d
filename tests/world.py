"""A whole backend in one process, with people and robots who send and receive.

Drives the shipped entry by API Gateway's events over a real store; only the network is left
out. Time is the world's own and moves when a test says so.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from signaling.adapters.ice import StaticIce
from signaling.adapters.limiter import Unlimited
from signaling.core.request import Rules
from signaling.entry import Signaling
from signaling.ports import Limiter, Store
from signaling.wire.ids import ConnectionId
from tests.tokens import NOW, Signer

Frame = dict[str, Any]

ICE = [{"urls": ["stun:stun.example:3478"]}]


class Outbox:
    """Delivers frames into lists. Implements `signaling.ports.Sender`."""

    def __init__(self) -> None:
        self.open: dict[ConnectionId, list[Frame]] = {}
        self.posts = 0

    def post(self, connection: ConnectionId, frame: bytes) -> bool:
        """Keep a frame for whoever is open; False for the gone."""
        self.posts += 1
        if connection not in self.open:
            return False
        self.open[connection].append(json.loads(frame))
        return True

    def close(self, connection: ConnectionId) -> None:
        """Close a connection."""
        self.open.pop(connection, None)


@dataclass
class Peer:
    """One connection: what it sent for last, and every frame posted to it."""

    world: "World"
    connection_id: ConnectionId
    connected_at: int
    frames: list[Frame] = field(default_factory=list)
    status: int = 0

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

    @property
    def is_open(self) -> bool:
        """Whether nobody has closed this connection."""
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
    ) -> None:
        self.store = store
        self.now = NOW
        self.outbox = Outbox()
        self._signer = signer
        self._opened = 0
        self.signaling = Signaling(
            store=store,
            sender=self.outbox,
            ice=StaticIce(ICE),
            limiter=limiter or Unlimited(),
            issuers=(signer.issuer(),),
            rules=rules or Rules(),
            origins=origins,
            clock=lambda: self.now,
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

    def connect(
        self, user: str, *, v1: bool = True, groups: Sequence[str] = (), ttl_s: int = 3600
    ) -> Peer:
        """Open a connection as this user, in the v1 dialect or the seed's."""
        self._opened += 1
        self.now += 1  # so that no two connections are equally old
        peer = Peer(self, ConnectionId(f"conn-{self._opened:04}="), self.now)
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

    def event(self, kind: str, peer: Peer, **fields: Any) -> dict[str, Any]:
        """Hand the backend one of API Gateway's events."""
        context = {
            "eventType": kind,
            "routeKey": {"MESSAGE": "$default"}.get(kind, f"${kind.lower()}"),
            "connectionId": peer.connection_id,
            "connectedAt": peer.connected_at,
            "requestId": f"req-{self.now}",
            "requestTimeEpoch": self.now,
        }
        return self.signaling.handle({"requestContext": context, **fields})
