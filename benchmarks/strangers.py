"""What one user's sockets cost a neighbour on the local gateway, without and with limits.

One user owns fifty robots and asks for the list of them on sixty sockets, each within its own
limit; another user's lists are timed meanwhile. `python -m benchmarks.strangers serve|ask` are the
processes beside this one: the gateway, and the user who asks.
"""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from benchmarks.environment import own_environment
from benchmarks.scale import Scale
from benchmarks.tables import MILLISECONDS, RATIO, Table
from robosignal.loadtest.measured_process import MeasuredProcess, report_cpu, run_measured
from robosignal.loadtest.report import percentiles
from robosignal.testing import LocalBackend

TITLE = "One user's sixty sockets, and a neighbour"
HEAD = ("what", "unit", "n", "p50", "p95")
MODULE = "benchmarks.strangers"

ROBOTS = 50
SOCKETS = 60
EACH_PER_SECOND = 10
"""Below the 50 messages a second of one connection."""

NEIGHBOUR_EVERY_S = 0.02
SETTLING_S = 1.0
"""Waited before anything is timed, so that the burst allowance is used up."""

ALONE, WITHOUT, WITH = "alone", "beside them, limits off", "beside them, limits on"
LIST = json.dumps({"type": "robots", "id": "q"})


def compare(scale: Scale) -> Table:
    """Return the neighbour's percentiles, alone and beside the others, and their ratio."""
    found = asyncio.run(_measure(scale.seconds / 4))
    shown = {name: percentiles(times) for name, times in found.items()}
    rows: list[tuple[str, ...]] = [
        (name, MILLISECONDS, str(len(found[name])), f"{each['p50']:.2f}", f"{each['p95']:.2f}")
        for name, each in shown.items()
    ]
    for name in (WITHOUT, WITH):
        parts = (f"{shown[name][part] / shown[ALONE][part]:.2f}" for part in ("p50", "p95"))
        rows.append((f"{name} / {ALONE}", RATIO, "1", *parts))
    note = f"{SOCKETS} sockets, each of which asks {EACH_PER_SECOND} times a second for a page."
    return Table(TITLE, HEAD, tuple(rows), note)


async def _measure(seconds: float) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for name, limits in ((WITHOUT, "off"), (WITH, "on")):
        async with run_measured(MODULE, "serve", limits, environment=own_environment()) as gateway:
            await _time_neighbour(gateway, found, name, seconds)
    return found


async def _time_neighbour(
    gateway: MeasuredProcess, found: dict[str, list[float]], name: str, seconds: float
) -> None:
    url, token = gateway.ready["url"], gateway.ready["neighbour"]
    async with _open(url, token) as neighbour:
        found.setdefault(ALONE, []).extend(await _time_lists(neighbour, seconds / 2))
        asking = (MODULE, "ask", url, gateway.ready["token"])
        async with run_measured(*asking, environment=own_environment()):
            await asyncio.sleep(SETTLING_S)
            found[name] = await _time_lists(neighbour, seconds)


@asynccontextmanager
async def _open(url: str, token: str) -> AsyncIterator[ClientConnection]:
    carried = [Subprotocol("robosignal.v1"), Subprotocol(f"bearer.{token}")]
    async with connect(url, subprotocols=carried, compression=None) as socket:
        yield socket


async def _time_lists(socket: ClientConnection, seconds: float) -> list[float]:
    """Ask for lists at a steady pace; return how long each took, in ms."""
    times: list[float] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        began = time.perf_counter()
        await socket.send(LIST)
        await socket.recv()
        times.append((time.perf_counter() - began) * 1000)
        await asyncio.sleep(NEIGHBOUR_EVERY_S)
    return times


# The other processes.


async def _serve(limits: str) -> None:
    async with LocalBackend(environment={"LIMITS": limits}) as backend:
        tokens = {"token": backend.token("mallory"), "neighbour": backend.token("ann")}
        await report_cpu({"url": backend.url, **tokens})


async def _ask(url: str, token: str) -> None:
    """Register the robots, open the sockets, and ask until standard input ends."""
    async with AsyncExitStack() as stack:
        for number in range(ROBOTS):
            robot = await stack.enter_async_context(_open(url, token))
            said = {"type": "register", "robotId": f"r{number}", "metadata": {"x": "m" * 900}}
            await robot.send(json.dumps(said))
            await robot.recv()
        async with asyncio.TaskGroup() as group:
            asking = [group.create_task(_keep_asking(url, token)) for _ in range(SOCKETS)]
            await report_cpu({})
            for each in asking:
                each.cancel()


async def _keep_asking(url: str, token: str) -> None:
    """Ask at a steady pace, read what comes, and dial again when closed."""
    while True:
        try:
            async with _open(url, token) as socket, asyncio.TaskGroup() as both:
                both.create_task(_read(socket))
                while True:
                    await socket.send(LIST)
                    await asyncio.sleep(1 / EACH_PER_SECOND)
        except* (ConnectionClosed, OSError):
            pass


async def _read(socket: ClientConnection) -> None:
    while True:
        await socket.recv()


def main(arguments: Sequence[str]) -> None:
    """Run one of the other processes."""
    what, *rest = arguments
    asyncio.run(_serve(*rest) if what == "serve" else _ask(*rest))


if __name__ == "__main__":
    main(sys.argv[1:])
