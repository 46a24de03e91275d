"""Finds the addresses of a peer connection that a STUN or TURN server must tell, after its answer.

aiortc answers only once every server has been heard, which takes 5 s as soon as one address of the
robot's does not reach one of them, as Docker's does not. Here the answer goes out with the robot's
own addresses, and the others follow it, as each is known (RFC 8838, trickle ICE).

Knows aioice from the inside, as of the version in requirements.txt; never offers, or how
candidates travel.
"""

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Iterable
from functools import partial
from ipaddress import ip_address
from typing import Any

from aioice import Candidate, Connection
from aioice.ice import StunProtocol, relayed_candidate, server_reflexive_candidate
from aiortc import RTCIceServer
from aiortc.rtcicetransport import parse_stun_turn_uri

SERVER_SECONDS = 5
"""How long a STUN or TURN server may take to answer, as in aioice."""

SERVERS = 8
"""Of a longer list, the first ones are asked."""

Found = Callable[[Candidate], None]
Ask = Callable[[], Coroutine[Any, Any, None]]


class Gathering:
    """Asks all servers side by side; `found` is told of each candidate until `stop`.

    A server that does not answer, or refuses, costs its own candidate alone.
    """

    def __init__(
        self, connection: Connection, servers: Iterable[RTCIceServer], found: Found
    ) -> None:
        self._connection = connection
        self._found = found
        self._asking = [
            asyncio.create_task(_within_patience(ask))
            for server in [*servers][:SERVERS]
            for ask in self._asks_of(server)
        ]

    async def stop(self) -> None:
        """Tell no more, and leave no socket of an unfinished request open."""
        for asking in self._asking:
            asking.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)

    def _asks_of(self, server: RTCIceServer) -> list[Ask]:
        uri = parse_stun_turn_uri(str(server.urls))
        where = (uri["host"], uri["port"])
        match uri["scheme"], uri.get("transport"):
            case "stun", _:
                own = [one for one in self._connection._protocols if _is_v4(one)]  # noqa: SLF001
                return [partial(self._reflect, one, where) for one in own]
            case ("turn", "udp" | "tcp") | ("turns", "tcp"):
                return [partial(self._relay, server, uri, where)]
            case _:
                return []

    async def _reflect(self, own: StunProtocol, server: tuple[str, int]) -> None:
        candidate, _ = await server_reflexive_candidate(own, server)
        self._add(candidate)

    async def _relay(
        self, server: RTCIceServer, uri: dict[str, Any], where: tuple[str, int]
    ) -> None:
        candidate, relay = await relayed_candidate(
            component=1,
            hide_related_address=False,
            protocol_factory=lambda: StunProtocol(self._connection),
            turn_server=where,
            turn_username=server.username,
            turn_password=server.credential,
            turn_ssl=uri["scheme"] == "turns",
            turn_transport=uri["transport"],
        )
        connection = self._connection
        if connection._closing:  # noqa: SLF001
            await relay.close()
            return
        connection._protocols.append(relay)  # noqa: SLF001
        for remote in connection.remote_candidates:
            connection._pair_remote_candidate(remote)  # noqa: SLF001
        connection.sort_check_list()
        self._add(candidate)

    def _add(self, candidate: Candidate) -> None:
        known = {(one.host, one.port) for one in self._connection.local_candidates}
        # Without a NAT a server sees the robot's own address (RFC 8445, 5.1.3).
        if (candidate.host, candidate.port) not in known:
            self._connection._local_candidates.append(candidate)  # noqa: SLF001
            self._found(candidate)


async def _within_patience(ask: Ask) -> None:
    # Whatever a server or its name does wrong: the other candidates may still do.
    with contextlib.suppress(Exception):
        await asyncio.wait_for(ask(), SERVER_SECONDS)


def _is_v4(own: StunProtocol) -> bool:
    return ip_address(own.local_candidate.host).version == 4  # noqa: PLR2004
