"""A peer connection's candidates: late, early, ended before they come, or never to be had.

The other end is a peer connection of aiortc's, whose description and candidates go separate ways.
"""

import asyncio
import re
import socket
import threading
import time
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aioice import mdns, stun
from aioice.ice import get_or_create_mdns_protocol, unref_mdns_protocol
from aiortc import (
    RTCConfiguration,
    RTCIceServer,
    RTCIceTransportPolicy,
    RTCPeerConnection,
    RTCSessionDescription,
)

from robosignal.protocol.ids import SessionId
from robosignal.robot.frames import Candidate, PcId
from robosignal.robot.media import ice
from robosignal.robot.media.gathering import (
    RELAY_HEAD_START_SECONDS,
    REMEMBERED_SECONDS,
    SERVER_SECONDS,
    Relays,
)
from robosignal.robot.media.peer import RESOLVED_AT_ONCE, Peer
from robosignal.robot.session.events import Answered, Event, Gathered, Opened
from robosignal.server.ice.turn import make_credential
from tests.coturn import coturn, coturn_over_tls, self_signed
from tests.robot.server import PATIENCE

SECRET = "over-the-hills"
NAT = ("198.51.100.7", 4711)
END = "a=end-of-candidates\r\n"
UNKNOWN = "candidate:1 1 udp 2122260223 {}.local 50123 typ host"


class StunServer(asyncio.DatagramProtocol):
    """A STUN server that sees everyone behind one NAT, and answers none before it may."""

    def __init__(self, order: list[str]) -> None:
        self.asked = asyncio.Event()
        self._order = order
        self._waiting: list[tuple[stun.Message, Any]] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what answers go by."""
        self._transport: Any = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        """Keep a request."""
        self._order.append("asked")
        self._waiting.append((stun.parse_message(data), addr))
        self.asked.set()

    @property
    def server(self) -> RTCIceServer:
        """What a client is given."""
        return RTCIceServer(f"stun:127.0.0.1:{self._transport.get_extra_info('sockname')[1]}")

    def answer(self) -> None:
        """Answer what has been asked."""
        for request, addr in self._waiting:
            response = stun.Message(
                message_method=request.message_method,
                message_class=stun.Class.RESPONSE,
                transaction_id=request.transaction_id,
            )
            response.attributes["XOR-MAPPED-ADDRESS"] = NAT
            self._transport.sendto(bytes(response), addr)


@asynccontextmanager
async def stun_server(order: list[str]) -> AsyncIterator[StunServer]:
    """Listen on loopback until left, and note each request."""
    loop = asyncio.get_running_loop()
    here = ("127.0.0.1", 0)
    transport, server = await loop.create_datagram_endpoint(lambda: StunServer(order), here)
    yield server
    transport.close()


class Pair:
    """A robot's peer connection, and the browser's that offers to it."""

    def __init__(
        self,
        robots: list[RTCIceServer],
        browsers: RTCConfiguration,
        order: list[str],
        relays: Relays,
    ) -> None:
        self.browser = RTCPeerConnection(browsers)
        self.browser.addTransceiver("video", direction="recvonly")
        channel = self.browser.createDataChannel("control")
        self.open = asyncio.Event()
        channel.on("open", self.open.set)
        self.told: asyncio.Queue[Event] = asyncio.Queue()
        servers = RTCConfiguration(iceServers=robots)
        self._order = order
        self.robot = Peer(
            SessionId("r:s"), PcId("pc"), servers, lambda: None, self._hear, relays=relays
        )

    def _hear(self, event: Event) -> None:
        if isinstance(event, Opened):
            return
        self._order.append(type(event).__name__)
        self.told.put_nowait(event)

    async def offer(self) -> tuple[str, list[Candidate]]:
        """Return the browser's offer, and its candidates by themselves."""
        await self.browser.setLocalDescription(await self.browser.createOffer())
        return ice.split_candidates(self.browser.localDescription.sdp)

    async def next(self) -> Event:
        """Return what the robot's peer connection tells next."""
        return await asyncio.wait_for(self.told.get(), PATIENCE)

    async def answered(self) -> str:
        """Return the answer that it tells next."""
        event = await self.next()
        assert isinstance(event, Answered)
        return event.sdp

    async def take(self, sdp: str) -> None:
        """Give the browser the answer."""
        await self.browser.setRemoteDescription(RTCSessionDescription(sdp, "answer"))

    async def connected(self) -> None:
        """Return once the data channel is open."""
        await asyncio.wait_for(self.open.wait(), PATIENCE)


