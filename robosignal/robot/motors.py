"""The one way to the motors: a thread of their own, and in it the watchdog that stops them."""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import monotonic

from robosignal.protocol.ids import RobotId
from robosignal.robot.drive import STILL, WATCHDOG_MS, Drive

RETRY_SECONDS = 0.5
"""When to try once more to stop motors that could not be stopped."""

GIVE_UP_SECONDS = 5
"""How long a robot that ends tries to stop motors that could not be stopped."""

SLOW_SECONDS = 1.0
"""A handler that takes longer is logged: until it returns, no other call is possible."""

DriveHandler = Callable[[Drive], None]
"""Makes the motors drive like this until it is called again; `STILL` stops them.

It is called in a thread of its own, one call at a time. It should return at once: until it does,
nothing can stop the motors, and a call of more than `SLOW_SECONDS` is logged.
"""

_log = logging.getLogger(__name__)


class Motors:
    """Calls the handlers in a thread of their own, one call at a time and in order, until `close`.

    The event loop works on what others send: offers, packets, video. However busy that keeps it,
    the watchdog stops the motors in time; and after the process was suspended, the stop that is
    due comes before any command that waited. While a handler runs, the newest command replaces
    those before it, but no stop is left out.

    What a handler raises is logged, once until all succeed again. After a failure the motors are
    stopped at once; a stop that fails is tried again until one succeeds, something else is asked
    for, or `GIVE_UP_SECONDS` after `close` are over.
    """

    def __init__(self, robot_id: RobotId, handlers: Sequence[DriveHandler]) -> None:
        self._robot_id = robot_id
        self._handlers = handlers
        self._failing = False
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        # What follows is read and written under this lock; times are `monotonic` seconds.
        self._changed = threading.Condition()
        self._requested: list[Drive] = []
        self._stop_at: float | None = None
        self._stopped = False
        self._retry_at: float | None = None
        self._give_up_at: float | None = None
        self._called_at: float | None = None
        threading.Thread(target=self._work, name=f"motors of {robot_id}", daemon=True).start()

    def move(self, drive: Drive) -> None:
        """Have the motors drive like this for `WATCHDOG_MS` at most; return at once."""
        now = monotonic()
        with self._changed:
            stopped, self._stopped = self._stopped, False
            # The logic's own watchdog has a timer of the loop's: this one is seldom later.
            if not (stopped and drive == STILL):
                self._request(drive, now)
            slow = self._called_at is not None and now - self._called_at >= SLOW_SECONDS
            if slow:
                self._called_at = None
        if slow:
            said = "%s: `on_drive` has not returned for %g s, and nothing else can stop the motors"
            self._say(said, self._robot_id, SLOW_SECONDS)

    def close(self) -> None:
        """Make no more calls but repeats of a failed stop, and return at once."""
        with self._changed:
            if self._give_up_at is None:
                self._give_up_at = monotonic() + GIVE_UP_SECONDS
            self._changed.notify()

    async def wait_closed(self) -> None:
        """Close, and return once every call that was asked for has been made.

        Motors that cannot be stopped within `GIVE_UP_SECONDS` are given up, and the log says so.
        """
        self.close()
        await asyncio.wait({self._ended}, timeout=GIVE_UP_SECONDS + SLOW_SECONDS)
        if not self._ended.done():
            self._give_up()

    def _request(self, drive: Drive, now: float) -> None:
        # A stop that waits or is due comes before what is asked for after it.
        stops = STILL in self._requested or self._is_due(self._stop_at, now)
        self._requested = [STILL, drive] if stops and drive != STILL else [drive]
        self._stop_at = None if drive == STILL else now + WATCHDOG_MS / 1000
        self._retry_at = None
        self._changed.notify()

    def _work(self) -> None:
        while (drive := self._next()) is not None:
            self._tell(drive)
        if self._retry_at is not None:
            self._give_up()
        with suppress(RuntimeError):  # the loop has ended first
            self._loop.call_soon_threadsafe(self._tell_end)

    def _tell_end(self) -> None:
        if not self._ended.done():
            self._ended.set_result(None)

    def _next(self) -> Drive | None:
        """Wait, and return the next call to the motors; None at the end."""
        with self._changed:
            self._called_at = None
            while (drive := self._take(monotonic())) is None and not self._is_over(monotonic()):
                self._changed.wait(self._seconds())
            self._called_at = monotonic()
            return drive

    def _take(self, now: float) -> Drive | None:
        if self._is_due(self._stop_at, now):
            self._requested, self._stop_at, self._stopped = [], None, True
            return STILL
        # Past the end, what has failed is not tried again, however soon it would be due.
        if self._is_due(self._retry_at, now) and not self._is_due(self._give_up_at, now):
            self._retry_at = None
            return STILL
        # One at a time: by the time a stop has been carried out, what follows it may be over.
        return self._requested.pop(0) if self._requested else None

    def _is_over(self, now: float) -> bool:
        if self._give_up_at is None:
            return False
        return now >= self._give_up_at or (self._stop_at is None and self._retry_at is None)

    def _seconds(self) -> float | None:
        dues = [at for at in (self._stop_at, self._retry_at, self._give_up_at) if at is not None]
        return max(0.0, min(dues) - monotonic()) if dues else None

    def _is_due(self, at: float | None, now: float) -> bool:
        return at is not None and now >= at

    def _tell(self, drive: Drive) -> None:
        done = self._call(drive)
        if done:
            self._failing = False
        elif drive != STILL:
            done = self._call(STILL)
        with self._changed:
            self._retry_at = None if done else monotonic() + RETRY_SECONDS

    def _call(self, drive: Drive) -> bool:
        try:
            for handler in self._handlers:
                handler(drive)
        # A driver of motors raises what it likes, SystemExit too: the thread must outlive it.
        except BaseException as failure:  # noqa: BLE001
            if not self._failing:
                said = "%s: the motors failed at %s, and are stopped"
                self._say(said, self._robot_id, drive, failure=failure)
            self._failing = True
            return False
        return True

    def _give_up(self) -> None:
        self._say("%s: the motors may still run: cut their power", self._robot_id)

    def _say(self, text: str, *values: object, failure: BaseException | None = None) -> None:
        with suppress(Exception):  # a log that fails must not cost the motors their watchdog
            _log.error(text, *values, exc_info=failure)
