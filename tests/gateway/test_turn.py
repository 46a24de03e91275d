"""Passwords for TURN servers, as a gateway hands them out and as a real server takes them."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aioice.stun import TransactionFailed
from aioice.turn import create_turn_endpoint
from aiortc import RTCConfiguration, RTCDataChannel, RTCIceTransportPolicy, RTCPeerConnection
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from robosignal.gateway.backend import Backend, BackendSettings
from robosignal.protocol.ids import UserId
from robosignal.robot.media.ice import configure
from robosignal.server.clock import epoch_ms
from robosignal.server.ice.turn import TTL_SECONDS, TurnServers, make_credential
from robosignal.server.settings import read_options
from tests.coturn import coturn

SECRET = "north-of-the-river"
NEXT_SECRET = "north-of-the-wall"
STUN = [{"urls": ["stun:stun.example:3478"]}]
PATIENCE = 10

Server = dict[str, Any]


@pytest.fixture
async def turn_port(tmp_path: Path) -> AsyncIterator[int]:
    """The port of a coturn that shares the secret, and the one that is to come after it."""
    async with coturn([SECRET, NEXT_SECRET], tmp_path) as port:
        yield port


def service(port: int, **more: str) -> Backend:
    """Return a backend whose TURN server is on this port."""
    turn = {"TURN_URLS": f"turn:127.0.0.1:{port}", "TURN_SECRET": SECRET}
    return Backend(BackendSettings(port=0), read_options(turn | more))


async def asked(local: Backend, user: str, *messages: dict[str, str]) -> dict[str, Any]:
    """Connect as this user, send these messages and return the last one's reply."""
    token = local.key.sign(user)
    offered = [Subprotocol("robosignal.v1"), Subprotocol(f"bearer.{token}")]
    async with connect(local.gateway.websocket_url, subprotocols=offered) as client:
        for message in messages:
            await client.send(json.dumps(message))
            reply: dict[str, Any] = json.loads(await client.recv())
    return reply


READY = {"type": "ready"}
REGISTER = {"type": "register", "robotId": "rover-1"}
ASK = {"type": "ice-servers", "robotId": "rover-1"}


async def served(local: Backend, user: str, robot_id: str) -> list[Server]:
    """Return the ICE servers that this user is given who owns such a robot."""
    register, ask = REGISTER | {"robotId": robot_id}, ASK | {"robotId": robot_id}
    servers: list[Server] = (await asked(local, user, register, ask))["iceServers"]
    return servers


@pytest.mark.parametrize("messages", [(REGISTER,), (REGISTER, ASK)], ids=["register", "ask"])
async def test_who_may_have_a_password_is_given_their_own(
    messages: tuple[dict[str, str], ...],
) -> None:
    """The fixed list comes first, and the password is this user's."""
    async with service(3478, ICE_SERVERS=json.dumps(STUN)) as local:
        reply = await asked(local, "ann", *messages)

    (*fixed, turn) = reply["iceServers"]
    assert fixed == STUN
    assert turn["urls"] == ["turn:127.0.0.1:3478"]
    assert turn["username"].partition(":")[2] == "ann"
    assert turn["credential"] == make_credential(SECRET, turn["username"])


async def test_a_password_is_good_for_an_hour() -> None:
    """So says the reply, and so says the name."""
    before = epoch_ms() // 1000
    async with service(3478) as local:
        reply = await asked(local, "ann", REGISTER, ASK)
    after = epoch_ms() // 1000

    until = int(reply["iceServers"][0]["username"].partition(":")[0])
    assert reply["ttlSeconds"] == 3600
    assert before + 3600 <= until <= after + 3600


async def test_without_turn_servers_nothing_is_added() -> None:
    """The fixed list alone, unchanged."""
    async with Backend(
        BackendSettings(port=0), read_options({"ICE_SERVERS": json.dumps(STUN)})
    ) as local:
        welcome = await asked(local, "ann", READY)

    assert (welcome["iceServers"], "turn" in welcome) == (STUN, False)


def relayed(servers: list[Server]) -> RTCPeerConnection:
    """Return a peer connection that uses relays alone."""
    usable = configure(servers).iceServers
    return RTCPeerConnection(
        RTCConfiguration(iceServers=usable, iceTransportPolicy=RTCIceTransportPolicy.RELAY)
    )


async def meet(caller: RTCPeerConnection, callee: RTCPeerConnection) -> None:
    """Exchange offer and answer, every candidate included."""
    await caller.setLocalDescription(await caller.createOffer())
    await callee.setRemoteDescription(caller.localDescription)
    await callee.setLocalDescription(await callee.createAnswer())
    await caller.setRemoteDescription(callee.localDescription)


