"""Someone who only watches floods a robot with offers while another drives it: what that costs.

Everyone is a process of their own, as in real life: the gateway, the robot, the flood. The driver
is a real peer connection in this one. `python -m tests.e2e.offers` prints the figures.
"""

import asyncio
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from websockets.asyncio.client import ClientConnection, connect
from websockets.typing import Subprotocol

from tests.e2e.conftest import Site, serve
from tests.e2e.processes import Process

ROBOT = "rover-1"
OWNER, FLOODER = "olga", "mallory"
PATIENCE_SECONDS = 30
COMMAND_SECONDS = 0.05
DRIVEN_SECONDS = 1.0
RESTING_SECONDS = 0.5

ROVER = """
import asyncio, logging, os, sys, time
from robosignal.robot import Robot

def move(drive):
    # The clock is the machine's: other processes read the same one.
    print("moves", drive.y, time.monotonic(), flush=True)

logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
url, robot, token = sys.argv[1:]
asyncio.run(Robot(url, robot, token=token, on_drive=move).run())
"""

FLOOD = """
import asyncio, sys
from tests.e2e.offers import flood
url, token, sections, a_second = sys.argv[1:]
asyncio.run(flood(url, token, int(sections), float(a_second)))
"""


def sections_of(sections: int) -> str:
    """Return an offer of so many video sections, each with a transport of its own."""
    head = [
        "v=0",
        "o=- 1 1 IN IP4 0.0.0.0",
        "s=-",
        "t=0 0",
        f"a=fingerprint:sha-256 {'AB:' * 31}AB",
    ]
    each = "m=video 9 UDP/TLS/RTP/SAVPF 97\r\nc=IN IP4 0.0.0.0\r\na=mid:{}\r\na=recvonly\r\n"
    each += "a=rtpmap:97 VP8/90000\r\na=rtcp-fb:97 nack pli\r\na=rtcp-mux\r\na=setup:actpass\r\n"
    each += "a=ice-ufrag:HDil\r\na=ice-pwd:Kq9lBuKQu7bXl6CdXNShNJ\r\n"
    each += "a=candidate:1 1 udp 2130706431 127.0.0.1 9 typ host\r\n"
    return "\r\n".join(head) + "\r\n" + "".join(each.format(number) for number in range(sections))


@asynccontextmanager
async def connected(url: str, token: str) -> AsyncIterator[ClientConnection]:
    """Have a connection that has been welcomed."""
    offered = [Subprotocol("robosignal.v1"), Subprotocol(f"bearer.{token}")]
    async with connect(url, subprotocols=offered) as socket:
        await socket.send('{"type":"ready","protocol":1}')
        assert json.loads(await socket.recv())["type"] == "welcome"
        yield socket


async def flood(url: str, token: str, sections: int, a_second: float) -> None:
    """Offer as a viewer, each time under a new `pcId`, until killed; print what comes back."""
    sdp = sections_of(sections)
    heard: Counter[str] = Counter()
    async with connected(url, token) as socket:

        async def hear() -> None:
            async for text in socket:
                frame = json.loads(text)
                payload = frame.get("payload", {})
                heard[str(payload.get("code", frame.get("code", frame["type"])))] += 1

        hearing = asyncio.create_task(hear())
        began = time.monotonic()
        for number in count():
            text = json.dumps(_offer("viewer", f"pc-{number}", sdp))
            await socket.send([text[at : at + 8000] for at in range(0, len(text), 8000)])
            print("flooded", number + 1, dict(heard), flush=True)  # noqa: T201 - read by who started it
            await asyncio.sleep(max(0.0, began + (number + 1) / a_second - time.monotonic()))
            assert not hearing.done(), "the gateway has closed the flood's connection"


def _offer(role: str, pc: str, sdp: str) -> dict[str, Any]:
    payload = {"type": "offer", "sdp": sdp}
    return {"type": "offer", "robotId": ROBOT, "role": role, "pcId": pc, "payload": payload}


@dataclass
class Found:
    """What a run has shown: times in seconds, sizes in MB."""

    stops: list[float] = field(default_factory=list)
    round_trips: list[float] = field(default_factory=list)
    memory_before: float = 0.0
    memory: float = 0.0
    cut_off: bool = False
    flood: str = ""

    def __str__(self) -> str:
        """In one line."""
        trips = sorted(self.round_trips) or [float("nan")]
        stops = sorted(self.stops) or [float("nan")]
        return (
            f"stops after {stops[len(stops) // 2]:.3f} s, worst {stops[-1]:.3f} s "
            f"({len(self.stops)}); round trip {trips[len(trips) // 2] * 1000:.1f} ms, "
            f"worst {trips[-1] * 1000:.0f} ms; memory {self.memory_before:.0f} to "
            f"{self.memory:.0f} MB; driver cut off: {self.cut_off}; {self.flood}"
        )


