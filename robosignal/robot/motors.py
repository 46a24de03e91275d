"""The one way to the motors: a thread of their own, and in it the watchdog that stops them."""

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from time import monotonic

from robosignal.protocol.ids import RobotId
from robosignal.robot.controls import CommandHandler, Controls, Values
from robosignal.robot.drive import REST, STILL, WATCHDOG_MS, Drive, Limits, Target

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

HeldHandler = Callable[[tuple[float | str | None, ...]], None]
"""Is told on the event loop where the controls are that a stop leaves so, as they change."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Output:
    """What the handlers are told: the drive, and the value of each control."""

    drive: Drive
    values: tuple[float, ...]
    is_stop: bool

    def __str__(self) -> str:
        """Return what the log says of it."""
        return f"{self.drive} {self.values}" if self.values else str(self.drive)


class Motors:
    """Calls the handlers in a thread of their own, one call at a time and in order, until `close`.

    The event loop works on what others send: offers, packets, video. However busy that keeps it,
    the watchdog stops the motors in time; and after the process was suspended, the stop that is
    due comes before any command that waited. While a handler runs, the newest command replaces
    those before it, but no stop is left out.

    What a handler raises is logged, once until all succeed again. After a failure the motors are
    stopped at once; a stop that fails is tried again until one succeeds, something else is asked
    for, or `GIVE_UP_SECONDS` after `close` are over.

    `watchdog_ms` is for how long a command is in force, in ms, and `limits` what becomes of its
    drive. `on_command` is told the values of the `controls`, and `on_held` of those that hold.
    """

    def __init__(
        self,
        robot_id: RobotId,
        handlers: Sequence[DriveHandler],
        *,
        watchdog_ms: int = WATCHDOG_MS,
        limits: Limits | None = None,
        controls: Controls | None = None,
        on_command: CommandHandler | None = None,
        on_held: HeldHandler | None = None,
    ) -> None:
        self._robot_id = robot_id
        self._handlers = handlers
        self._controls = controls or Controls()
        self._on_command = on_command
        self._on_held = on_held
        self._held_told = self._controls.find_held(self._controls.start)
        self._watchdog_seconds = watchdog_ms / 1000
        self._limits = limits or Limits()
        self._failing = False
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[None] = self._loop.create_future()
        # What follows is read and written under this lock; times are `monotonic` seconds.
        self._changed = threading.Condition()
        self._requested: list[Target] = []
        self._stop_at: float | None = None
        self._stopped = False
        self._held = False
        self._holds = 0
        self._output = Output(STILL, self._controls.start, is_stop=True)
        self._target = REST
        self._step_at: float | None = None
        self._retry_at: float | None = None
        self._give_up_at: float | None = None
        self._called_at: float | None = None
        threading.Thread(target=self._work, name=f"motors of {robot_id}", daemon=True).start()

    def move(self, drive: Drive, obeyed_at: float | None = None, values: Values = ()) -> None:
        """Have the motors drive like this until the watchdog stops them; return at once.

        It counts from `obeyed_at`, in seconds of the monotonic clock, now if left out. `values` are
        for the controls; `STILL` without any stops everything.
        """
        target = Target(drive, values)
        now = monotonic()
        with self._changed:
            if self._held and target != REST:
                return
            stopped, self._stopped = self._stopped, False
            # The logic's own watchdog has a timer of the loop's: this one is seldom later.
            if not (stopped and target == REST):
                self._request(target, now, now if obeyed_at is None else obeyed_at)
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
            self._holds += 1
        self.move(STILL)

    @property
    def holds(self) -> int:
        """How often `hold` was called."""
        return self._holds

    def release(self, holds: int) -> None:
        """Let the motors be moved again, unless `hold` was called after `holds` was read."""
        with self._changed:
            if self._holds == holds:
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

    def _request(self, target: Target, now: float, obeyed_at: float) -> None:
        # A stop that waits or is due comes before what is asked for after it.
        stops = REST in self._requested or self._is_due(self._stop_at, now)
        self._requested = [REST, target] if stops and target != REST else [target]
        self._stop_at = None if target == REST else obeyed_at + self._watchdog_seconds
        self._retry_at = None
        self._changed.notify()

    def _work(self) -> None:
        while (output := self._next()) is not None:
            self._tell(output)
        if self._retry_at is not None:
            self._give_up()
        with suppress(RuntimeError):  # the loop has ended first
            self._loop.call_soon_threadsafe(self._tell_end)

    def _tell_end(self) -> None:
        if not self._ended.done():
            self._ended.set_result(None)

    def _next(self) -> Output | None:
        """Wait, and return the next call to the motors; None at the end."""
        with self._changed:
            self._called_at = None
            while (output := self._take(monotonic())) is None and not self._is_over(monotonic()):
                self._changed.wait(self._seconds())
            self._called_at = monotonic()
            return output

    def _take(self, now: float) -> Output | None:
        if self._is_due(self._stop_at, now):
            self._requested, self._stop_at, self._stopped = [], None, True
            return self._approach(REST, now)
        # Past the end, what has failed is not tried again, however soon it would be due.
        if self._is_due(self._retry_at, now) and not self._is_due(self._give_up_at, now):
            self._retry_at = None
            return self._approach(REST, now)
        # One at a time: by the time a stop has been carried out, what follows it may be over.
        if self._requested:
            target = self._requested.pop(0)
            return self._approach(Target(self._limits.clamp(target.drive), target.values), now)
        return self._approach(self._target, now) if self._is_due(self._step_at, now) else None

    def _approach(self, target: Target, now: float) -> Output:
        """Return what the motors are told on the way to `target`, which takes steps if limited."""
        # A command that comes between two steps must not make them larger.
        since = SLEW_SECONDS if self._step_at is None else now - (self._step_at - SLEW_SECONDS)
        seconds = min(since, SLEW_SECONDS)
        before, self._target = self._output, target
        drive = self._limits.approach(before.drive, target.drive, seconds)
        resolved = self._controls.resolve(target.values, before.values)
        is_stop = target == REST
        values = resolved if is_stop else self._controls.approach(before.values, resolved, seconds)
        self._output = Output(drive, values, is_stop)
        is_reached = drive == target.drive and values == resolved
        self._step_at = None if is_reached else now + SLEW_SECONDS
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

    def _tell(self, output: Output) -> None:
        done = self._call(output)
        stopped = Output(STILL, self._controls.resolve((), output.values), is_stop=True)
        if done:
            self._failing = False
        elif not output.is_stop:
            done = self._call(stopped)
        with self._changed:
            self._retry_at = None if done else monotonic() + RETRY_SECONDS
            if self._failing:
                # It begins from a stand again, and takes no more steps.
                self._output, self._step_at = stopped, None
        self._tell_held(output)

    def _tell_held(self, output: Output) -> None:
        held = self._controls.find_held(output.values)
        if held == self._held_told or self._on_held is None:
            return
        self._held_told = held
        with suppress(RuntimeError):  # the loop has ended first
            self._loop.call_soon_threadsafe(self._on_held, held)

    def _call(self, output: Output) -> bool:
        done = True
        for call in self._calls(output):
            try:
                call()
            # A driver of motors raises what it likes, SystemExit too: the thread must outlive it.
            except BaseException as failure:  # noqa: BLE001
                if not self._failing:
                    said = "%s: the motors failed at %s, and are stopped"
                    self._say(said, self._robot_id, output, failure=failure)
                self._failing = True
                done = False
                # A stop is for all of them, whichever fails.
                if not output.is_stop:
                    break
        return done

    def _calls(self, output: Output) -> Iterator[Callable[[], None]]:
        for handler in self._handlers:
            yield partial(handler, output.drive)
        if self._on_command is not None:
            command = self._controls.describe(output.values, is_stop=output.is_stop)
            yield partial(self._on_command, command)

    def _give_up(self) -> None:
        self._say("%s: the motors may still run: cut their power", self._robot_id)

    def _say(self, text: str, *values: object, failure: BaseException | None = None) -> None:
        with suppress(Exception):  # a log that fails must not cost the motors their watchdog
            _log.error(text, *values, exc_info=failure)
