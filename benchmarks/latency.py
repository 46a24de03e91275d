"""How long a candidate takes through a local gateway, as `robosignal bench` measures it."""

import asyncio

from benchmarks.amount import Amount
from benchmarks.places import ours
from benchmarks.tables import MILLISECONDS, Table
from robosignal.loadtest.bench import bench
from robosignal.loadtest.command import OWN, PATIENCE_SECONDS, RATE, ROBOTS
from robosignal.loadtest.gauged import gauged
from robosignal.loadtest.plan import Found, Plan
from robosignal.loadtest.report import LATENCY, LATENESS, PARTS, percentiles, rate

TITLE = "Latency through the local gateway"
HEAD = ("what", "unit", "n", *PARTS)


def timed(amount: Amount) -> Table:
    """Return the percentiles. Raise RuntimeError if anything went wrong."""
    found = asyncio.run(_found(amount))
    if not found.is_good:
        raise RuntimeError(f"no latency without errors: {found.errors}, {found.failure}")
    times = {LATENCY: found.latencies_ms, LATENESS: found.late_ms}
    rows = tuple(
        (name, MILLISECONDS, str(len(each)), *(f"{one:.2f}" for one in percentiles(each).values()))
        for name, each in times.items()
    )
    return Table(TITLE, HEAD, rows, _note(found))


def _note(found: Found) -> str:
    pairs = f"{found.pairs} robots and as many clients, each of which sends {RATE} a second"
    return f"{pairs}; {rate(found):.0f} relays a second, {found.cpu_us:.0f} µs of CPU for each."


async def _found(amount: Amount) -> Found:
    async with gauged(OWN, environment=ours()) as own:
        plan = Plan(
            url=own.ready["url"],
            token=own.ready["token"],
            robots=ROBOTS,
            rate=RATE,
            seconds=amount.seconds,
            patience_s=PATIENCE_SECONDS,
        )
        return await bench(plan, lambda _: None, asyncio.Event(), own.cpu_s)
