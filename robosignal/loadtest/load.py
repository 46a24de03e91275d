"""Sends candidates when they are due and notes when they come, for every pair at once.

Owns the times and the counts; must never know how pairs meet or how figures look. Senders wait
for no answer: a deployment that is slow is not spared, and its slowness shows in every figure.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from itertools import count
from time import perf_counter

from websockets.exceptions import ConnectionClosed

from robosignal.loadtest.pair import Pair
from robosignal.loadtest.plan import Found, Plan
from robosignal.loadtest.stopping import cancelled, until
from robosignal.probe.line import Arrived, Line
from robosignal.probe.trouble import Ended, Silence
from robosignal.protocol.limits import HEARTBEAT_SECONDS, LEASE_RENEWAL_SECONDS


class Load:
    """The relays of one benchmark, noted in `found`."""

    def __init__(self, plan: Plan, pairs: Sequence[Pair], found: Found) -> None:
        self._plan = plan
        self._pairs = pairs
        self._found = found
        self._under_way: dict[tuple[str, int], float] = {}
        self._refused = 0
        self._news = asyncio.Event()
        self._began = self._last = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Relay for as long as is planned, or until `stop`; then wait for what is under way."""
        around = asyncio.gather(*(each for pair in self._pairs for each in self._around(pair)))
        self._began = self._last = perf_counter()
        try:
            await until(
                stop, asyncio.gather(*map(self._send, range(len(self._pairs)), self._pairs))
            )
            with suppress(TimeoutError):
                async with asyncio.timeout(self._plan.patience_s):
                    await self._settled()
        finally:
            await cancelled(around)
        self._found.lost = self._missing
        self._found.elapsed_s = self._last - self._began

    @property
    def _missing(self) -> int:
        # A candidate asks for no reply, so nothing says which of them was refused.
        return max(0, len(self._under_way) - self._refused)

    async def _settled(self) -> None:
        while self._missing:
            self._news.clear()
            await self._news.wait()

    async def _send(self, place: int, pair: Pair) -> None:
        interval = 1 / self._plan.rate
        # Pairs begin one after the other within an interval, not all at the same moment.
        first = self._began + interval * place / len(self._pairs)
        with suppress(ConnectionClosed):
            for number in count(1):
                due = first + (number - 1) * interval
                if due >= self._began + self._plan.seconds:
                    return
                await asyncio.sleep(due - perf_counter())
                text = pair.candidate(number)
                now = self._under_way[pair.session, number] = perf_counter()
                self._found.sent += 1
                self._found.late_ms.append((now - due) * 1000)
                await pair.client.socket.send(text)

    # Beside the sending.

    def _around(self, pair: Pair) -> tuple[Awaitable[None], ...]:
        """Return what goes on for a pair beside the sending, until it is cancelled."""
        return (
            self._read(pair.robot.line, self._arrived),
            self._read(pair.client.line, self._answered),
            _again(LEASE_RENEWAL_SECONDS, pair.renew_lease),
            _again(HEARTBEAT_SECONDS, pair.renew_presence),
        )

    async def _read(self, line: Line, take: Callable[[Arrived], None]) -> None:
        while True:
            try:
                take(await line.first(lambda _: True, "frame"))
            except Silence:
                continue
            except Ended as ended:
                self._found.errors[f"closed {ended.code}"] += 1
                return
            self._news.set()

    def _arrived(self, arrived: Arrived) -> None:
        """Note what the robot received."""
        frame = arrived.frame
        sent = self._under_way.pop((str(frame.get("sessionId")), frame.get("seq", -1)), None)
        if sent is not None:
            self._last = arrived.at
            self._found.latencies_ms.append((arrived.at - sent) * 1000)

    def _answered(self, arrived: Arrived) -> None:
        """Note what the client was refused, by the backend or by API Gateway itself."""
        frame = arrived.frame
        if "type" not in frame:
            self._refuse(f"API Gateway: {frame.get('message')}")
        elif frame["type"] == "error":
            self._refuse(str(frame.get("code")))

    def _refuse(self, code: str) -> None:
        self._refused += 1
        self._found.errors[code] += 1


async def _again(seconds: float, act: Callable[[], Awaitable[None]]) -> None:
    while True:
        await asyncio.sleep(seconds)
        await act()
