"""Finds a peer connection's addresses by asking STUN and TURN servers, after its answer.

aiortc answers only once every server has replied or timed out. That takes 5 s if one of the robot's
addresses, such as Docker's, does not reach one of the servers. Here the answer goes out with the
robot's own addresses, and the others follow as they are found (RFC 8838, trickle ICE).

It uses aioice's internals, as of the version in requirements.txt.
"""

import asyncio
import logging
import socket
import ssl
import time
from collections.abc import Callable, Coroutine, Iterable, Iterator, Sequence
from concurrent.futures import Future
from functools import partial
from ipaddress import ip_address
from ssl import SSLContext
from threading import Thread
from typing import Any

from aioice import Candidate, Connection, stun
from aioice.ice import StunProtocol, relayed_candidate, server_reflexive_candidate
from aiortc import RTCIceServer
from aiortc.rtcicetransport import parse_stun_turn_uri

SERVER_SECONDS = 5
"""How long a STUN or TURN server may take to answer, as in aioice."""

STUN_SERVERS = 8
"""How many STUN servers of a list are asked: the first ones. TURN servers all have their turn."""

RELAY_HEAD_START_SECONDS = 0.5
"""How long a TURN server has before the next one is asked as well."""

REMEMBERED_SECONDS = 600
"""How long the TURN server that answered last comes first.

After this the list's order counts again: a robot that once needed TLS, where UDP was closed, finds
the quicker way again where it is open.
"""

HTTPS_PORT = 443

UNAUTHORIZED = 401
"""A TURN server's refusal of a password (RFC 8656, section 7.2)."""

SECRETS_DIFFER = "its secret may differ from the signaling server's"

_log = logging.getLogger(__name__)

_lookups: dict[str, Future[list[str]]] = {}
"""The look-ups that are running, by name: peer connections share them."""

OnCandidate = Callable[[Candidate], None]
Ask = Callable[[], Coroutine[Any, Any, None]]
Uri = dict[str, Any]
"""A STUN or TURN server's address, as aiortc reads it."""


class Relays:
    """What a robot's peer connections share: which TURN server works, and whom TLS trusts.

    `clock` returns steady seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._working: tuple[str, float] | None = None
        self._tls: SSLContext | None = None
        self._refusals: dict[str, str] = {}

    def sort(self, servers: Iterable[RTCIceServer]) -> list[RTCIceServer]:
        """Return all in the order in which to ask them.

        What worked last comes first, and `turns:` on port 443 last: it passes every firewall that
        lets a browser through, and is the slowest, because TCP waits for each lost packet.
        """
        return sorted(servers, key=lambda one: (not self._works(one), _is_last_resort(one)))

    def remember(self, server: RTCIceServer) -> None:
        """Have this one come first for a while: it has just answered."""
        self._refusals.pop(str(server.urls), None)
        if not self._works(server):
            self._working = str(server.urls), self._clock() + REMEMBERED_SECONDS

    def report(self, server: RTCIceServer, refusal: stun.TransactionFailed) -> None:
        """Log why this one refuses a relay, once until it gives one or refuses otherwise."""
        code, reason = refusal.response.attributes.get("ERROR-CODE", (0, ""))
        url, why = str(server.urls), f"{code} {reason}".strip()
        if self._refusals.get(url) == why:
            return
        self._refusals[url] = why
        cause = f"; {SECRETS_DIFFER}" if code == UNAUTHORIZED else ""
        _log.warning("the TURN server %s refuses a relay (%s)%s", url, why, cause)

    async def tls(self) -> SSLContext:
        """Return what checks the names and certificates of `turns:` servers.

        It trusts what Python does: the system's authorities, or those in `SSL_CERT_FILE`. To read
        them takes up to 0.2 s: that is done once, in a thread.
        """
        if self._tls is None:
            self._tls = await asyncio.to_thread(ssl.create_default_context)
        return self._tls

    def _works(self, server: RTCIceServer) -> bool:
        if self._working is None:
            return False
        url, until = self._working
        return url == server.urls and self._clock() < until


def _is_last_resort(server: RTCIceServer) -> bool:
    uri = parse_stun_turn_uri(str(server.urls))
    return (uri["scheme"], uri["port"]) == ("turns", HTTPS_PORT)


class Gathering:
    """Asks servers in parallel; `on_candidate` is called with each candidate until `stop`.

    A server that does not answer, or refuses, costs only its own candidate. One relay is enough,
    and TURN servers limit relays by user: they are asked in order, until one has answered.
    """

    def __init__(
        self,
        connection: Connection,
        servers: Iterable[RTCIceServer],
        relays: Relays,
        on_candidate: OnCandidate,
    ) -> None:
        self._connection = connection
        self._relays = relays
        self._on_candidate = on_candidate
        usable = [(one, parse_stun_turn_uri(str(one.urls))) for one in relays.sort(servers)]
        reflects = [
            partial(self._reflect, own, _address(uri)) for own, uri in self._list_queries(usable)
        ]
        asks = [partial(self._relay, one, uri) for one, uri in usable if _is_relay(uri)]
        self._asking: list[asyncio.Task[Any]] = [
            *(asyncio.create_task(_try_for(reflect)) for reflect in reflects),
            asyncio.create_task(_ask_in_order(asks)),
        ]

    async def stop(self) -> None:
        """Report no more candidates, and close the sockets of unfinished requests."""
        for asking in self._asking:
            asking.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)

    def _list_queries(
        self, servers: list[tuple[RTCIceServer, Uri]]
    ) -> Iterator[tuple[StunProtocol, Uri]]:
        stuns = [uri for _, uri in servers if uri["scheme"] == "stun"][:STUN_SERVERS]
        for own in self._connection._protocols:  # noqa: SLF001
            if ip_address(own.local_candidate.host).version == 4:  # noqa: PLR2004 - as in aioice
                yield from ((own, uri) for uri in stuns)

    async def _reflect(self, own: StunProtocol, server: tuple[str, int]) -> None:
        host, port = server
        address = next(each for each in await _resolve(host) if ":" not in each)
        candidate, _ = await server_reflexive_candidate(own, (address, port))
        self._add(candidate)

    async def _relay(self, server: RTCIceServer, uri: Uri) -> None:
        # TLS needs the name, which is looked up once more: the resolver does answer, it seems.
        await _resolve(uri["host"])
        # Its stub says bool. asyncio gets it, and would read all authorities each time for True.
        tls: Any = uri["scheme"] == "turns" and await self._relays.tls()
        try:
            candidate, relay = await relayed_candidate(
                component=1,
                hide_related_address=False,
                protocol_factory=lambda: StunProtocol(self._connection),
                turn_server=_address(uri),
                turn_username=server.username,
                turn_password=server.credential,
                turn_ssl=tls,
                turn_transport=uri["transport"],
            )
        except stun.TransactionFailed as refusal:
            self._relays.report(server, refusal)
            raise
        connection = self._connection
        if connection._closing:  # noqa: SLF001
            await relay.close()
            return
        self._relays.remember(server)
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
        running.set_running_or_notify_cancel()  # a caller that gives up cancels it for no other
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
