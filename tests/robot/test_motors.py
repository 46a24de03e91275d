"""A robot with motors of its own: what they are told over a real peer connection, and when."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator
from time import monotonic

import pytest

from robosignal.robot import Robot, motors
from robosignal.robot.client import LONGEST_MS
from robosignal.robot.drive import STILL, Drive
from robosignal.robot.motors import Motors
from tests.robot.server import (
    ALICE,
    BOB,
    PATIENCE,
    ROBOT,
    LogLines,
    SignalingServer,
    browser,
    logged,
    robot,
    session,
)

FORWARD = Drive(0.0, 1.0)
BACK = Drive(0.0, -1.0)
LEFT = Drive(-1.0, 0.0)
NEVER_MS = LONGEST_MS


class Wheels:
    """Motors that note what they are told, and fail as often as they should."""

    def __init__(self, *, failures: int = 0) -> None:
        self.told: list[Drive] = []
        self._failures = failures
        self._news = asyncio.Event()
        self._loop = asyncio.get_running_loop()

    def __call__(self, drive: Drive) -> None:
        """Take what is asked for; raise while there are failures left."""
        self.told.append(drive)
        self._loop.call_soon_threadsafe(self._news.set)
        if self._failures:
            self._failures -= 1
            raise OSError("the port is gone")

    def fail(self, times: int) -> None:
        """Raise so many times from now on."""
        self._failures = times

    async def wait_for(self, count: int) -> list[Drive]:
        """Return what they were told, as soon as it is so much."""
        async with asyncio.timeout(PATIENCE):
            while len(self.told) < count:
                self._news.clear()
                await self._news.wait()
        return self.told


async def test_each_command_reaches_the_motors_and_so_does_the_watchdogs_stop() -> None:
    """They are told twice where the driver is, and once that commands have stopped."""
    server, wheels = SignalingServer(), Wheels()
    async with (
        server.open(),
        robot(server, on_drive=wheels),
        browser(server, "a", "pc-a1", ALICE) as alice,
    ):
        await alice.join("controller", 2)
        for n in (1, 2):
            await alice.drive(n)
            await wheels.wait_for(n)
        told = list(await wheels.wait_for(3))

    assert told == [FORWARD, FORWARD, STILL]


@pytest.mark.parametrize(
    ("kind", "change", "line"),
    [
        ("takeover", {"by": BOB, "reason": "owner", "sessionId": session("b")}, "Bob drives"),
        ("control", {}, "no one drives"),
    ],
)
async def test_every_change_of_epoch_stops_the_motors(
    kind: str, change: dict[str, object], line: str
) -> None:
    """The next driver begins with a stopped robot, and not because of the watchdog."""
    server, wheels = SignalingServer(), Wheels()
    async with (
        server.open(),
        robot(server, on_drive=wheels, watchdog_ms=NEVER_MS) as running,
        browser(server, "a", "pc-a1", ALICE) as alice,
    ):
        await alice.join("controller", 2)
        await alice.drive(1)
        await wheels.wait_for(1)
        await server.push(kind, epoch=3, **change)
        await running.log.wait_for(f"{line} (epoch 3)")
        told = list(await wheels.wait_for(2))

    assert told == [FORWARD, STILL]


async def test_motors_that_fail_are_stopped_and_the_robot_lives_on() -> None:
    """The failure is logged, and the next command is carried out."""
    server, wheels = SignalingServer(), Wheels(failures=1)
    async with (
        server.open(),
        robot(server, on_drive=wheels) as running,
        browser(server, "a", "pc-a1", ALICE) as alice,
    ):
        await alice.join("controller", 2)
        first = await alice.drive(1)
        told = list(await wheels.wait_for(2))
        second = await alice.drive(2)
        await wheels.wait_for(3)
        line = await running.log.wait_for("the motors failed")

    assert told == [FORWARD, STILL]
    assert wheels.told[2] == FORWARD
    assert (first["type"], second["type"]) == ("done", "done")
    assert "y=1.0" in line


async def test_motors_that_cannot_be_stopped_are_stopped_when_they_can_be() -> None:
    """The watchdog asks once; from then on the robot tries by itself, and logs it once."""
    server, wheels = SignalingServer(), Wheels(failures=3)
    async with (
        server.open(),
        robot(server, on_drive=wheels) as running,
        browser(server, "a", "pc-a1", ALICE) as alice,
    ):
        await alice.join("controller", 2)
        await alice.drive(1)
        told = list(await wheels.wait_for(4))
        lines = running.log.count("the motors failed")

    assert told == [FORWARD, STILL, STILL, STILL]
    assert lines == 1


async def test_motors_that_could_not_be_stopped_at_the_end_are_stopped_before_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However quick the farewell is: a program that ends leaves no motor running."""
    monkeypatch.setattr(motors, "RETRY_SECONDS", 0.01)
    # Without a watchdog, the first stop is the one at the end, on a busy machine too.
    server, wheels = SignalingServer(), Wheels()
    async with (
        server.open(),
        robot(server, on_drive=wheels, watchdog_ms=NEVER_MS),
        browser(server, "a", "pc-a1", ALICE) as alice,
    ):
        await alice.join("controller", 2)
        await alice.drive(1)
        await wheels.wait_for(1)
        wheels.fail(3)

    assert wheels.told == [FORWARD, STILL, STILL, STILL, STILL]