@asynccontextmanager
async def pair(
    robots: list[RTCIceServer] | None = None,
    browsers: RTCConfiguration | None = None,
    order: list[str] | None = None,
    relays: Relays | None = None,
) -> AsyncIterator[Pair]:
    """Have both until left, and note what the robot's tells."""
    order = [] if order is None else order
    browsers = browsers or RTCConfiguration(iceServers=[])
    two = Pair(robots or [], browsers, order, relays or Relays())
    try:
        yield two
    finally:
        await two.robot.close()
        await two.browser.close()


@asynccontextmanager
async def shared_mdns() -> AsyncIterator[mdns.MDnsProtocol]:
    """Have what all peer connections of a process ask for names with."""
    subscriber = object()
    yield await get_or_create_mdns_protocol(subscriber)
    await unref_mdns_protocol(subscriber)


def open_sockets() -> int:
    """Return how many UDP sockets this process has open."""
    inodes = {line.split()[9] for line in Path("/proc/net/udp").read_text().splitlines()[1:]}
    inodes |= {line.split()[9] for line in Path("/proc/net/udp6").read_text().splitlines()[1:]}
    targets = [
        descriptor.readlink()
        for descriptor in Path("/proc/self/fd").iterdir()
        if descriptor.is_symlink()
    ]
    return sum(
        str(target).removeprefix("socket:[").removesuffix("]") in inodes for target in targets
    )


async def unanswered() -> None:
    """Ask for a name that no machine has, for as long as that takes."""
    async with shared_mdns() as protocol:
        assert await protocol.resolve("no-such-name.local") is None


async def test_a_description_that_ends_the_candidates_does_not_keep_out_those_that_follow() -> None:
    """Every section says that there are none and never will be; then they come."""
    async with pair() as two:
        sdp, candidates = await two.offer()
        assert candidates
        two.robot.offer(sdp.replace("a=setup:", f"{END}a=setup:"))
        await two.take(await two.answered())
        for candidate in candidates:
            two.robot.add(candidate)
        await two.connected()


async def test_candidates_within_the_description_do_as_well() -> None:
    """A client that waits for its candidates, and sends them with its offer, needs no others."""
    async with pair() as two:
        await two.offer()
        two.robot.offer(two.browser.localDescription.sdp)
        await two.take(await two.answered())
        await two.connected()


async def test_the_answer_waits_for_no_server_and_what_the_server_tells_follows() -> None:
    """A server that is silent costs nothing; the address behind the NAT comes when it answers."""
    order: list[str] = []
    async with stun_server(order) as silent, pair([silent.server], order=order) as two:
        sdp, _ = await two.offer()
        two.robot.offer(sdp)
        answer = await two.answered()
        await asyncio.wait_for(silent.asked.wait(), PATIENCE)
        silent.answer()
        found = await two.next()

    assert order[:2] == ["Answered", "asked"]
    assert "typ host" in answer
    assert NAT[0] not in answer
    assert END.strip() not in answer
    assert isinstance(found, Gathered)
    assert f" {NAT[0]} {NAT[1]} typ srflx" in found.candidate.candidate
    assert (found.candidate.sdp_mid, found.candidate.sdp_m_line_index) == ("0", 0)


async def test_ended_while_it_asks_servers_it_leaves_nothing_open(tmp_path: Path) -> None:
    """Neither a request without an answer, nor a relay that was made, nor a name asked for."""
    before = open_sockets()
    async with coturn([SECRET], tmp_path) as port, stun_server([]) as silent:
        name = f"{int(time.time()) + 600}:u1"
        relay = RTCIceServer(f"turn:127.0.0.1:{port}", name, make_credential(SECRET, name))
        silent_relay = RTCIceServer(
            f"turn{str(silent.server.urls).removeprefix('stun')}", name, "x"
        )
        for wanted in (Answered, Gathered):
            async with pair([silent.server, silent_relay, relay]) as two:
                sdp, _ = await two.offer()
                two.robot.offer(f"{sdp}a={UNKNOWN.format('name')}\r\n")
                while not isinstance(await two.next(), wanted):
                    pass

    assert open_sockets() == before


