"""The tests' whole backend, with events in the full shape that API Gateway gives them.

Owns the shape, and which event was the last; must never know what is measured with it.
"""

from typing import Any

from robosignal.gateway import events
from robosignal.server.ports import Store
from tests.tokens import signer
from tests.world import Outbox, Peer, World

ENTROPY = bytes(events.ID_BYTES)
DOMAIN = "abc.execute-api.eu-central-1.amazonaws.com"
NOBODY = "192.0.2.1"
"""An address of RFC 5737."""


class ShapedWorld(World):
    """A backend whose time stands still at `now`, in epoch ms."""

    def __init__(self, store: Store, outbox: Outbox, now: int) -> None:
        self.last: events.Event = {}
        super().__init__(store, signer())
        self.now = now
        self.outbox = outbox
        self.run_on(store)

    def event(self, kind: str, peer: Peer, **fields: Any) -> dict[str, Any]:
        """Hand the backend an event, and keep it."""
        self.last = _shaped(kind, peer, fields, self.now)
        return self.signaling.handle(self.last)


def _shaped(kind: str, peer: Peer, fields: dict[str, Any], now: int) -> events.Event:
    context = events.connection_context(
        peer.connection_id,
        connected_at=peer.connected_at,
        source_ip=NOBODY,
        user_agent="bench",
        domain=DOMAIN,
        stage="prod",
    )
    request_id = events.as_id(ENTROPY)
    if kind == "CONNECT":
        headers = fields["headers"].items()
        return events.connect_event(context, headers, "", now=now, request_id=request_id)
    return events.message_event(
        context, fields["body"], now=now, request_id=request_id, message_id=request_id
    )