async def test_robot_that_has_ended_tries_nothing_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Motors that fail to the last end the run with their error."""
    monkeypatch.setattr(motors, "RETRY_SECONDS", 0)
    monkeypatch.setattr(motors, "GIVE_UP_SECONDS", 0.05)
    server, wheels = SignalingServer(), Wheels(failures=10**6)
    async with server.open(), robot(server, on_drive=wheels):
        pass
    told = len(wheels.told)
    left = [each for each in threading.enumerate() if each.name.startswith("motors of ")]
    for thread in left:
        await asyncio.to_thread(thread.join, PATIENCE)

    assert told >= 2
    assert [thread.name for thread in left if thread.is_alive()] == []
    assert len(wheels.told) == told


def test_function_that_would_have_to_be_awaited_is_refused() -> None:
    """Its calls would make no move, and no stop either."""

    async def move(_: Drive) -> None:
        """Never run."""

    with pytest.raises(TypeError, match="plain function"):
        Robot("ws://127.0.0.1:1/", ROBOT, token="t", on_drive=move)  # type: ignore[arg-type]


class SlowHandler:
    """A mover that notes its thread, and returns from each call only when it is let go."""

    def __init__(self) -> None:
        self.told: list[Drive] = []
        self.threads: set[int] = set()
        self.called = threading.Semaphore(0)
        self.free = threading.Semaphore(0)

    def __call__(self, drive: Drive) -> None:
        """Take what is asked for."""
        self.told.append(drive)
        self.threads.add(threading.get_ident())
        self.called.release()
        assert self.free.acquire(timeout=PATIENCE)

    def wait(self) -> None:
        """Return once it is called, holding up the event loop meanwhile."""
        assert self.called.acquire(timeout=PATIENCE)


@pytest.fixture
async def handler() -> SlowHandler:
    """A mover for one test."""
    return SlowHandler()


@pytest.fixture
async def log() -> LogLines:
    """The log of one test's motors."""
    return LogLines()


@pytest.fixture
async def slow_motors(handler: SlowHandler, log: LogLines) -> AsyncIterator[Motors]:
    """Motors with that handler."""
    with logged(log):
        found = Motors(ROBOT, [handler])
        yield found
        handler.free.release(100)
        await found.wait_closed()


async def test_watchdog_stops_the_motors_while_the_event_loop_is_busy(
    slow_motors: Motors, handler: SlowHandler
) -> None:
    """Whatever keeps the loop: this test keeps it until the stop has come."""
    handler.free.release(2)
    slow_motors.move(FORWARD)
    handler.wait()
    handler.wait()

    assert handler.told == [FORWARD, STILL]
    assert handler.threads.isdisjoint({threading.get_ident()})
    assert len(handler.threads) == 1


async def test_a_stop_of_the_loops_own_timer_is_not_told_twice(
    slow_motors: Motors, handler: SlowHandler
) -> None:
    """The logic asks for the stop as well; a driver's own stop after that is told again."""
    handler.free.release(100)
    slow_motors.move(FORWARD)
    handler.wait()
    handler.wait()
    slow_motors.move(STILL)
    slow_motors.move(LEFT)
    handler.wait()
    slow_motors.move(STILL)
    handler.wait()

    assert handler.told == [FORWARD, STILL, LEFT, STILL]


