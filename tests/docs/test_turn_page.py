"""The configuration that the TURN page gives for coturn, carried out by a real one."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from ipaddress import IPv4Address, IPv6Address, ip_address
from pathlib import Path

import pytest
from aioice.stun import TransactionFailed
from aioice.turn import TurnClientUdpProtocol

from robosignal.server.ice.turn import make_credential
from tests.coturn import coturn
from tests.docs.pages import blocks, page

SECRET = "north-of-the-river"
USER = f"{int(time.time()) + 3600}:alice"
FORBIDDEN = 403
PORT = 9

(CONFIGURATION,) = (
    body.splitlines()
    for body in blocks(page("docs/howto/turn.md"), "text")
    if "denied-peer-ip" in body
)
DENIED = [line.partition("=")[2] for line in CONFIGURATION if line.startswith("denied-peer-ip")]
OPTIONS = [f"--{line}" for line in CONFIGURATION if "denied-peer-ip" in line or "multicast" in line]

NOT_PUBLIC = [
    "0.0.0.1",
    "10.1.2.3",
    "100.64.0.1",
    "127.0.0.1",
    "169.254.169.254",
    "172.31.0.2",
    "192.0.0.8",
    "192.168.1.1",
    "198.18.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "224.0.0.251",
    "::",
    "::1",
    "::ffff:10.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::a00:1",
    "2001:0:1::1",
    "2002:a00:1::1",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "ff02::1",
]
PUBLIC = ["192.0.1.1", "100.128.0.1", "9.255.255.255", "172.32.0.1", "2606:4700::1111", "2a00::1"]


@asynccontextmanager
async def client(address: str, directory: Path) -> AsyncIterator[TurnClientUdpProtocol]:
    """Run coturn as the page says, on an address of this machine; yield a client's allocation."""
    more = [*OPTIONS, "--allocation-default-address-family=keep"]
    async with coturn([SECRET], directory, address=address, more=more) as port:
        transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(
            lambda: TurnClientUdpProtocol(
                (address, port),
                USER,
                make_credential(SECRET, USER),
                lifetime=600,
                channel_refresh_time=500,
            ),
            remote_addr=(address, port),
        )
        try:
            await protocol.connect()
            yield protocol
            await protocol.delete()
        finally:
            transport.close()


async def verdicts(client: TurnClientUdpProtocol, peers: Iterable[str]) -> dict[str, int | None]:
    """Return with which code each peer's address is refused; None for one that is allowed."""
    found: dict[str, int | None] = {}
    for channel, peer in enumerate(peers, start=0x4000):
        try:
            await client.channel_bind(channel, (peer, PORT))
            found[peer] = None
        except TransactionFailed as failed:
            found[peer] = failed.response.attributes["ERROR-CODE"][0]
    return found


def ends(version: int) -> list[str]:
    """Return the first and the last address of each denied range of an IP version."""
    pairs = [line.split("-") for line in DENIED]
    return [each for pair in pairs for each in pair if ip_address(each).version == version]


@pytest.mark.parametrize(("version", "address"), [(IPv4Address, "127.0.0.1"), (IPv6Address, "::1")])
async def test_the_relay_reaches_public_addresses_alone(
    version: type[IPv4Address | IPv6Address], address: str, tmp_path: Path
) -> None:
    """Else a password for the relay is a way into the network that the relay is in."""
    inside = [each for each in NOT_PUBLIC if isinstance(ip_address(each), version)]
    inside += ends(ip_address(address).version)
    outside = [each for each in PUBLIC if isinstance(ip_address(each), version)]

    async with client(address, tmp_path) as allocated:
        refused = await verdicts(allocated, dict.fromkeys(inside))
        allowed = await verdicts(allocated, outside)

    assert set(refused.values()) == {FORBIDDEN}, refused
    assert set(allowed.values()) == {None}, allowed
