"""The CPU of the local gateway for one relay, rules and transport apart, against bare echoes.

Every server has a process of its own and serves the same load: some connections at once, each
with one frame under way. Owns the load; must never know how a server works.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from benchmarks.amount import Amount
from benchmarks.places import ours
from benchmarks.rules import relaying
from benchmarks.tables import MICROSECONDS, Figure, Table, measured, ratio
from robosignal.loadtest.command import OWN
from robosignal.loadtest.gauged import Gauged, gauged
from robosignal.loadtest.pair import End, Pair
from robosignal.loadtest.plan import Plan
from robosignal.probe.dial import dial
from robosignal.probe.laps import Laps
from robosignal.probe.line import Line

TITLE = "CPU of the local gateway, for one relay"
PATIENCE_SECONDS = 10
ADDRESSES = ("127.0.0.1",)

GATEWAY, TRANSPORT = "local gateway", "its transport alone"
RULES, IN_PLACE = "its rules alone, in a loop", "its rules in place: the whole less the transport"
AIOHTTP, WEBSOCKETS = "bare echo of aiohttp", "bare echo of websockets"

Act = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Link:
    """One way through a server: what sends a frame into it, and what awaits it at the end."""

    send: Act
    receive: Act


@dataclass(frozen=True, slots=True)
class Server:
    """A running server, and all ways through it."""

    process: Gauged
    links: tuple[Link, ...]
    prepare: Callable[[], Awaitable[object]]
    """Done before each turn, and not measured."""

    async def relay(self, count: int) -> float:
        """Relay so many frames, and return the server's CPU of one in µs."""
        await self.prepare()
        each = max(1, count // len(self.links))
        before = await self.process.cpu_s()
        await asyncio.gather(*(_relay(link, each) for link in self.links))
        return (await self.process.cpu_s() - before) * 1e6 / (each * len(self.links))


async def _relay(link: Link, count: int) -> None:
    for _ in range(count):
        await link.send()
        await link.receive()


def compared(amount: Amount) -> Table:
    """Return the CPU of one relay in each server, and the gateway's ratio to the echoes."""
    taken = asyncio.run(_taken(amount))
    figures = [Figure(name, MICROSECONDS, tuple(values)) for name, values in taken.items()]
    rest = (a - b for a, b in zip(taken[GATEWAY], taken[TRANSPORT], strict=True))
    figures.insert(1, Figure(IN_PLACE, MICROSECONDS, tuple(rest)))
    figures += [
        ratio(f"{above} / {below}", taken[above], taken[below])
        for above in (GATEWAY, TRANSPORT)
        for below in (AIOHTTP, WEBSOCKETS)
    ]
    return measured(TITLE, figures)


async def _taken(amount: Amount) -> dict[str, list[float]]:
    async with AsyncExitStack() as stack:
        gateway, text = await _gateway(stack, amount.pairs)
        servers = {
            GATEWAY: gateway,
            TRANSPORT: await _echo(stack, "transport", text, amount.pairs, ends=2),
            AIOHTTP: await _echo(stack, "aiohttp", text, amount.pairs, ends=1),
            WEBSOCKETS: await _echo(stack, "websockets", text, amount.pairs, ends=1),
        }
        rules = stack.enter_context(relaying())
        for server in servers.values():
            await server.relay(amount.relays)
        rules(amount.relays)
        return await _rounds(servers, rules, amount)


async def _rounds(
    servers: dict[str, Server], rules: Callable[[int], float], amount: Amount
) -> dict[str, list[float]]:
    """Let all take turns, in another order each round."""
    found: dict[str, list[float]] = {name: [] for name in (GATEWAY, RULES, TRANSPORT)}
    found |= {name: [] for name in (AIOHTTP, WEBSOCKETS)}
    names = list(found)
    for number in range(amount.rounds):
        start = number % len(names)
        for name in names[start:] + names[:start]:
            server = servers.get(name)
            found[name].append(
                rules(amount.relays) if server is None else await server.relay(amount.relays)
            )
    return found


async def _gateway(stack: AsyncExitStack, count: int) -> tuple[Server, str]:
    """Start the local gateway and let pairs meet there; return it and the frame to be relayed."""
    process = await stack.enter_async_context(gauged(OWN, environment=ours()))
    url, token = process.ready["url"], process.ready["token"]
    plan = Plan(url=url, token=token, robots=count, rate=1, seconds=1, patience_s=PATIENCE_SECONDS)
    pairs = [Pair() for _ in range(count)]
    for pair in pairs:
        await pair.meet(plan, ADDRESSES, Laps(lambda _: None), stack)

    async def renew() -> None:
        for pair in pairs:
            await pair.client.line.ask("pong", type="ping", sessionId=pair.session)
            await pair.robot.line.ask("pong", type="ping", robotId=pair.robot_id)

    links = tuple(_link(pair.client, pair.robot, pair.candidate(1)) for pair in pairs)
    return Server(process, links, renew), pairs[0].candidate(1)


async def _echo(stack: AsyncExitStack, kind: str, text: str, count: int, ends: int) -> Server:
    """Start another server; a link through it has one end, or another one to come out at."""
    process = await stack.enter_async_context(gauged("benchmarks.echoes", kind, environment=ours()))
    url = process.ready["url"]
    links = []
    for _ in range(count):
        between = [await _dialled(stack, url) for _ in range(ends)]
        links.append(_link(between[0], between[-1], text))
    return Server(process, tuple(links), lambda: asyncio.sleep(0))


async def _dialled(stack: AsyncExitStack, url: str) -> End:
    socket = await dial(url, "bench", ADDRESSES, PATIENCE_SECONDS)
    end = End(socket, Line(socket, PATIENCE_SECONDS))
    stack.push_async_callback(end.line.close)
    return end


def _link(sender: End, receiver: End, text: str) -> Link:
    # Every frame is read in the same way, so that no server meets a quicker client.
    return Link(
        lambda: sender.socket.send(text),
        lambda: receiver.line.first(lambda _: True, "candidate"),
    )
