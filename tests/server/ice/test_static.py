"""Fixed ICE servers: the same for everyone, and for how long."""

from robosignal.protocol.ids import UserId
from robosignal.server.core.steps import IceServers
from robosignal.server.ice.static import StaticServers

SERVERS = [{"urls": ["stun:stun.example:3478"]}]


def test_everyone_gets_the_same_servers() -> None:
    """For any user, at any time: to be asked for again after an hour."""
    ice = StaticServers(SERVERS)

    assert ice.servers(UserId("ann"), 1, 2) == IceServers(SERVERS, 3600)
    assert ice.servers(None, 2, 2) == IceServers(SERVERS, 3600)
