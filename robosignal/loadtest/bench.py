"""One benchmark from its first connection to its last: meet, relay, forget, and what was found.

Owns the order of things and what may go on at once; must never know how a figure looks.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

from robosignal.loadtest.load import Load
from robosignal.loadtest.pair import Pair
from robosignal.loadtest.plan import Found, Plan
from robosignal.loadtest.stopping import cancelled, until
from robosignal.probe.advice import advise
from robosignal.probe.dial import resolve
from robosignal.probe.laps import Laps, StepFailed
from robosignal.probe.play import CLIENT
from robosignal.probe.report import Failure

AT_ONCE = 8
"""So many pairs meet at once: a new account's Lambda runs ten invocations."""

TELL_SECONDS = 0.5

Tell = Callable[[str], None]
"""Told what is going on, again and again."""

Cpu = Callable[[], Awaitable[float]]
"""Returns the CPU seconds that the server has used so far."""


async def bench(plan: Plan, tell: Tell, stop: asyncio.Event, cpu: Cpu | None = None) -> Found:
    """Carry a benchmark out, and return what was found. `stop` ends it early, and in order.

    Whatever comes between, every robot is forgotten, or named in what was found.
    """
    return await _Bench(plan, tell, stop, cpu).carried_out()


class _Bench:
    def __init__(self, plan: Plan, tell: Tell, stop: asyncio.Event, cpu: Cpu | None) -> None:
        self._plan = plan
        self._tell = tell
        self._stop = stop
        self._cpu = cpu
        self._pairs = [Pair() for _ in range(plan.robots)]
        self._laps = Laps(lambda _: None)
        self._found = Found()

    async def carried_out(self) -> Found:
        found = self._found
        async with AsyncExitStack() as sockets:
            try:
                if await until(self._stop, self._meet(sockets)):
                    await self._relay()
            except StepFailed as failed:
                found.failure = _failure(failed, self._plan, found.pairs + 1)
            finally:
                found.stopped = self._stop.is_set()
                self._tell("forgetting the robots")
                found.left_behind = await self._forget()
        return found

    async def _meet(self, sockets: AsyncExitStack) -> None:
        """Let all pairs meet, some at once. Raise StepFailed once one of them has failed."""
        with self._laps.step("resolve", CLIENT):
            addresses = await resolve(self._plan.url, self._plan.patience_s)
        failures: list[StepFailed] = []

        async def meet(pair: Pair) -> None:
            if failures:
                return
            self._tell(f"{self._found.pairs} of {self._plan.robots} pairs have met")
            try:
                await pair.meet(self._plan, addresses, self._laps, sockets)
            except StepFailed as failed:
                failures.append(failed)
            else:
                self._found.pairs += 1

        await _some_at_once(meet, self._pairs)
        if failures:
            raise failures[0]

    async def _relay(self) -> None:
        before = await self._cpu_s()
        telling = asyncio.ensure_future(self._tell_on())
        try:
            await Load(self._plan, self._pairs, self._found).run(self._stop)
        finally:
            await cancelled(telling)
        if self._cpu is not None and self._found.arrived:
            self._found.cpu_us = (await self._cpu_s() - before) * 1e6 / self._found.arrived

    async def _cpu_s(self) -> float:
        return 0.0 if self._cpu is None else await self._cpu()

    async def _tell_on(self) -> None:
        began, seconds = time.perf_counter(), self._plan.seconds
        while True:
            elapsed = min(time.perf_counter() - began, seconds)
            arrived = f"{self._found.arrived} candidates have arrived"
            self._tell(f"{elapsed:.0f} of {seconds:g} s, {arrived}")
            await asyncio.sleep(TELL_SECONDS)

    async def _forget(self) -> list[str]:
        left: list[str] = []

        async def clear(pair: Pair) -> None:
            if not await pair.clear():
                left.append(pair.robot_id)

        await _some_at_once(clear, self._pairs)
        return left


async def _some_at_once(act: Callable[[Pair], Awaitable[None]], pairs: Sequence[Pair]) -> None:
    turns = asyncio.Semaphore(AT_ONCE)

    async def in_turn(pair: Pair) -> None:
        async with turns:
            await act(pair)

    await asyncio.gather(*map(in_turn, pairs))


def _failure(failed: StepFailed, plan: Plan, number: int) -> Failure:
    return Failure(
        step=failed.step,
        who=failed.who,
        round=number,
        seen=str(failed.trouble),
        check=advise(failed, plan.token, int(time.time())),
    )
