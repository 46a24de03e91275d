"""Fixed ICE servers: the same for everyone, and for how long."""

from signaling.adapters.ice import StaticIce
from signaling.core.steps import IceServers
from signaling.wire.ids import UserId

SERVERS = [{"urls": ["stun:stun.example:3478"]}]


def test_everyone_gets_the_same_servers() -> None:
    """Whoever asks, whenever: to be asked for again after an hour."""
    ice = StaticIce(SERVERS)

    assert ice.servers(UserId("ann"), 1, 2) == IceServers(SERVERS, 3600)
    assert ice.servers(None, 2, 2) == IceServers(SERVERS, 3600)
