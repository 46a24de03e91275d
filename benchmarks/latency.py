"""How long a candidate takes through a local gateway, as `robosignal bench` measures it."""

import asyncio

from benchmarks.environment import own_environment
from benchmarks.scale import Scale
from benchmarks.tables import MILLISECONDS, Table
from robosignal.cli.arguments import TIMEOUT_SECONDS
from robosignal.loadtest.bench import bench
from robosignal.loadtest.command import GATEWAY_MODULE, RATE, ROBOTS
from robosignal.loadtest.measured_process import run_measured
from robosignal.loadtest.plan import Plan, Result
from robosignal.loadtest.report import LATENCY, LATENESS, PERCENTILES, percentiles, rate

TITLE = "Latency through the local gateway"
HEAD = ("what", "unit", "n", *PERCENTILES)


def measure(scale: Scale) -> Table:
    """Return the percentiles. Raise RuntimeError if anything went wrong."""
    result = asyncio.run(_bench(scale))
    if not result.is_good:
        raise RuntimeError(f"no latency without errors: {result.errors}, {result.failure}")
    times = {LATENCY: result.latencies_ms, LATENESS: result.late_ms}
    rows = tuple(
        (name, MILLISECONDS, str(len(each)), *(f"{one:.2f}" for one in percentiles(each).values()))
        for name, each in times.items()
    )
    return Table(TITLE, HEAD, rows, _note(result))


def _note(result: Result) -> str:
    pairs = f"{result.sessions} robots and as many clients, each of which sends {RATE} a second"
    return f"{pairs}; {rate(result):.0f} relays a second, {result.cpu_us:.0f} µs of CPU for each."


async def _bench(scale: Scale) -> Result:
    async with run_measured(GATEWAY_MODULE, environment=own_environment()) as gateway:
        plan = Plan(
            url=gateway.ready["url"],
            token=gateway.ready["token"],
            robots=ROBOTS,
            rate=RATE,
            seconds=scale.seconds,
            timeout_s=TIMEOUT_SECONDS,
        )
        return await bench(plan, lambda _: None, asyncio.Event(), gateway.cpu_s)
