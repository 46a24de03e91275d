"""The channel `drive` over a real peer connection: what the robot obeys, and what it does not."""

import asyncio
from time import monotonic

from robosignal.robot import Limits
from robosignal.robot.drive import STILL
from tests.robot.server import ALICE, BOB, SignalingServer, browser, robot
from tests.robot.test_motors import FORWARD, Wheels


async def test_robot_declares_itself_and_is_driven_by_fresh_commands() -> None:
    """The declaration comes first on `control`; a motion needs zeros before it."""
    server, wheels = SignalingServer(), Wheels()
    async with (
        server.open(),
        robot(server, on_drive=wheels, watchdog_ms=400),
        browser(server, "a", "pc-a1", ALICE, drive=True) as alice,
    ):
        await alice.join("controller", 2)
        first = await alice.beat()
        alice.command()
        refused = await alice.beat(refused={"stale": 0, "superseded": 0, "refused": 1})
        await alice.arm()
        n = alice.command()
        obeyed = await alice.beat(n=n)
        await wheels.wait_for(3)
        stopped = await alice.beat(armed=False)

    assert alice.declared == [
        {
            "type": "capabilities",
            "version": 2,
            "freshMs": 1000,
            "watchdogMs": 400,
            "video": {"fps": 20.0},
        }
    ]
    assert (first["n"], first["driver"], first["armed"]) == (None, "Alice", False)
    assert (refused["n"], obeyed["n"], obeyed["armed"]) == (None, 3, True)
    assert stopped["n"] == 3
    assert wheels.told[:3] == [STILL, FORWARD, STILL]


async def test_driver_is_told_twenty_times_a_second_and_a_viewer_twice() -> None:
    """Each session gets heartbeats of its own."""
    server = SignalingServer()
    async with (
        server.open(),
        robot(server),
        browser(server, "a", "pc-a1", ALICE, drive=True) as alice,
        browser(server, "b", "pc-b1", BOB, drive=True) as bob,
    ):
        await alice.join("controller", 2)
        await bob.join("viewer")
        await bob.beat(driver="Alice", armed=False)
        before = len(alice.heartbeats), len(bob.heartbeats)
        began = monotonic()
        await asyncio.sleep(2)
        seconds = monotonic() - began
        hers, his = len(alice.heartbeats) - before[0], len(bob.heartbeats) - before[1]

    assert 12 * seconds < hers < 21 * seconds
    assert 1 <= his <= 2 * seconds + 1


async def test_old_commands_of_a_page_with_drive_are_refused() -> None:
    """A page that can prove that a command is fresh has to."""
    server = SignalingServer()
    async with (
        server.open(),
        robot(server),
        browser(server, "a", "pc-a1", ALICE, drive=True) as alice,
    ):
        await alice.join("controller", 2)
        await alice.beat()
        answer = await alice.drive(1)

    assert answer == {"type": "refused", "n": 1, "epoch": 2}


async def test_old_pages_may_be_refused() -> None:
    """The robot's author decides, and the log says why."""
    server = SignalingServer()
    async with (
        server.open(),
        robot(server, old_pages=False) as running,
        browser(server, "a", "pc-a1", ALICE) as alice,
    ):
        await alice.join("controller", 2)
        answer = await alice.drive(1)
        await alice.drive(2)

    assert answer == {"type": "refused", "n": 1, "epoch": 2}
    assert running.log.count("the page is too old") == 1


async def test_limits_clamp_and_slow_down_what_the_motors_are_told() -> None:
    """A jump to full speed becomes steps up to the limit, and a stop comes at once."""
    server, wheels = SignalingServer(), Wheels()
    limits = Limits(y=0.5, slew=2.5)
    async with (
        server.open(),
        robot(server, on_drive=wheels, limits=limits),
        browser(server, "a", "pc-a1", ALICE, drive=True) as alice,
    ):
        await alice.join("controller", 2)
        await alice.arm()
        alice.command()
        await alice.beat(armed=False)
        told = [drive.y for drive in wheels.told]

    assert told[0] == 0
    assert told[1:-1] == sorted(told[1:-1])
    assert 0 < told[1] <= 0.06
    assert max(told) == 0.5
    assert told[-1] == 0


async def test_a_stop_latches_until_it_is_cleared() -> None:
    """Any session that may drive stops the robot; the driver clears it, and arms again."""
    server, wheels = SignalingServer(), Wheels()
    right = {"drive": True, "owner": False, "rightSeconds": 600}
    async with (
        server.open(),
        robot(server, on_drive=wheels) as running,
        browser(server, "a", "pc-a1", ALICE, drive=True) as alice,
        browser(server, "b", "pc-b1", BOB, drive=True) as bob,
    ):
        await alice.join("controller", 2, right=right)
        await bob.join("viewer", right=right)
        await alice.arm()
        alice.command()
        await wheels.wait_for(2)
        bob.send_drive({"type": "stop"})
        bob.say({"type": "stop"})
        told = [await alice.hear(), await bob.hear()]
        alice.command(0.0)
        await alice.beat(armed=False)
        alice.say({"type": "clear-stop"})
        cleared = [await alice.hear(), await bob.hear()]
        await alice.arm()
        bob.say({"type": "clear-stop"})
        refused = await bob.hear()

    assert told == [{"type": "stopped", "by": "Bob"}] * 2
    assert cleared == [{"type": "stopped", "by": None}] * 2
    assert refused == {"type": "refused", "what": "clear-stop", "epoch": 2}
    assert wheels.told[:3] == [STILL, FORWARD, STILL]
    assert running.log.count("Bob stops the robot") == 1


async def test_the_robots_own_program_stops_it_from_any_thread() -> None:
    """Only the program clears that; a page that joins meanwhile is told."""
    server, wheels = SignalingServer(), Wheels()
    async with (
        server.open(),
        robot(server, on_drive=wheels) as running,
        browser(server, "a", "pc-a1", ALICE, drive=True) as alice,
    ):
        await asyncio.to_thread(running.robot.stop_motion, "button")
        await alice.join("controller", 2)
        stopped = await alice.hear()
        alice.say({"type": "clear-stop"})
        refused = await alice.hear()
        await asyncio.to_thread(running.robot.clear_stop)
        cleared = await alice.hear()
        await alice.arm()
        alice.command()
        await alice.beat(n=alice.n)

    assert stopped == {"type": "stopped", "by": "button"}
    assert refused == {"type": "refused", "what": "clear-stop", "epoch": 2}
    assert cleared == {"type": "stopped", "by": None}
    assert FORWARD in wheels.told


async def test_a_right_that_ends_stops_the_robot_without_any_frame() -> None:
    """Media goes on; a later right, at the same epoch, lets the driver drive again."""
    server, wheels = SignalingServer(), Wheels()
    right = {"drive": True, "owner": True, "rightSeconds": 1}
    async with (
        server.open(),
        robot(server, on_drive=wheels, watchdog_ms=5000) as running,
        browser(server, "a", "pc-a1", ALICE, drive=True) as alice,
    ):
        await alice.join("controller", 2, right=right)
        await alice.arm()
        alice.command()
        await running.log.wait_for("Alice's right to drive has ended")
        told = list(await wheels.wait_for(3))
        ended = await alice.beat(armed=False)
        number = await alice.number()
        control = {"sessionId": alice.session, "person": ALICE, "rightSeconds": 60}
        await server.push("control", epoch=2, **control)
        await alice.beat(driver="Alice")
        await alice.arm()

    assert told == [STILL, FORWARD, STILL]
    assert "driver" not in ended
    assert number is not None
