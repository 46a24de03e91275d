"""The CPU of the local gateway for one relay, rules and transport apart, against bare echoes.

Every server has a process of its own and serves the same load: some connections at once, each
with one frame in flight.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass

from benchmarks.environment import own_environment
from benchmarks.rules import measure_rules
from benchmarks.scale import Scale
from benchmarks.tables import MICROSECONDS, Figure, Table, ratio, tabulate
from robosignal.loadtest.command import GATEWAY_MODULE
from robosignal.loadtest.measured_process import MeasuredProcess, run_measured
from robosignal.loadtest.plan import Plan
from robosignal.loadtest.session import Session
from robosignal.probe.connection import Connection, dial
from robosignal.probe.steps import StepTimer

TITLE = "CPU of the local gateway, for one relay"
TIMEOUT_SECONDS = 10
ADDRESSES = ("127.0.0.1",)

GATEWAY, TRANSPORT = "local gateway", "its transport alone"
RULES, IN_PLACE = "its rules alone, in a loop", "its rules in place: the whole less the transport"
AIOHTTP, WEBSOCKETS = "bare echo of aiohttp", "bare echo of websockets"

Act = Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Route:
    """One route through a server: a function that sends a frame, and one that awaits it."""

    send: Act
    receive: Act


@dataclass(frozen=True, slots=True)
class Server:
    """A running server, and all routes through it."""

    process: MeasuredProcess
    routes: tuple[Route, ...]
    prepare: Callable[[], Awaitable[object]]
    """Done before each turn, and not measured."""

    async def relay(self, count: int) -> float:
        """Relay so many frames, and return the server's CPU of one in µs."""
        await self.prepare()
        each = max(1, count // len(self.routes))
        before = await self.process.cpu_s()
        await asyncio.gather(*(_relay(route, each) for route in self.routes))
        return (await self.process.cpu_s() - before) * 1e6 / (each * len(self.routes))


async def _relay(route: Route, count: int) -> None:
    for _ in range(count):
        await route.send()
        await route.receive()


def compare(scale: Scale) -> Table:
    """Return the CPU of one relay in each server, and the gateway's ratio to the echoes."""
    times = asyncio.run(_measure(scale))
    figures = [Figure(name, MICROSECONDS, tuple(values)) for name, values in times.items()]
    rest = (a - b for a, b in zip(times[GATEWAY], times[TRANSPORT], strict=True))
    figures.insert(1, Figure(IN_PLACE, MICROSECONDS, tuple(rest)))
    figures += [
        ratio(f"{above} / {below}", times[above], times[below])
        for above in (GATEWAY, TRANSPORT)
        for below in (AIOHTTP, WEBSOCKETS)
    ]
    return tabulate(TITLE, figures)


async def _measure(scale: Scale) -> dict[str, list[float]]:
    async with AsyncExitStack() as stack:
        gateway, text = await _start_gateway(stack, scale.pairs)
        servers = {
            GATEWAY: gateway,
            TRANSPORT: await _start_echo(stack, "transport", text, scale.pairs, ends=2),
            AIOHTTP: await _start_echo(stack, "aiohttp", text, scale.pairs, ends=1),
            WEBSOCKETS: await _start_echo(stack, "websockets", text, scale.pairs, ends=1),
        }
        rules = stack.enter_context(measure_rules())
        for server in servers.values():
            await server.relay(scale.relays)
        rules(scale.relays)
        return await _rounds(servers, rules, scale)


async def _rounds(
    servers: dict[str, Server], rules: Callable[[int], float], scale: Scale
) -> dict[str, list[float]]:
    """Let all take turns; the order changes each round."""
    found: dict[str, list[float]] = {name: [] for name in (GATEWAY, RULES, TRANSPORT)}
    found |= {name: [] for name in (AIOHTTP, WEBSOCKETS)}
    names = list(found)
    for number in range(scale.rounds):
        start = number % len(names)
        for name in names[start:] + names[:start]:
            server = servers.get(name)
            found[name].append(
                rules(scale.relays) if server is None else await server.relay(scale.relays)
            )
    return found


async def _start_gateway(stack: AsyncExitStack, count: int) -> tuple[Server, str]:
    """Start the local gateway and sessions on it; return it and the frame to be relayed."""
    process = await stack.enter_async_context(
        run_measured(GATEWAY_MODULE, environment=own_environment())
    )
    url, token = process.ready["url"], process.ready["token"]
    plan = Plan(url=url, token=token, robots=count, rate=1, seconds=1, timeout_s=TIMEOUT_SECONDS)
    sessions = [Session() for _ in range(count)]
    for session in sessions:
        await session.start(plan, ADDRESSES, StepTimer(lambda _: None), stack)

    async def renew() -> None:
        for session in sessions:
            await session.client.request({"type": "ping", "sessionId": session.session_id}, "pong")
            await session.robot.request({"type": "ping", "robotId": session.robot_id}, "pong")

    routes = tuple(
        _make_route(session.client, session.robot, session.candidate(1)) for session in sessions
    )
    return Server(process, routes, renew), sessions[0].candidate(1)


async def _start_echo(stack: AsyncExitStack, kind: str, text: str, count: int, ends: int) -> Server:
    """Start another server; a route through it has one connection, or two."""
    process = await stack.enter_async_context(
        run_measured("benchmarks.echo_servers", kind, environment=own_environment())
    )
    url = process.ready["url"]
    routes = []
    for _ in range(count):
        between = [await _dial(stack, url) for _ in range(ends)]
        routes.append(_make_route(between[0], between[-1], text))
    return Server(process, tuple(routes), lambda: asyncio.sleep(0))


async def _dial(stack: AsyncExitStack, url: str) -> Connection:
    connection = await dial(url, "bench", ADDRESSES, TIMEOUT_SECONDS)
    stack.push_async_callback(connection.close)
    return connection


def _make_route(sender: Connection, receiver: Connection, text: str) -> Route:
    # All servers have the same client, so that none has a quicker one.
    return Route(
        lambda: sender.send(text),
        lambda: receiver.receive(lambda _: True, "candidate"),
    )
