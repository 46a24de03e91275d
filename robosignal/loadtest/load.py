"""Sends candidates when they are due, and notes when they arrive, for every session at once.

Senders wait for no answer: a slow deployment gets no relief, and every figure shows that it is
slow.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from itertools import count
from time import perf_counter

from robosignal.loadtest.cancellation import cancel, run_until
from robosignal.loadtest.plan import Plan, Result
from robosignal.loadtest.session import Session
from robosignal.probe.connection import Connection, Received
from robosignal.probe.errors import Closed, TimedOut
from robosignal.protocol.limits import HEARTBEAT_SECONDS, LEASE_RENEWAL_SECONDS


class Load:
    """The relays of one benchmark, noted in `result`."""

    def __init__(self, plan: Plan, sessions: Sequence[Session], result: Result) -> None:
        self._plan = plan
        self._sessions = sessions
        self._result = result
        self._in_flight: dict[tuple[str, int], float] = {}
        self._refused = 0
        self._frame_read = asyncio.Event()
        self._began = self._last = 0.0

    async def run(self, stop: asyncio.Event) -> None:
        """Relay for as long as planned, or until `stop`; then wait for what is in flight."""
        background = asyncio.gather(
            *(work for session in self._sessions for work in self._background(session))
        )
        self._began = self._last = perf_counter()
        senders = asyncio.gather(*map(self._send, range(len(self._sessions)), self._sessions))
        try:
            await run_until(stop, senders)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._plan.timeout_s):
                    await self._wait_for_missing()
        finally:
            await cancel(background)
        self._result.lost = self._missing
        self._result.elapsed_s = self._last - self._began

    @property
    def _missing(self) -> int:
        # A candidate asks for no reply, so nothing says which of them was refused.
        return max(0, len(self._in_flight) - self._refused)

    async def _wait_for_missing(self) -> None:
        while self._missing:
            self._frame_read.clear()
            await self._frame_read.wait()

    async def _send(self, index: int, session: Session) -> None:
        interval = 1 / self._plan.rate
        # Sessions begin one after the other within an interval, not all at the same moment.
        first = self._began + interval * index / len(self._sessions)
        with suppress(Closed):
            for number in count(1):
                due = first + (number - 1) * interval
                if due >= self._began + self._plan.seconds:
                    return
                await asyncio.sleep(due - perf_counter())
                text = session.candidate(number)
                now = self._in_flight[session.session_id, number] = perf_counter()
                self._result.sent += 1
                self._result.late_ms.append((now - due) * 1000)
                await session.client.send(text)

    def _background(self, session: Session) -> tuple[Awaitable[None], ...]:
        """Return what runs for a session beside the sending, until it is cancelled."""
        return (
            self._read(session.robot, self._note_arrival),
            self._read(session.client, self._note_refusal),
            _repeat(LEASE_RENEWAL_SECONDS, session.renew_lease),
            _repeat(HEARTBEAT_SECONDS, session.renew_presence),
        )

    async def _read(self, connection: Connection, note: Callable[[Received], None]) -> None:
        while True:
            try:
                note(await connection.receive(lambda _: True, "frame"))
            except TimedOut:
                continue
            except Closed as closed:
                self._result.errors[f"closed {closed.code}"] += 1
                return
            self._frame_read.set()

    def _note_arrival(self, received: Received) -> None:
        """Note what the robot received."""
        frame = received.frame
        sent = self._in_flight.pop((str(frame.get("sessionId")), frame.get("seq", -1)), None)
        if sent is not None:
            self._last = received.at
            self._result.latencies_ms.append((received.at - sent) * 1000)

    def _note_refusal(self, received: Received) -> None:
        """Note what the client was refused, by the backend or by API Gateway itself."""
        frame = received.frame
        if "type" not in frame:
            self._count_refusal(f"API Gateway: {frame.get('message')}")
        elif frame["type"] == "error":
            self._count_refusal(str(frame.get("code")))

    def _count_refusal(self, code: str) -> None:
        self._refused += 1
        self._result.errors[code] += 1


async def _repeat(seconds: float, act: Callable[[], Awaitable[None]]) -> None:
    while True:
        await asyncio.sleep(seconds)
        await act()
