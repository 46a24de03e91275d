"""A path between two peers that loses, delays, reorders and holds back their packets.

It is a UDP relay on this machine: each peer is told the relay's address in place of the other's.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from random import Random
from typing import cast

from aioice.ice import get_host_addresses

Address = tuple[str, int]


class _End(asyncio.DatagramProtocol):
    """The socket that one peer takes for the other one."""

    def __init__(self, relay: "Relay") -> None:
        self._relay = relay
        self.transport: asyncio.DatagramTransport | None = None
        self.far: _End | None = None
        self.peer: Address | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # asyncio's own is no DatagramTransport by its type before Python 3.12.
        self.transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        assert self.far is not None
        self.peer = addr
        self._relay.take(self.far, data)

    def send(self, data: bytes) -> None:
        """Write to this end's peer."""
        if self.peer is None or self.transport is None or self.transport.is_closing():
            return
        self.transport.sendto(data, self.peer)


class Relay:
    """What happens to packets: `loss` is the part that is lost, each way, `delay` in seconds.

    While `holding`, no packet passes; `let_go` then delivers all that have come, at once and in
    order, as a path does that comes back.
    """

    def __init__(self, seed: int) -> None:
        self.loss = 0.0
        self.delay = (0.0, 0.0)
        self.holding = False
        self.passed = 0
        self._held: list[tuple[_End, bytes]] = []
        self._random = Random(seed)  # noqa: S311 - chooses packets, protects nothing
        self._loop = asyncio.get_running_loop()
        self._ends: list[_End] = []

    async def open(self) -> None:
        """Make both sockets."""
        for _ in range(2):
            _, end = await self._loop.create_datagram_endpoint(
                lambda: _End(self), local_addr=(_find_address(), 0)
            )
            self._ends.append(end)
        first, second = self._ends
        first.far, second.far = second, first

    def close(self) -> None:
        """Close both sockets."""
        for end in self._ends:
            if end.transport is not None:
                end.transport.close()

    def replace_offerer(self, sdp: str) -> str:
        """Return the offer with the relay's address in place of the offerer's."""
        return self._replace(sdp, *self._ends)

    def replace_answerer(self, sdp: str) -> str:
        """Return the answer with the relay's address in place of the answerer's."""
        return self._replace(sdp, *reversed(self._ends))

    def _replace(self, sdp: str, own: _End, shown: _End) -> str:
        """Put the address of `shown` in place of the candidates, which `own` writes to."""
        lines: list[str] = []
        is_first = True
        for line in sdp.splitlines():
            if not line.startswith("a=candidate:"):
                lines.append(line)
                continue
            words = line.split()
            if is_first and words[2].lower() == "udp" and ":" not in words[4]:
                is_first = False
                own.peer = own.peer or (words[4], int(words[5]))
                assert shown.transport is not None
                host, port = shown.transport.get_extra_info("sockname")
                words[4:6] = host, str(port)
                lines.append(" ".join(words))
        assert not is_first
        return "\r\n".join(lines) + "\r\n"

    def take(self, end: _End, data: bytes) -> None:
        """Have a packet on its way to this end's peer, unless it is lost."""
        if self.holding:
            self._held.append((end, data))
        elif self._random.random() >= self.loss:
            self._loop.call_later(self._random.uniform(*self.delay), self._pass, end, data)

    def let_go(self) -> None:
        """Deliver what was held back."""
        self.holding = False
        for end, data in self._held:
            self._pass(end, data)
        self._held.clear()

    def _pass(self, end: _End, data: bytes) -> None:
        self.passed += 1
        end.send(data)


def _find_address() -> str:
    """Return an address of this machine that ICE uses too: it leaves out loopback."""
    return get_host_addresses(use_ipv4=True, use_ipv6=False)[0]


@asynccontextmanager
async def relay(seed: int) -> AsyncIterator[Relay]:
    """Have a relay until left."""
    found = Relay(seed)
    await found.open()
    try:
        yield found
    finally:
        found.close()