class Driver:
    """A real peer connection that drives, over a real connection to the gateway."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket
        self._peer = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._peer.addTransceiver("video", direction="recvonly")
        self._channel = self._peer.createDataChannel("control")
        self._opened = asyncio.Event()
        self._closed = asyncio.Event()
        self._pongs: dict[int, float] = {}
        self._sent = count(1)
        self._has_driven = False
        self.round_trips: list[float] = []
        self._channel.on("open", self._opened.set)
        self._channel.on("close", self._closed.set)
        self._channel.on("message", self._heard)

    async def join(self, role: str = "controller") -> float:
        """Offer, and return once the channel is open how long that took."""
        began = time.monotonic()
        await self._peer.setLocalDescription(await self._peer.createOffer())
        await self._socket.send(json.dumps(_offer(role, "pc-d", self._peer.localDescription.sdp)))
        async with asyncio.timeout(PATIENCE_SECONDS):
            while (frame := json.loads(await self._socket.recv()))["type"] != "answer":
                assert frame["type"] != "error", frame
            await self._peer.setRemoteDescription(RTCSessionDescription(**frame["payload"]))
            await self._opened.wait()
        return time.monotonic() - began

    async def drive(self) -> float:
        """Drive for a while, after a drive before has ended; return when the last command went."""
        if self._has_driven:
            # The robot ignores an old page after a gap, and then wants to stand still first.
            await self._command(0.0, RESTING_SECONDS)
        self._has_driven = True
        return await self._command(1.0, DRIVEN_SECONDS)

    async def _command(self, y: float, seconds: float) -> float:
        until = time.monotonic() + seconds
        while (now := time.monotonic()) < until:
            last = now
            self._say({"type": "command", "drive": {"x": 0.0, "y": y}})
            await asyncio.sleep(COMMAND_SECONDS)
        return last

    def ping(self) -> None:
        """Measure a round trip."""
        n = self._say({"type": "ping"})
        self._pongs[n] = time.monotonic()

    @property
    def is_cut_off(self) -> bool:
        """Whether it has lost the robot."""
        return self._closed.is_set()

    async def close(self) -> None:
        """End the peer connection."""
        await self._peer.close()

    def _say(self, message: dict[str, Any]) -> int:
        n = next(self._sent)
        if self._channel.readyState == "open":
            self._channel.send(json.dumps(message | {"n": n}))
        return n

    def _heard(self, text: str) -> None:
        answer = json.loads(text)
        if answer["type"] == "pong" and answer["n"] in self._pongs:
            self.round_trips.append(time.monotonic() - self._pongs.pop(answer["n"]))


class Rover:
    """A robot whose motors print what they are told, and when."""

    def __init__(self, site: Site) -> None:
        self.process = Process.of_code(ROVER, site.websocket_url, ROBOT, site.token(OWNER))
        self.process.wait_for("online")

    async def stopped_after(self, last: float) -> float:
        """Return how long after the last command the motors were told to stop for good.

        What comes late makes them move again, so it is the last stop that counts.
        """
        first = 0.0
        while first <= last:
            found = await asyncio.to_thread(self.process.wait_for, r"^moves 0\.0 ([\d.]+)")
            first = float(found[1])
        # Commands that a busy robot takes late make it move again: by now they would have.
        await asyncio.sleep(DRIVEN_SECONDS)
        later = [line.split() for line in self.process.drain() if line.startswith("moves")]
        return max([first, *(float(at) for _, _, at in later)]) - last

    def memory_mb(self) -> float:
        """Return the most memory that it has had so far."""
        status = Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8")
        (peak,) = [line for line in status.splitlines() if line.startswith("VmHWM")]
        return int(peak.split()[1]) / 1024


async def share(site: Site) -> None:
    """Make the flooder an operator of the robot."""
    async with connected(site.websocket_url, site.token(OWNER)) as socket:
        message = {"type": "share", "id": "s", "robotId": ROBOT, "userId": FLOODER}
        await socket.send(json.dumps(message))
        assert json.loads(await socket.recv())["type"] == "ack"
    async with connected(site.websocket_url, site.token(FLOODER)) as socket:
        await socket.send(json.dumps({"type": "accept-share", "id": "a", "robotId": ROBOT}))
        assert json.loads(await socket.recv())["type"] == "ack"


async def measure(site: Site, *, sections: int, a_second: float, drives: int) -> Found:
    """Drive so many times while somebody floods; no flood at all at 0 a second."""
    found = Found()
    rover = Rover(site)
    url = site.websocket_url
    flooding = None
    await share(site)
    async with connected(url, site.token(OWNER)) as socket:
        driver = Driver(socket)
        await driver.join()
        found.memory_before = rover.memory_mb()
        if a_second:
            arguments = (url, site.token(FLOODER), str(sections), str(a_second))
            flooding = Process.of_code(FLOOD, *arguments)
            await asyncio.to_thread(flooding.wait_for, "flooded")
        pinging = asyncio.create_task(_ping(driver))
        try:
            for _ in range(drives):
                last = await driver.drive()
                if driver.is_cut_off:
                    break
                found.stops.append(await rover.stopped_after(last))
        finally:
            pinging.cancel()
        found.cut_off = driver.is_cut_off
        found.round_trips = driver.round_trips
        found.memory = rover.memory_mb()
        if flooding is not None:
            flooding.kill()
            found.flood = ([*flooding.lines, *flooding.drain()] or [""])[-1]
        await driver.close()
    rover.process.stop()
    return found


async def _ping(driver: Driver) -> None:
    while True:
        driver.ping()
        await asyncio.sleep(0.1)


def main() -> None:
    """Print what each flood costs."""
    floods = [(0, 0.0), (150, 5.0), (150, 20.0), (1, 20.0), (4, 20.0)]
    for sections, a_second in floods:
        with tempfile.TemporaryDirectory() as state:
            site = serve(Path(state))
            found = asyncio.run(measure(site, sections=sections, a_second=a_second, drives=8))
            size = len(sections_of(sections)) if a_second else 0
            sys.stdout.write(
                f"{a_second:g} a second of {sections} sections, {size} bytes: {found}\n"
            )
            sys.stdout.flush()
            site.process.stop()


if __name__ == "__main__":
    os.environ.setdefault("PYTHONPATH", os.pathsep.join(map(str, sys.path)))
    main()
