"""The tests' in-process backend, with events in the full shape that API Gateway gives them."""

from typing import Any

from robosignal.gateway import events
from robosignal.server.ports import Store
from tests.tokens import signer
from tests.world import Outbox, Peer, World

ENTROPY = bytes(events.ID_BYTES)
DOMAIN = "abc.execute-api.eu-central-1.amazonaws.com"
SOURCE_IP = "192.0.2.1"
"""Reserved for documentation (RFC 5737)."""


class GatewayEventsWorld(World):
    """A backend whose clock does not move: it is always `now`, in epoch ms."""

    def __init__(self, store: Store, outbox: Outbox, now: int) -> None:
        self.last_event: events.Event = {}
        super().__init__(store, signer())
        self.now = now
        self.outbox = outbox
        self.run_on(store)

    def event(self, kind: str, peer: Peer, **fields: Any) -> dict[str, Any]:
        """Hand the backend an event, and keep it."""
        self.last_event = _make_event(kind, peer, fields, self.now)
        return self.signaling.handle(self.last_event)


def _make_event(kind: str, peer: Peer, fields: dict[str, Any], now: int) -> events.Event:
    context = events.connection_context(
        peer.connection_id,
        connected_at=peer.connected_at,
        source_ip=SOURCE_IP,
        user_agent="bench",
        domain=DOMAIN,
        stage="prod",
    )
    request_id = events.format_id(ENTROPY)
    if kind == "CONNECT":
        headers = fields["headers"].items()
        return events.connect_event(context, headers, "", now=now, request_id=request_id)
    return events.message_event(
        context, fields["body"], now=now, request_id=request_id, message_id=request_id
    )
