"""How many connections one user may have: one process can count them, and a Lambda cannot."""

import logging
import threading
from typing import Any

from robosignal.gateway.integration import Handle
from robosignal.gateway.limits import Limits
from robosignal.gateway.store import LocalStore
from robosignal.protocol.errors import RateLimited
from robosignal.protocol.frames import Error, encode
from robosignal.protocol.ids import ConnectionId
from robosignal.server.clock import epoch_ms
from robosignal.server.core.records import Connection
from robosignal.server.events import make_result
from robosignal.server.limits.sampling import SampledLog

log = logging.getLogger("robosignal.gateway")

CONNECTIONS_PER_USER = 250
"""A quarter of all connections, and one more for each robot that the user owns.

No person's pages and scripts need as many, redials included, and one user cannot lock the others
out, nor can the robots that the user has enrolled, which count as the user's. One user may own a
whole fleet, which redials at once when the gateway restarts: before its robots register, they are
connections like any other.
"""

RESERVED_FOR_OTHERS = 100
"""How many of all connections no single user can get, whatever they own."""


class ConnectionQuota:
    """A handler around another handler, which refuses a user's connections above the quota."""

    def __init__(
        self, handle: Handle, store: LocalStore, per_user: int, total: int = Limits().connections
    ) -> None:
        """Allow `per_user` connections, and one more for each robot of the user, of `total`."""
        self._handle = handle
        self._store = store
        self._per_user = per_user
        self._most = max(per_user, total - RESERVED_FOR_OTHERS)
        self._lock = threading.Lock()
        self._refused = SampledLog(log, "connect refused")

    def __call__(self, event: dict[str, Any]) -> dict[str, Any]:
        """Handle an event as a Lambda does; refuse a `$connect` above the quota with 429."""
        self._refused.flush(epoch_ms())
        answer = self._handle(event)
        context = event["requestContext"]
        row = None
        if context["eventType"] == "CONNECT":
            row = self._store.connection(ConnectionId(context["connectionId"]))
        return answer if row is None else self._check(row, answer)

    def _check(self, row: Connection, answer: dict[str, Any]) -> dict[str, Any]:
        # Each is counted before it is checked, and no more once it is refused. So of connections
        # that open at the same time, exactly as many are accepted as the quota allows.
        with self._lock:
            robots = self._store.count_robots(row.counted_user)
            most = min(self._per_user + robots, self._most)
            if self._store.count_connections(row.counted_user) <= most:
                return answer
            self._store.remove_connection(row.connection_id)
        code = RateLimited.code
        self._refused.write(epoch_ms(), code, code=code, by=row.counted_user)
        text = f"this user has {most} open connections, which is the limit: close one"
        return dict(
            make_result(RateLimited.status, encode(Error(code=RateLimited.code, message=text)))
        )
