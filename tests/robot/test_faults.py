"""Real drives over a path that fails, and with a robot whose process is suspended."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import monotonic
from typing import Any

from robosignal.robot.drive import FRESH_MS, STILL, WATCHDOG_MS
from tests.e2e.processes import Process
from tests.robot.faults import Page, Record
from tests.robot.relay import Relay, relay
from tests.robot.server import ALICE, PATIENCE, Browser, SignalingServer, browser, robot, session

LATE_SECONDS = 0.5
"""What a busy machine may add between a command's obeying and the motors' thread."""

ROVER = """
import asyncio, sys, time
from robosignal.robot import Robot

def move(drive):
    # The clock is the machine's: other processes read the same one.
    print("moves", drive.y, time.monotonic(), flush=True)

asyncio.run(Robot(sys.argv[1], "demo", token="t", on_drive=move).run())
"""


@asynccontextmanager
async def relayed_drive(record: Record, seed: int) -> AsyncIterator[tuple[Relay, Browser]]:
    """Run a robot, and a browser that reaches it over a path which may fail."""
    server = SignalingServer()
    async with (
        server.open(),
        relay(seed) as path,
        robot(server, on_drive=record.move),
        browser(server, "a", "pc-a1", ALICE, drive=True, path=path) as alice,
    ):
        yield path, alice


async def open_stubborn_page(alice: Browser, record: Record, **offered: Any) -> Page:
    """Join as the driver, and return a page that goes on with a key held, whatever it hears."""
    await alice.join("controller", 2, **offered)
    page = Page(alice, record)
    page.is_stubborn = True
    await alice.beat(armed=True)
    return page


async def test_delayed_reordered_and_lost_commands_are_obeyed_only_while_fresh() -> None:
    """Up to 0.7 s each way, so that a round trip may take longer than the limit."""
    record = Record()
    async with relayed_drive(record, 1) as (path, alice):
        page = await open_stubborn_page(alice, record)
        path.loss, path.delay = 0.1, (0.0, 0.7)
        for _ in range(4):
            page.is_pressed = True
            await asyncio.sleep(1.5)
            page.is_pressed = False
            await asyncio.sleep(0.5)
        await page.stop()
        refused = alice.newest["refused"]
        obeyed = record.obeyed()
        longest = record.longest_run_on()

    numbers = [n for n, _, _ in obeyed]
    assert obeyed
    assert numbers == sorted(set(numbers))
    assert record.oldest() <= FRESH_MS / 1000 + LATE_SECONDS
    assert longest <= WATCHDOG_MS / 1000 + LATE_SECONDS
    assert refused["superseded"] > 0


async def test_what_a_cut_has_held_back_moves_nothing_when_it_comes() -> None:
    """Two seconds of commands in one burst: all are too old, and the key was released since."""
    record = Record()
    async with relayed_drive(record, 2) as (path, alice):
        page = await open_stubborn_page(alice, record)
        page.is_pressed = True
        async with asyncio.timeout(PATIENCE):
            while not record.obeyed():
                await alice.beat()
        path.holding = True
        cut_at = monotonic()
        await asyncio.sleep(2)
        page.is_pressed = False
        page.send(moving=False)
        path.let_go()
        back_at = monotonic()
        await asyncio.sleep(1)
        refused = alice.newest["refused"]
        await page.stop()
        late = [found for found in record.obeyed() if found[1] > back_at]
        told = list(record.told)

    stopped = next(at for at, drive in told if at > cut_at and drive == STILL)
    assert late == []
    assert stopped - cut_at <= WATCHDOG_MS / 1000 + LATE_SECONDS
    assert refused["stale"] > 0


async def test_no_command_moves_the_robot_after_a_right_has_ended() -> None:
    """The page goes on with a key held, and hears who is no driver any more."""
    server, record = SignalingServer(), Record()
    right = {"drive": True, "owner": True, "rightSeconds": 2}
    async with (
        server.open(),
        robot(server, on_drive=record.move) as running,
        browser(server, "a", "pc-a1", ALICE, drive=True) as alice,
    ):
        began = monotonic()
        page = await open_stubborn_page(alice, record, right=right)
        page.is_pressed = True
        await running.log.wait_for("Alice's right to drive has ended")
        ended = monotonic()
        await asyncio.sleep(1)
        await page.stop()
        after = [found for found in record.obeyed() if found[1] > ended]
        told = list(record.told)

    assert 2 <= ended - began < 3
    assert record.obeyed()
    assert after == []
    assert told[-1][1] == STILL
    assert told[-1][0] <= ended + LATE_SECONDS


async def test_a_suspended_robot_obeys_nothing_that_has_waited() -> None:
    """For longer than the watchdog, whatever the freshness limit says of it."""
    for seconds in (0.7, 2.0):
        server, record = SignalingServer(), Record()
        async with (
            server.open(),
            browser(server, "a", "pc-a1", ALICE, drive=True) as alice,
        ):
            rover = Process.of_code(ROVER, server.url)
            await server.frame("register")
            page = await open_stubborn_page(alice, record)
            page.is_pressed = True
            await asyncio.to_thread(rover.wait_for, r"^moves 0\.1")
            os.kill(rover.pid, signal.SIGSTOP)
            await asyncio.sleep(seconds)
            # One more press, in buffers as well: zeros, then motion.
            page.is_pressed = False
            await asyncio.sleep(0.1)
            page.is_pressed = True
            await asyncio.sleep(0.1)
            await page.stop()
            woken = monotonic()
            os.kill(rover.pid, signal.SIGCONT)
            await alice.beat(armed=False)
            # By then, what has waited is done with.
            await asyncio.sleep(0.5)
            refused = alice.newest["refused"]
            rover.kill()
        lines = [line.split() for line in [*rover.lines, *rover.drain()] if "moves" in line]
        after = [float(y) for _, y, at in lines if float(at) > woken]

        assert after[0] == 0
        assert set(after) == {0}
        assert refused["stale"] > 0


async def test_old_commands_that_a_cut_has_held_back_move_nothing() -> None:
    """An old page's commands prove nothing: after the gap they are ignored, then zeros come."""
    server, record = SignalingServer(), Record()
    async with (
        server.open(),
        relay(3) as path,
        robot(server, on_drive=record.move),
        browser(server, "a", "pc-a1", ALICE, path=path) as alice,
    ):
        await alice.join("controller", 2)
        assert (await alice.drive(1))["type"] == "done"
        path.holding = True
        for n in range(2, 42):
            alice.say({"type": "command", "n": n, "drive": {"x": 0.0, "y": 1.0}})
            await asyncio.sleep(0.05)
        path.let_go()
        back_at = monotonic()
        await asyncio.sleep(1)
        moved = [drive for at, drive in record.told if at > back_at and drive != STILL]
        alice.say({"type": "command", "n": 50, "drive": {"x": 0.0, "y": 0.0}})
        while (zero := await alice.hear())["n"] != 50:
            pass
        again = await alice.drive(51)

    assert moved == []
    assert (zero["type"], again["type"]) == ("done", "done")


async def test_a_viewers_stop_without_the_right_is_refused() -> None:
    """And the driver drives on."""
    server, record = SignalingServer(), Record()
    right = {"drive": False, "owner": False, "rightSeconds": 60}
    async with (
        server.open(),
        robot(server, on_drive=record.move),
        browser(server, "b", "pc-b1", ALICE, drive=True) as bob,
    ):
        await bob.join("viewer", right=right)
        await bob.beat()
        bob.send_drive({"type": "stop"})
        refused = await bob.hear()

    assert refused == {"type": "refused", "what": "stop", "epoch": 1}
    assert bob.session == session("b")
