"""What one user's sockets cost a neighbour on the local gateway, without and with limits.

One user owns fifty robots and asks for the list of them on sixty sockets, each within its own
limit; another one's lists are timed meanwhile. `python -m benchmarks.strangers serve|ask` are the
processes beside this one: the gateway, and the user who asks. Owns the load; must never know
how the gateway bounds it.
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

from benchmarks.amount import Amount
from benchmarks.places import ours
from benchmarks.tables import MILLISECONDS, RATIO, Table
from robosignal.gateway.local import Local, Service
from robosignal.loadtest.gauge import answer
from robosignal.loadtest.gauged import Gauged, gauged
from robosignal.loadtest.report import percentiles
from robosignal.server.settings import read_options

TITLE = "One user's sixty sockets, and a neighbour"
HEAD = ("what", "unit", "n", "p50", "p95")
MODULE = "benchmarks.strangers"

ROBOTS = 50
SOCKETS = 60
EACH_PER_SECOND = 10
"""Below the 50 messages a second of one connection."""

NEIGHBOUR_EVERY_S = 0.02
SETTLING_S = 1.0
"""Passes before anything is timed: what a burst may bring has come by then."""

ALONE, WITHOUT, WITH = "alone", "beside them, limits off", "beside them, limits on"
LIST = json.dumps({"type": "robots", "id": "q"})


def compared(amount: Amount) -> Table:
    """Return the neighbour's percentiles, alone and beside the others, and their ratio."""
    found = asyncio.run(_found(amount.seconds / 4))
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


async def _found(seconds: float) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for name, limits in ((WITHOUT, "off"), (WITH, "on")):
        async with gauged(MODULE, "serve", limits, environment=ours()) as gateway:
            await _timed(gateway, found, name, seconds)
    return found


async def _timed(gateway: Gauged, found: dict[str, list[float]], name: str, seconds: float) -> None:
    url, token = gateway.ready["url"], gateway.ready["neighbour"]
    async with _opened(url, token) as neighbour:
        found.setdefault(ALONE, []).extend(await _asked(neighbour, seconds / 2))
        asking = (MODULE, "ask", url, gateway.ready["token"])
        async with gauged(*asking, environment=ours()):
            await asyncio.sleep(SETTLING_S)
            found[name] = await _asked(neighbour, seconds)


@asynccontextmanager
async def _opened(url: str, token: str) -> AsyncIterator[ClientConnection]:
    carried = [Subprotocol("robosignal.v1"), Subprotocol(f"bearer.{token}")]
    async with connect(url, subprotocols=carried, compression=None) as socket:
        yield socket


async def _asked(socket: ClientConnection, seconds: float) -> list[float]:
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
    service = Service(port=0, unlimited=limits == "off")
    async with Local(service, read_options({})) as local:
        key = local.key
        said = {"token": key.sign("mallory"), "neighbour": key.sign("ann")}
        await answer({"url": local.gateway.websocket_url, **said})


async def _ask(url: str, token: str) -> None:
    """Register the robots, open the sockets, and ask until standard input ends."""
    async with AsyncExitStack() as stack:
        for number in range(ROBOTS):
            robot = await stack.enter_async_context(_opened(url, token))
            said = {"type": "register", "robotId": f"r{number}", "metadata": {"x": "m" * 900}}
            await robot.send(json.dumps(said))
            await robot.recv()
        async with asyncio.TaskGroup() as group:
            asking = [group.create_task(_go_on_asking(url, token)) for _ in range(SOCKETS)]
            await answer({})
            for each in asking:
                each.cancel()


async def _go_on_asking(url: str, token: str) -> None:
    """Ask at a steady pace, read what comes, and dial again when closed."""
    while True:
        try:
            async with _opened(url, token) as socket, asyncio.TaskGroup() as both:
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
    """Be one of the other processes."""
    what, *rest = arguments
    asyncio.run(_serve(*rest) if what == "serve" else _ask(*rest))


if __name__ == "__main__":
    main(sys.argv[1:])
