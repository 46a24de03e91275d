"""One benchmark, from its first connection to its last: sessions start, relay, and are cleared."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack

from robosignal.loadtest.cancellation import cancel, run_until
from robosignal.loadtest.load import Load
from robosignal.loadtest.plan import Plan, Result
from robosignal.loadtest.session import Session
from robosignal.probe.connection import resolve
from robosignal.probe.probe import CLIENT, describe_failure
from robosignal.probe.steps import StepFailed, StepTimer

CONCURRENT_STARTS = 8
"""How many sessions start or are cleared at once: a new account's Lambda runs ten invocations."""

PROGRESS_SECONDS = 0.5

OnProgress = Callable[[str], None]
"""Called again and again with a sentence on what is going on."""

ReadCpu = Callable[[], Awaitable[float]]
"""Returns the CPU seconds that the server has used so far."""


async def bench(
    plan: Plan, on_progress: OnProgress, stop: asyncio.Event, read_cpu: ReadCpu | None = None
) -> Result:
    """Run a benchmark and return what it measured. Setting `stop` ends it early, and in order.

    Whatever happens, every robot is forgotten, or named in `left_behind`.
    """
    return await _Bench(plan, on_progress, stop, read_cpu).run()


class _Bench:
    def __init__(
        self, plan: Plan, on_progress: OnProgress, stop: asyncio.Event, read_cpu: ReadCpu | None
    ) -> None:
        self._plan = plan
        self._on_progress = on_progress
        self._stop = stop
        self._read_cpu = read_cpu
        self._sessions = [Session() for _ in range(plan.robots)]
        self._timer = StepTimer(lambda _: None)
        self._result = Result()

    async def run(self) -> Result:
        result = self._result
        async with AsyncExitStack() as connections:
            try:
                if await run_until(self._stop, self._start_sessions(connections)):
                    await self._relay()
            except StepFailed as failed:
                result.failure = describe_failure(failed, self._plan.token, result.sessions + 1)
            finally:
                result.stopped = self._stop.is_set()
                self._on_progress("forgetting the robots")
                result.left_behind = await self._clear_sessions()
        return result

    async def _start_sessions(self, connections: AsyncExitStack) -> None:
        """Start all sessions, some at once. Raise StepFailed once one of them has failed."""
        with self._timer.measure("resolve", CLIENT):
            addresses = await resolve(self._plan.url, self._plan.timeout_s)
        failures: list[StepFailed] = []

        async def start(session: Session) -> None:
            if failures:
                return
            self._on_progress(f"{self._result.sessions} of {self._plan.robots} sessions started")
            try:
                await session.start(self._plan, addresses, self._timer, connections)
            except StepFailed as failed:
                failures.append(failed)
            else:
                self._result.sessions += 1

        await _for_each(self._sessions, start)
        if failures:
            raise failures[0]

    async def _relay(self) -> None:
        before = await self._cpu_s()
        progress = asyncio.ensure_future(self._show_progress())
        try:
            await Load(self._plan, self._sessions, self._result).run(self._stop)
        finally:
            await cancel(progress)
        if self._read_cpu is not None and self._result.arrived:
            self._result.cpu_us = (await self._cpu_s() - before) * 1e6 / self._result.arrived

    async def _cpu_s(self) -> float:
        return 0.0 if self._read_cpu is None else await self._read_cpu()

    async def _show_progress(self) -> None:
        began, seconds = time.perf_counter(), self._plan.seconds
        while True:
            elapsed = min(time.perf_counter() - began, seconds)
            arrived = f"{self._result.arrived} candidates have arrived"
            self._on_progress(f"{elapsed:.0f} of {seconds:g} s, {arrived}")
            await asyncio.sleep(PROGRESS_SECONDS)

    async def _clear_sessions(self) -> list[str]:
        left: list[str] = []

        async def clear(session: Session) -> None:
            if not await session.clear():
                left.append(session.robot_id)

        await _for_each(self._sessions, clear)
        return left


async def _for_each(sessions: Sequence[Session], act: Callable[[Session], Awaitable[None]]) -> None:
    slots = asyncio.Semaphore(CONCURRENT_STARTS)

    async def act_in_slot(session: Session) -> None:
        async with slots:
            await act(session)

    await asyncio.gather(*map(act_in_slot, sessions))
