"""A fleet of robots with own keys, over real sockets: all enrol by one code, one is stolen."""

import asyncio
import json
import os
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from itertools import cycle
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from robosignal.gateway.backend import Backend, BackendSettings
from robosignal.gateway.limits import Limits
from robosignal.server.settings import read_options
from tests.device import DeviceKey
from tests.gateway.raw import UPGRADE, dial, request

SOAK = bool(os.environ.get("ROBOSIGNAL_SOAK"))
ROBOTS, TRIES = (1000, 10_000) if SOAK else (60, 300)
AT_ONCE = 50
PATIENCE = 600

Record = Callable[[str, object], None]


@pytest.fixture
async def local() -> AsyncIterator[Backend]:
    """A gateway as it is served, with its rate limits, and room for the fleet."""
    service = BackendSettings(port=0, limits=Limits(connections=2 * ROBOTS + 100))
    async with Backend(service, read_options({})) as running:
        yield running


async def opened(local: Backend, token: str) -> ClientConnection:
    """Open a connection of the v1 dialect with this token."""
    offered = [Subprotocol("robosignal.v1"), Subprotocol(f"bearer.{token}")]
    return await connect(local.gateway.websocket_url, subprotocols=offered, ping_interval=None)


async def asked(client: ClientConnection, **message: object) -> dict[str, Any]:
    """Send a message and return its reply; other frames are passed over."""
    await client.send(json.dumps({"id": "a", **message}))
    while True:
        frame: dict[str, Any] = json.loads(await client.recv())
        if frame.get("replyTo") == "a" or frame["type"] == "error":
            return frame


class Fleet:
    """Robots that enrol themselves, each by a key of its own."""

    def __init__(self, local: Backend, code: str) -> None:
        self._local = local
        self._code = code
        self._aud = local.gateway.websocket_url
        self._turns = asyncio.Semaphore(AT_ONCE)
        self.keys: dict[str, DeviceKey] = {}
        self.sockets: dict[str, ClientConnection] = {}

    def assertion(self, robot_id: str, **changes: Any) -> str:
        """Return a robot's assertion of now."""
        now_s = int(time.time())
        return self.keys[robot_id].assertion(robot_id, now_s=now_s, aud=self._aud, **changes)

    def enrolment(self, robot_id: str, named: str) -> str:
        """Return the assertion with which a robot enrols; `named` is the id in it."""
        now_s = int(time.time())
        return self.keys[robot_id].enrolment(self._code, named, now_s=now_s, aud=self._aud)

    async def comes_online(self, number: int) -> None:
        """Enrol one robot, let it connect by its key, and register it."""
        robot_id = f"rover-{number}"
        self.keys[robot_id] = DeviceKey()
        async with self._turns:
            # Every second one learns its id only now.
            enrolling = await opened(
                self._local, self.enrolment(robot_id, robot_id if number % 2 else "")
            )
            reply = await asked(enrolling, type="enroll", code=self._code, robotId=robot_id)
            assert reply["type"] == "ack", reply
            await enrolling.close()
            socket = await opened(self._local, self.assertion(robot_id))
            reply = await asked(socket, type="register", robotId=robot_id, instanceId="run-1")
            assert reply["type"] == "registered", reply
            self.sockets[robot_id] = socket

    async def refused(self, token: str) -> int:
        """Return the status of a handshake with this token."""
        headers = UPGRADE | {"Sec-WebSocket-Protocol": f"robosignal.v1, bearer.{token}"}
        async with self._turns, dial(self._local.gateway) as raw:
            await raw.send(request(headers=headers))
            return await raw.status()


async def online(owner: ClientConnection) -> set[str]:
    """Return the robots that their owner's list says are online."""
    found: set[str] = set()
    more: dict[str, str] = {}
    while True:
        page = await asked(owner, type="robots", **more)
        if page["type"] == "error":
            assert page["code"] == "rate_limited", page
            await asyncio.sleep(page.get("retryAfterSeconds", 1))
            continue
        found |= {each["robotId"] for each in page["robots"] if each["online"]}
        if "cursor" not in page:
            return found
        more = {"cursor": page["cursor"]}


async def test_a_fleet_enrols_by_one_code_and_a_stolen_robot_stays_out(
    local: Backend, record_property: Record
) -> None:
    """None is left out; what is revoked is closed, and comes back by nothing that it has."""
    async with asyncio.timeout(PATIENCE), AsyncExitStack() as stack:
        owner = await opened(local, local.key.sign("owner"))
        stack.push_async_callback(owner.close)
        made = await asked(owner, type="create-code", pattern="rover-*", uses=ROBOTS)
        fleet = Fleet(local, made["code"])
        began = time.monotonic()
        await asyncio.gather(*(fleet.comes_online(number) for number in range(ROBOTS)))
        took = time.monotonic() - began
        record_property("robots enrolled by one code and online", f"{ROBOTS} in {took:.1f} s")

        assert await online(owner) == set(fleet.sockets)

        stolen = "rover-7"
        kid = fleet.keys[stolen].kid
        early = fleet.assertion(stolen)
        waiting = [await opened(local, fleet.assertion(stolen)) for _ in range(3)]
        began = time.monotonic()
        closing = asyncio.create_task(fleet.sockets.pop(stolen).wait_closed())
        ack = await asked(owner, type="revoke-key", robotId=stolen, kid=kid)
        await closing
        record_property(
            "a revoked robot's socket is closed after", f"{time.monotonic() - began:.3f} s"
        )

        assert ack["type"] == "ack"
        for socket in waiting:
            reply = await asked(socket, type="register", robotId=stolen, instanceId="run-2")
            assert reply["code"] == "forbidden"
            await socket.close()

        other = fleet.keys["rover-8"].kid
        tries: cycle[Callable[[], str]] = cycle(
            (
                lambda: fleet.assertion(stolen),
                lambda: early,
                lambda: fleet.assertion(stolen, header={"kid": other}),
                lambda: fleet.assertion(stolen, sub="robot:rover-8", iss="robot:rover-8"),
                lambda: fleet.assertion(stolen, iat=int(time.time()) + 20),
            )
        )
        began = time.monotonic()
        statuses: Counter[int] = Counter()
        for _ in range(TRIES // 100):
            some = [fleet.refused(next(tries)()) for _ in range(100)]
            statuses.update(await asyncio.gather(*some))
        took = time.monotonic() - began
        record_property("tries of a revoked robot", f"{TRIES} refused in {took:.1f} s: {statuses}")

        assert set(statuses) == {401}
        # The code opens a socket while it is valid, and lets the key in no more.
        again = await opened(local, fleet.enrolment(stolen, stolen))
        reply = await asked(again, type="enroll", code=made["code"])
        await again.close()

        assert reply["code"] == "forbidden"
        assert await online(owner) == set(fleet.sockets)
        await asyncio.gather(*(socket.close() for socket in fleet.sockets.values()))
