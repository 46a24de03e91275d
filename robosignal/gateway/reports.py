"""What the handler is told of one connection: its handshake, each of its messages, its end.

Owns the connection's id and what all its events say the same; must never know a transport,
frames, or what becomes of an answer.
"""

from secrets import token_bytes

from robosignal.gateway import events
from robosignal.gateway.dispatch import Answer
from robosignal.gateway.handshake import Handshake
from robosignal.gateway.results import Accepted, Rejected
from robosignal.gateway.shared import Shared
from robosignal.gateway.sockets import Facts
from robosignal.protocol.ids import ConnectionId
from robosignal.server.clock import epoch_ms


class Reports:
    """Tells the handler; what it says of the end comes after what it said of the handshake."""

    def __init__(self, shared: Shared) -> None:
        self.connection_id = ConnectionId(_fresh_id())
        self._shared = shared
        self._context: events.Context = {}
        self._host = ""

    async def connect(self, handshake: Handshake, source_ip: str) -> Accepted | Rejected:
        """Return the handler's verdict on a handshake."""
        connected_at = self._shared.sockets.opening(epoch_ms())
        self._host = handshake.host
        self._context = events.connection_context(
            self.connection_id,
            connected_at=connected_at,
            source_ip=source_ip,
            user_agent=handshake.user_agent,
            domain=self._host,
            stage=self._shared.stage,
        )
        event = events.connect_event(
            self._context,
            handshake.headers.raw_items(),
            handshake.query,
            now=connected_at,
            request_id=_fresh_id(),
        )
        return await self._shared.dispatch.connect(event)

    def message(self, body: str, answer: Answer) -> None:
        """Have a message handled; `answer` gets the reply, if there is one."""
        # One system call for both ids: this runs for every message.
        entropy = token_bytes(2 * events.ID_BYTES)
        event = events.message_event(
            self._context,
            body,
            now=epoch_ms(),
            request_id=events.as_id(entropy[: events.ID_BYTES]),
            message_id=events.as_id(entropy[events.ID_BYTES :]),
        )
        self._shared.dispatch.message(event, answer)

    def disconnect(self, code: int, reason: str) -> None:
        """Have the connection's end handled."""
        event = events.disconnect_event(
            self._context,
            self._host,
            code=code,
            reason=reason,
            now=epoch_ms(),
            request_id=_fresh_id(),
        )
        self._shared.dispatch.disconnect(event)

    def facts(self, idle_ms: int) -> Facts:
        """Return what the management API tells of the connection."""
        identity = self._context["identity"]
        return Facts(
            connected_at=self._context["connectedAt"],
            last_active_at=epoch_ms() - idle_ms,
            source_ip=identity["sourceIp"],
            user_agent=identity.get("userAgent"),
        )


def _fresh_id() -> str:
    return events.as_id(token_bytes(events.ID_BYTES))
