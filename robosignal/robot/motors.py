"""The one way to the motors: a thread of their own, and in it the watchdog that stops them."""

import asyncio
import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from time import monotonic

from robosignal.protocol.ids import RobotId
from robosignal.robot.drive import STILL, WATCHDOG_MS, Drive, Limits

RETRY_SECONDS = 0.5
"""When to try once more to stop motors that could not be stopped."""

GIVE_UP_SECONDS = 5
"""How long a robot that ends tries to stop motors that could not be stopped."""

SLOW_SECONDS = 1.0
"""A handler that takes longer is logged: until it returns, no other call is possible."""

SLEW_SECONDS = 0.02
"""How often a drive that may change only so fast takes a step."""

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

    `watchdog_ms` is for how long a command is in force, in ms, and `limits` what becomes of it.
    """

    def __init__(
        self,
        robot_id: RobotId,
        handlers: Sequence[DriveHandler],
        *,
        watchdog_ms: int = WATCHDOG_MS,
        limits: Limits | None = None,
    ) -> None:
        self._robot_id = robot_id
        self._handlers = handlers
        self._watchdog_seconds = watchdog_ms / 1000
        self._limits = limits or Limits()
        self._failing = False
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        # What follows is read and written under this lock; times are `monotonic` seconds.
        self._changed = threading.Condition()
        self._requested: list[Drive] = []
        self._stop_at: float | None = None
        self._stopped = False
        self._held = False
        self._output = STILL
        self._target = STILL
        self._step_at: float | None = None
        self._retry_at: float | None = None
        self._give_up_at: float | None = None
        self._called_at: float | None = None
        threading.Thread(target=self._work, name=f"motors of {robot_id}", daemon=True).start()

    def move(self, drive: Drive, obeyed_at: float | None = None) -> None:
        """Have the motors drive like this until the watchdog stops them; return at once.

        It counts from `obeyed_at`, in seconds of the monotonic clock, now if left out.
        """
        now = monotonic()
        with self._changed:
            if self._held and drive != STILL:
                return
            stopped, self._stopped = self._stopped, False
            # The logic's own watchdog has a timer of the loop's: this one is seldom later.
            if not (stopped and drive == STILL):
                self._request(drive, now, now if obeyed_at is None else obeyed_at)
            slow = self._called_at is not None and now - self._called_at >= SLOW_SECONDS
            if slow:
                self._called_at = None
        if slow:
            said = "%s: `on_drive` has not returned for %g s, and nothing else can stop the motors"
            self._say(said, self._robot_id, SLOW_SECONDS)

    def hold(self) -> None:
        """Stop the motors, and keep them still until `release`; any thread may call it."""
        with self._changed:
            self._held = True
        self.move(STILL)

    def release(self) -> None:
        """Let the motors be moved again."""
        with self._changed:
            self._held = False

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

    def _request(self, drive: Drive, now: float, obeyed_at: float) -> None:
        # A stop that waits or is due comes before what is asked for after it.
        stops = STILL in self._requested or self._is_due(self._stop_at, now)
        self._requested = [STILL, drive] if stops and drive != STILL else [drive]
        self._stop_at = None if drive == STILL else obeyed_at + self._watchdog_seconds
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
            return self._approach(STILL, now)
        # Past the end, what has failed is not tried again, however soon it would be due.
        if self._is_due(self._retry_at, now) and not self._is_due(self._give_up_at, now):
            self._retry_at = None
            return self._approach(STILL, now)
        # One at a time: by the time a stop has been carried out, what follows it may be over.
        if self._requested:
            return self._approach(self._limits.clamp(self._requested.pop(0)), now)
        return self._approach(self._target, now) if self._is_due(self._step_at, now) else None

    def _approach(self, target: Drive, now: float) -> Drive:
        """Return what the motors are told on the way to `target`, which takes steps if limited."""
        # A command that comes between two steps must not make them larger.
        since = SLEW_SECONDS if self._step_at is None else now - (self._step_at - SLEW_SECONDS)
        self._target = target
        self._output = self._limits.approach(self._output, target, min(since, SLEW_SECONDS))
        self._step_at = None if self._output == target else now + SLEW_SECONDS
        return self._output

    def _is_over(self, now: float) -> bool:
        if self._give_up_at is None:
            return False
        return now >= self._give_up_at or (self._stop_at is None and self._retry_at is None)

    def _seconds(self) -> float | None:
        times = (self._stop_at, self._step_at, self._retry_at, self._give_up_at)
        dues = [at for at in times if at is not None]
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
            if self._failing:
                # It begins from a stand again, and takes no more steps.
                self._output, self._step_at = STILL, None

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
