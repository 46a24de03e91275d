"""How many connections one user may have: no Lambda can count them, and one process can.

Owns the refusal of one too many at its handshake; must never know frames, tokens or sockets.
"""

import logging
import threading
from typing import Any

from robosignal.gateway.dispatch import Handle
from robosignal.gateway.shared import Limits
from robosignal.gateway.store import LocalStore
from robosignal.protocol.errors import RateLimited
from robosignal.protocol.frames import Error, encode
from robosignal.protocol.ids import ConnectionId
from robosignal.server.clock import epoch_ms
from robosignal.server.core.records import Connection
from robosignal.server.events import result
from robosignal.server.limits.sampling import SampledLog

log = logging.getLogger("robosignal.gateway")

CONNECTIONS_PER_USER = 250
"""A quarter of all that there may be, besides one for each robot that the user owns.

No person's pages and scripts need as many, redials included, and one user's cannot lock the
others out. A whole fleet may well be owned by one user, and comes back at once when the gateway
restarts: before they register, its robots are connections like any other.
"""

OTHERS = 100
"""So many of all connections no single user may have, whatever it owns."""


class Places:
    """A handler around a handler, which lets in as many of each user as there are places."""

    def __init__(
        self, handle: Handle, store: LocalStore, per_user: int, of: int = Limits().sockets
    ) -> None:
        """Let in so many of each user, and one more for each of its robots, `of` so many."""
        self._handle = handle
        self._store = store
        self._per_user = per_user
        self._most = max(per_user, of - OTHERS)
        self._lock = threading.Lock()
        self._refused = SampledLog(log, "connect refused")

    def __call__(self, event: dict[str, Any]) -> dict[str, Any]:
        """Handle as a Lambda does; a `$connect` that finds no place is refused with 429."""
        self._refused.flush(epoch_ms())
        answer = self._handle(event)
        context = event["requestContext"]
        row = None
        if context["eventType"] == "CONNECT":
            row = self._store.connection(ConnectionId(context["connectionId"]))
        return answer if row is None else self._judged(row, answer)

    def _judged(self, row: Connection, answer: dict[str, Any]) -> dict[str, Any]:
        # Each is counted before it is judged, and no longer once it is refused. So of those that
        # come at the same time, as many are let in as there are places, and no more.
        with self._lock:
            robots = self._store.count_robots(row.user_id)
            most = min(self._per_user + robots, self._most)
            if self._store.count_connections(row.user_id) <= most:
                return answer
            self._store.remove_connection(row.connection_id)
        code = RateLimited.code
        self._refused.write(epoch_ms(), code, code=code, by=row.user_id)
        text = f"{most} connections of this user are open, the most there may be: close one"
        return dict(result(RateLimited.status, encode(Error(code=RateLimited.code, message=text))))
