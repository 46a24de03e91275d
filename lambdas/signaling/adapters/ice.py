"""ICE servers from a fixed list, for deployments whose servers need no per-user password."""

from typing import Any

from signaling.core.steps import IceServers
from signaling.wire.ids import UserId

TTL_SECONDS = 3600


class StaticIce:
    """The same servers for everyone."""

    def __init__(self, servers: list[dict[str, Any]]) -> None:
        self._found = IceServers(servers, TTL_SECONDS)

    def servers(self, user: UserId | None, now: int, until: int) -> IceServers:  # noqa: ARG002 - the same for all
        """Return the list, to be asked for again after an hour."""
        return self._found