def candidate_types(peer: RTCPeerConnection) -> set[str]:
    """Return the types of the candidates that a peer offers the other."""
    lines = peer.localDescription.sdp.splitlines()
    words = [line.split() for line in lines if line.startswith("a=candidate:")]
    return {line[line.index("typ") + 1] for line in words}


def echoing(channel: RTCDataChannel) -> None:
    """Answer each message with itself."""
    channel.on("message", channel.send)


async def test_a_message_passes_through_the_relay(turn_port: int) -> None:
    """Two users whom no direct path joins meet with what they were given."""
    async with service(turn_port) as local:
        robot = relayed(await served(local, "owner", "rover-1"))
        driver = relayed(await served(local, "auth0|ann", "rover-2"))
    echo = asyncio.get_running_loop().create_future()
    channel = driver.createDataChannel("control")
    channel.on("open", lambda: channel.send("forward"))
    channel.on("message", echo.set_result)
    robot.on("datachannel", echoing)
    try:
        await meet(driver, robot)
        async with asyncio.timeout(PATIENCE):
            answer = await echo
    finally:
        await asyncio.gather(driver.close(), robot.close())

    assert answer == "forward"
    assert candidate_types(driver) == candidate_types(robot) == {"relay"}


async def allocate(port: int, username: str, password: str) -> tuple[str, int]:
    """Ask coturn for a relay, give it back, and return its address."""
    transport, _ = await create_turn_endpoint(
        asyncio.DatagramProtocol, ("127.0.0.1", port), username, password
    )
    address: tuple[str, int] = transport.get_extra_info("sockname")
    transport.close()
    return address


def minted(user: str, seconds_ago: int = 0, secret: str = SECRET) -> tuple[str, str]:
    """Return the name and password that a user was given so long ago."""
    ice = TurnServers(("turn:127.0.0.1",), lambda _now: secret, [])
    then = epoch_ms() - seconds_ago * 1000
    (server,) = ice.servers(UserId(user), then, then + TTL_SECONDS * 1000).servers
    return server["username"], server["credential"]


PRINTABLE = "".join(map(chr, range(32, 127)))
"""What a token's `sub` may be made of."""


@pytest.mark.parametrize("user", ["auth0|ann", "a:b:c", "1:2", ":", PRINTABLE, '"' * 128])
async def test_coturn_takes_the_password_of_any_user(turn_port: int, user: str) -> None:
    """Whatever an issuer puts into `sub`, colons too: the first one ends the time."""
    async with asyncio.timeout(PATIENCE):
        host, _ = await allocate(turn_port, *minted(user))

    assert host == "127.0.0.1"


async def test_coturn_takes_a_password_until_its_hour_is_over(turn_port: int) -> None:
    """A minute before."""
    host, _ = await allocate(turn_port, *minted("ann", TTL_SECONDS - 60))

    assert host == "127.0.0.1"


async def test_coturn_takes_passwords_of_two_secrets(turn_port: int) -> None:
    """So that a secret can be changed while people drive."""
    for secret in (SECRET, NEXT_SECRET):
        host, _ = await allocate(turn_port, *minted("ann", secret=secret))

        assert host == "127.0.0.1"


async def test_coturn_refuses_a_password_whose_hour_is_over(turn_port: int) -> None:
    """Also of a user whose id looks like a later time."""
    later = str(epoch_ms() // 1000 + TTL_SECONDS)
    for user in ("ann", later):
        with pytest.raises(TransactionFailed) as refused:
            await allocate(turn_port, *minted(user, TTL_SECONDS + 2))

        assert refused.value.response.attributes["ERROR-CODE"][0] == 401


async def test_coturn_refuses_a_password_of_another_secret(turn_port: int) -> None:
    """A deployment and its TURN servers must share one."""
    with pytest.raises(TransactionFailed) as refused:
        await allocate(turn_port, *minted("ann", secret="south"))

    assert refused.value.response.attributes["ERROR-CODE"][0] == 401


async def test_coturn_refuses_a_time_that_was_put_off(turn_port: int) -> None:
    """The password is of the name with its time, so a user cannot give himself another hour."""
    username, password = minted("ann")
    until, _, user = username.partition(":")

    with pytest.raises(TransactionFailed) as refused:
        await allocate(turn_port, f"{int(until) + 3600}:{user}", password)

    assert refused.value.response.attributes["ERROR-CODE"][0] == 401