async def test_newest_command_replaces_those_that_wait_but_no_stop_is_left_out(
    slow_motors: Motors, handler: SlowHandler
) -> None:
    """As when a mover is slow while the driver changes: the next one begins from a stand."""
    slow_motors.move(FORWARD)
    handler.wait()
    for drive in (LEFT, STILL, LEFT, BACK):
        slow_motors.move(drive)
    handler.free.release(100)
    handler.wait()
    handler.wait()

    assert handler.told[:3] == [FORWARD, STILL, BACK]


async def test_a_stop_that_is_due_comes_before_a_command_that_comes_late(
    monkeypatch: pytest.MonkeyPatch, slow_motors: Motors, handler: SlowHandler
) -> None:
    """As after the process was suspended, whichever thread wakes first."""
    slow_motors.move(FORWARD)
    handler.wait()
    monkeypatch.setattr(motors, "monotonic", lambda: monotonic() + 1)
    slow_motors.move(BACK)
    handler.free.release(100)
    handler.wait()
    handler.wait()

    assert handler.told == [FORWARD, STILL, BACK]


@pytest.mark.parametrize("why", ["the driver has changed", "the watchdog is due"])
async def test_a_command_that_waits_for_a_slow_stop_is_not_told_once_it_is_over(
    monkeypatch: pytest.MonkeyPatch, slow_motors: Motors, handler: SlowHandler, why: str
) -> None:
    """A stop that takes its time is no reason to obey who does not drive any more."""
    slow_motors.move(FORWARD)
    handler.wait()
    slow_motors.move(STILL)
    slow_motors.move(BACK)
    handler.free.release()
    handler.wait()
    if why == "the driver has changed":
        slow_motors.move(STILL)
    else:
        monkeypatch.setattr(motors, "monotonic", lambda: monotonic() + 1)
    handler.free.release(100)
    handler.wait()

    assert handler.told == [FORWARD, STILL, STILL]


async def test_a_mover_that_does_not_return_is_logged(
    monkeypatch: pytest.MonkeyPatch, slow_motors: Motors, handler: SlowHandler, log: LogLines
) -> None:
    """Once a call: nothing can stop motors whose driver hangs, so somebody must know."""
    monkeypatch.setattr(motors, "SLOW_SECONDS", 0)
    slow_motors.move(FORWARD)
    handler.wait()
    slow_motors.move(FORWARD)
    slow_motors.move(FORWARD)

    assert log.count("`on_drive` has not returned") == 1


async def test_motors_that_hang_at_the_end_are_given_up(
    monkeypatch: pytest.MonkeyPatch, slow_motors: Motors, handler: SlowHandler, log: LogLines
) -> None:
    """The program ends all the same, and its last line says what to do."""
    monkeypatch.setattr(motors, "GIVE_UP_SECONDS", 0)
    monkeypatch.setattr(motors, "SLOW_SECONDS", 0)
    slow_motors.move(FORWARD)
    handler.wait()
    await slow_motors.wait_closed()

    assert log.lines == [f"{ROBOT}: the motors may still run: cut their power"]


class FailingLog(LogLines):
    """A log that fails."""

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the line, and fail."""
        super().emit(record)
        raise OSError


@pytest.mark.parametrize("failure", [OSError, SystemExit])
async def test_neither_a_mover_nor_a_log_that_fails_costs_the_watchdog(
    failure: type[BaseException],
) -> None:
    """The thread outlives whatever is raised in it."""
    told: list[Drive] = []
    failed, stopped = threading.Event(), threading.Event()

    def move(drive: Drive) -> None:
        told.append(drive)
        if len(told) == 1:
            raise failure
        if drive == STILL:
            (stopped if BACK in told else failed).set()

    with logged(FailingLog()):
        found = Motors(ROBOT, [move])
        found.move(FORWARD)
        assert await asyncio.to_thread(failed.wait, PATIENCE)
        found.move(BACK)
        assert await asyncio.to_thread(stopped.wait, PATIENCE)
        await found.wait_closed()

    assert told == [FORWARD, STILL, BACK, STILL]