async def test_names_of_servers_that_no_resolver_answers_for_do_not_stop_the_video(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All video is encoded in the event loop's few threads: no lookup may keep one of them."""
    loop, lookups = asyncio.get_running_loop(), list[str]()
    have_asked, may_answer = asyncio.Event(), threading.Event()

    def look_up(host: str, *_: object, **__: object) -> object:
        lookups.append(host)
        if len(set(lookups)) == len(("one", "two")):
            loop.call_soon_threadsafe(have_asked.set)
        may_answer.wait()
        raise socket.gaierror

    loop.set_default_executor(ThreadPoolExecutor(max_workers=4))
    servers = [
        RTCIceServer(f"{scheme}:{host}.example", "user", "password")
        for host in ("one", "two")
        for scheme in ("stun", "turn")
    ]
    async with pair(servers) as first, pair(servers) as second, pair(servers) as third:
        monkeypatch.setattr(socket, "gethostbyname", look_up)
        monkeypatch.setattr(socket, "getaddrinfo", look_up)
        try:
            for each in (first, second, third):
                each.robot.offer((await each.offer())[0])
                await each.answered()
            async with asyncio.timeout(PATIENCE):
                await have_asked.wait()
                encoded = await loop.run_in_executor(None, str, "a frame")
            asked = sorted(lookups)
        finally:
            may_answer.set()

    assert encoded == "a frame"
    assert asked == ["one.example", "two.example"]


async def test_a_relay_server_that_is_silent_is_not_waited_for(tmp_path: Path) -> None:
    """The next one is asked long before it is given up."""
    async with coturn([SECRET], tmp_path) as port, stun_server([]) as silent:
        name = f"{int(time.time()) + 600}:u1"
        password = make_credential(SECRET, name)
        first = RTCIceServer(f"turn{str(silent.server.urls).removeprefix('stun')}", name, password)
        good = RTCIceServer(f"turn:127.0.0.1:{port}", name, password)
        async with pair([first, good]) as two:
            sdp, _ = await two.offer()
            two.robot.offer(sdp)
            await two.answered()
            found = await asyncio.wait_for(two.next(), SERVER_SECONDS)

    assert isinstance(found, Gathered)


async def test_where_udp_is_closed_a_relay_over_tls_carries_the_connection(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The first server is dead and the second has only TLS; the answer has waited for neither."""
    certificate = self_signed(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate.file))
    order: list[str] = []
    async with (
        coturn_over_tls([SECRET], tmp_path, certificate) as port,
        stun_server(order) as silent,
    ):
        servers = tls_alone(port, silent)
        relayed = RTCConfiguration([servers[-1]], iceTransportPolicy=RTCIceTransportPolicy.RELAY)
        async with pair(servers, relayed, order) as two:
            sdp, candidates = await two.offer()
            began = time.monotonic()
            two.robot.offer(sdp)
            answer = await two.answered()
            answered_after = time.monotonic() - began
            for candidate in candidates:
                two.robot.add(candidate)
            found = await two.next()
            assert isinstance(found, Gathered)
            await two.take(ice.split_candidates(answer)[0])
            await two.browser.addIceCandidate(ice.to_aiortc(found.candidate))
            await two.connected()

    assert order[:2] == ["Answered", "asked"]
    assert answered_after < RELAY_HEAD_START_SECONDS
    assert " typ relay" in found.candidate.candidate


async def test_a_certificate_that_the_robot_does_not_trust_is_no_relay(tmp_path: Path) -> None:
    """A machine in between could pose as the server."""
    certificate = self_signed(tmp_path)
    async with (
        coturn_over_tls([SECRET], tmp_path, certificate) as port,
        stun_server([]) as silent,
        pair(tls_alone(port, silent)) as two,
    ):
        sdp, _ = await two.offer()
        two.robot.offer(sdp)
        await two.answered()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(two.told.get(), 4 * RELAY_HEAD_START_SECONDS)


async def test_the_relay_server_that_worked_last_is_asked_first(tmp_path: Path) -> None:
    """The next peer connection does not wait for the dead one again."""
    relays = Relays()
    async with coturn([SECRET], tmp_path) as port, stun_server([]) as silent:
        servers = [silent_relay(silent), relay_at(f"turn:127.0.0.1:{port}")]
        for _ in range(2):
            silent.asked.clear()
            async with pair(servers, relays=relays) as two:
                sdp, _ = await two.offer()
                two.robot.offer(sdp)
                await two.answered()
                assert isinstance(await two.next(), Gathered)

    assert not silent.asked.is_set()


def test_relay_servers_are_asked_in_the_lists_order_and_https_last() -> None:
    """But what worked comes first, for a while."""
    now = 0.0
    relays = Relays(lambda: now)
    urls = ["turns:a:443", "turn:a", "turns:b:443?transport=tcp", "turns:a", "turn:a:443"]
    servers = [RTCIceServer(url) for url in urls]
    first = [one.urls for one in relays.sort(servers)]
    relays.remember(servers[2])
    then = [one.urls for one in relays.sort(servers)]
    now = REMEMBERED_SECONDS / 2
    relays.remember(servers[2])
    now = float(REMEMBERED_SECONDS)
    later = [one.urls for one in relays.sort(servers)]

    assert first == ["turn:a", "turns:a", "turn:a:443", "turns:a:443", "turns:b:443?transport=tcp"]
    assert then == ["turns:b:443?transport=tcp", *first[:-1]]
    assert later == first


def relay_at(url: str) -> RTCIceServer:
    """Return a TURN server with a password that is good for ten minutes."""
    name = f"{int(time.time()) + 600}:u1"
    return RTCIceServer(url, name, make_credential(SECRET, name))


def silent_relay(silent: StunServer) -> RTCIceServer:
    """Return a TURN server that never answers."""
    return relay_at(f"turn{str(silent.server.urls).removeprefix('stun')}")


def tls_alone(port: int, silent: StunServer) -> list[RTCIceServer]:
    """Return a server that is dead, and the URLs of one of which only TLS is open."""
    urls = ["turn:127.0.0.1:{}?transport=udp", "turn:127.0.0.1:{}?transport=tcp"]
    urls += ["turns:127.0.0.1:{}?transport=tcp"]
    return [silent_relay(silent), *(relay_at(url.format(port)) for url in urls)]


async def test_a_relay_that_is_refused_is_logged_once_until_that_server_gives_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Every peer asks for one: the log says the URL, the server's reason and what may be wrong."""
    now = 0.0
    relays = Relays(lambda: now)
    async with coturn([SECRET], tmp_path) as port:
        good = relay_at(f"turn:127.0.0.1:{port}?transport=udp")
        bad = RTCIceServer(good.urls, good.username, "wrong")
        other = RTCIceServer(f"turn:127.0.0.1:{port}", good.username, good.credential)
        for servers in ([bad, other], [bad, other], [good], [bad, other]):
            async with pair(servers, relays=relays) as two:
                sdp, _ = await two.offer()
                two.robot.offer(sdp)
                await two.answered()
                assert isinstance(await two.next(), Gathered)
            now += REMEMBERED_SECONDS

    reason = "(401 Unauthorized); its secret may differ from the signaling server's"
    line = f"the TURN server {bad.urls} refuses a relay {reason}"
    assert [one.getMessage() for one in caplog.records if "TURN" in one.getMessage()] == [line] * 2


async def test_a_relay_that_comes_after_the_answer_carries_the_connection(tmp_path: Path) -> None:
    """Servers that are dead, refuse or cannot be used come first; the first that can is enough."""
    async with coturn([SECRET], tmp_path) as port:
        name = f"{int(time.time()) + 600}:u1"
        password = make_credential(SECRET, name)
        good = RTCIceServer(f"turn:127.0.0.1:{port}?transport=udp", name, password)
        # Port 9 is `discard`: no program listens there.
        bad = [
            RTCIceServer("turn:127.0.0.1:9?transport=udp", name, password),
            RTCIceServer("turn:127.0.0.1:9?transport=tcp", name, password),
            RTCIceServer(good.urls, name, "wrong"),
            RTCIceServer("stuns:127.0.0.1"),
        ]
        relayed = RTCConfiguration([good], iceTransportPolicy=RTCIceTransportPolicy.RELAY)
        async with pair([*bad, good, good], relayed) as two:
            sdp, candidates = await two.offer()
            two.robot.offer(sdp)
            answer = await two.answered()
            for candidate in candidates:
                two.robot.add(candidate)
            found = await two.next()
            assert isinstance(found, Gathered)
            # The browser gets no other: its server lets in no peer that it has not been told of.
            await two.take(ice.split_candidates(answer)[0])
            await two.browser.addIceCandidate(ice.to_aiortc(found.candidate))
            await two.connected()

            assert two.told.empty(), "one relay is enough"

    assert " typ relay" in found.candidate.candidate


async def test_a_relay_alone_carries_a_robot_that_has_no_address_of_its_own(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It begins to connect with the first candidate that it has, after the answer."""
    async with coturn([SECRET], tmp_path) as port:
        name = f"{int(time.time()) + 600}:u1"
        server = RTCIceServer(f"turn:127.0.0.1:{port}", name, make_credential(SECRET, name))
        relayed = RTCConfiguration([server], iceTransportPolicy=RTCIceTransportPolicy.RELAY)
        async with pair([server], relayed) as two:
            sdp, candidates = await two.offer()
            monkeypatch.setattr("aioice.ice.get_host_addresses", lambda **_: [])
            two.robot.offer(sdp)
            answer = await two.answered()
            for candidate in candidates:
                two.robot.add(candidate)
            found = await two.next()
            assert isinstance(found, Gathered)
            await two.take(answer)
            await two.browser.addIceCandidate(ice.to_aiortc(found.candidate))
            await two.connected()

    assert "a=candidate:" not in answer


async def test_names_without_an_answer_are_in_no_ones_way() -> None:
    """Of ten in the description and ten after it, all cost less than one of them takes."""
    async with pair() as two:
        sdp, _ = await two.offer()
        names = [UNKNOWN.format(f"name-{number}") for number in range(20)]
        asking = asyncio.create_task(unanswered())
        two.robot.offer(sdp + "".join(f"a={name}\r\n" for name in names[:10]))
        for name in names[10:]:
            two.robot.add(Candidate(name, "0", 0))
        two.robot.offer(sdp)
        first = await two.answered()
        second = await two.answered()

        assert not asking.done()
        assert first.count("m=") == second.count("m=")
        await asking


async def test_a_name_for_an_address_in_the_description_keeps_nothing_back() -> None:
    """Firefox writes its mDNS name so; candidates and offers that follow are taken."""
    async with pair() as two:
        sdp, candidates = await two.offer()
        sdp = re.sub(r"c=IN IP4 \S+", "c=IN IP4 name.local", sdp)
        two.robot.offer(sdp)
        await two.take(await two.answered())
        for candidate in candidates:
            two.robot.add(candidate)
        await two.connected()
        two.robot.offer(sdp)
        await two.answered()

    assert "name.local" in sdp


async def test_only_so_many_names_are_asked_for_at_a_time() -> None:
    """A peer that sends a hundred makes no hundred requests."""
    async with pair() as two, shared_mdns() as protocol:
        sdp, _ = await two.offer()
        two.robot.offer(sdp)
        for number in range(100):
            two.robot.add(Candidate(UNKNOWN.format(f"many-{number}"), "0", 0))
        two.robot.offer(sdp)
        for _ in range(2):
            await two.answered()

        assert len(protocol.queries) == RESOLVED_AT_ONCE


async def test_one_that_cannot_be_read_fails_nothing() -> None:
    """In the description, too, where aiortc would refuse the whole of it."""
    async with pair() as two:
        sdp, candidates = await two.offer()
        two.robot.offer(f"{sdp}a=candidate:what\r\na=candidate:\r\n")
        for text in ("candidate:", "candidate:1 2 3", "\x00"):
            two.robot.add(Candidate(text, "0", 0))
        await two.take(await two.answered())
        for candidate in candidates:
            two.robot.add(candidate)
        await two.connected()

        assert two.told.empty()
