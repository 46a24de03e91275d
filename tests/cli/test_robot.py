"""The settings of `robosignal robot`, as a page and the motors meet them."""

import asyncio

from tests.e2e.processes import Process
from tests.robot.server import ALICE, ROBOT, TOKEN, SignalingServer, browser


def start(server: SignalingServer, *options: str) -> Process:
    """Run a robot of the command line with these options."""
    return Process(*("robot", "--url", server.url, "--robot-id", ROBOT, "--token", TOKEN, *options))


async def test_a_page_is_told_what_was_set() -> None:
    """In the declaration; and the watchdog is in force."""
    server = SignalingServer()
    async with server.open(), browser(server, "a", "pc-a1", ALICE, drive=True) as alice:
        robot = start(server, "--watchdog-ms", "200", "--fresh-ms", "3000", "--fps", "5.5")
        await server.frame("register", patience=30)
        await alice.join("controller", 2)
        await alice.arm()
        alice.command(1.0)
        # No other command follows: by its own watchdog the robot has stopped, and asks for zeros.
        stopped = await alice.beat(armed=False)
        declared = alice.declared
        await alice.image()
        await asyncio.to_thread(robot.stop)

    assert declared == [
        {
            "type": "capabilities",
            "version": 2,
            "freshMs": 3000,
            "watchdogMs": 200,
            "video": {"fps": 5.5},
        }
    ]
    assert stopped["refused"] == {"stale": 0, "superseded": 0, "refused": 0}


async def test_a_robot_without_a_picture_or_old_pages() -> None:
    """It declares no video, and a page without the channel `drive` is refused."""
    server = SignalingServer()
    async with server.open(), browser(server, "a", "pc-a1", ALICE) as alice:
        robot = start(server, "--no-old-pages", "--fps", "0", "--slew", "2", "--limit-x", "0.5")
        await server.frame("register", patience=30)
        await alice.join("controller", 2)
        refused = await alice.drive(1)
        declared = alice.declared
        await asyncio.to_thread(robot.stop)

    assert declared[0]["video"] is None
    assert refused == {"type": "refused", "n": 1, "epoch": 2}
