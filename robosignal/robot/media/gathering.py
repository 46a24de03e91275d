"""Finds a peer connection's addresses by asking STUN and TURN servers, after its answer.

aiortc answers only once every server has replied or timed out. That takes 5 s if one of the robot's
addresses, such as Docker's, does not reach one of the servers. Here the answer goes out with the
robot's own addresses, and the others follow as they are found (RFC 8838, trickle ICE).

It uses aioice's internals, as of the version in requirements.txt.
"""

import asyncio
import socket
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from concurrent.futures import Future
from functools import partial
from ipaddress import ip_address
from threading import Thread
from typing import Any

from aioice import Candidate, Connection
from aioice.ice import StunProtocol, relayed_candidate, server_reflexive_candidate
from aiortc import RTCIceServer
from aiortc.rtcicetransport import parse_stun_turn_uri

SERVER_SECONDS = 5
"""How long a STUN or TURN server may take to answer, as in aioice."""

SERVERS = 8
"""How many servers of a list are asked: the first ones."""

RELAY_HEAD_START_SECONDS = 0.5
"""How long a TURN server has before the next one is asked as well."""

_lookups: dict[str, Future[list[str]]] = {}
"""The look-ups that are running, by name: peer connections share them."""

OnCandidate = Callable[[Candidate], None]
Ask = Callable[[], Coroutine[Any, Any, None]]
Uri = dict[str, Any]
"""A STUN or TURN server's address, as aiortc reads it."""


class Gathering:
    """Asks servers in parallel; `on_candidate` is called with each candidate until `stop`.

    A server that does not answer, or refuses, costs only its own candidate. One relay is enough,
    and TURN servers limit relays by user: they are asked in order, until one has answered.
    """

    def __init__(
        self, connection: Connection, servers: Iterable[RTCIceServer], on_candidate: OnCandidate
    ) -> None:
        self._connection = connection
        self._on_candidate = on_candidate
        usable = [(one, parse_stun_turn_uri(str(one.urls))) for one in [*servers][:SERVERS]]
        reflects = [
            partial(self._reflect, own, _address(uri)) for own, uri in self._list_queries(usable)
        ]
        relays = [partial(self._relay, one, uri) for one, uri in usable if _is_relay(uri)]
        self._asking: list[asyncio.Task[Any]] = [
            *(asyncio.create_task(_try_for(reflect)) for reflect in reflects),
            asyncio.create_task(_ask_in_order(relays)),
        ]

    async def stop(self) -> None:
        """Report no more candidates, and close the sockets of unfinished requests."""
        for asking in self._asking:
            asking.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)

    def _list_queries(
        self, servers: list[tuple[RTCIceServer, Uri]]
    ) -> Iterator[tuple[StunProtocol, Uri]]:
        for own in self._connection._protocols:  # noqa: SLF001
            if ip_address(own.local_candidate.host).version == 4:  # noqa: PLR2004 - as in aioice
                yield from ((own, uri) for _, uri in servers if uri["scheme"] == "stun")

    async def _reflect(self, own: StunProtocol, server: tuple[str, int]) -> None:
        host, port = server
        address = next(each for each in await _resolve(host) if ":" not in each)
        candidate, _ = await server_reflexive_candidate(own, (address, port))
        self._add(candidate)

    async def _relay(self, server: RTCIceServer, uri: Uri) -> None:
        # TLS needs the name, which is looked up once more: the resolver does answer, it seems.
        await _resolve(uri["host"])
        candidate, relay = await relayed_candidate(
            component=1,
            hide_related_address=False,
            protocol_factory=lambda: StunProtocol(self._connection),
            turn_server=_address(uri),
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
            self._on_candidate(candidate)


async def _resolve(host: str) -> list[str]:
    """Return a server's addresses; raise OSError without any.

    Each name is looked up in a thread of its own. In the event loop's threads, which are few and
    encode all video, a resolver that does not answer would stop every picture, for 20 s and more.
    """
    running = _lookups.get(host)
    if running is None:
        # As soon as its thread runs, the look-up may be over and gone from the dictionary.
        running = _lookups[host] = Future()
        running.set_running_or_notify_cancel()  # who waits no more cancels it for nobody else
        Thread(target=_look_up, args=(host, running), name=host, daemon=True).start()
    if found := await asyncio.wrap_future(running):
        return found
    raise OSError(host)


def _look_up(host: str, found: Future[list[str]]) -> None:
    try:
        answers = socket.getaddrinfo(host, None, type=socket.SOCK_DGRAM)
    except (OSError, ValueError):  # ValueError: no name at all, by its letters
        answers = []
    del _lookups[host]
    found.set_result([str(address[0]) for *_, address in answers])


async def _try_for(ask: Ask) -> bool:
    """Return whether the server has answered; whatever it does wrong, others may still do."""
    try:
        await asyncio.wait_for(ask(), SERVER_SECONDS)
    except Exception:  # noqa: BLE001 - of sockets, names, TLS, STUN and TURN
        return False
    return True


async def _ask_in_order(asks: Sequence[Ask]) -> None:
    """Ask in order until one succeeds; the next one at a failure, or after the head start."""
    pending: set[asyncio.Task[bool]] = set()
    waiting = [*reversed(asks)]
    has_answered = False
    try:
        while not has_answered and (pending or waiting):
            if waiting:
                pending.add(asyncio.create_task(_try_for(waiting.pop())))
            patience = RELAY_HEAD_START_SECONDS if waiting else None
            done, pending = await asyncio.wait(
                pending, timeout=patience, return_when=asyncio.FIRST_COMPLETED
            )
            has_answered = any(one.result() for one in done)
    finally:
        for one in pending:
            one.cancel()
        await asyncio.gather(*pending, return_exceptions=True)


def _is_relay(uri: Uri) -> bool:
    return (uri["scheme"], uri.get("transport")) in {
        ("turn", "udp"),
        ("turn", "tcp"),
        ("turns", "tcp"),
    }


def _address(uri: Uri) -> tuple[str, int]:
    return uri["host"], uri["port"]
