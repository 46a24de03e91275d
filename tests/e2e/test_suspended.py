"""A robot's process that is suspended while it drives, as when its machine sleeps."""

import asyncio
import os
import signal
import time

from tests.e2e.conftest import Site
from tests.e2e.offers import OWNER, Driver, Rover, connected


async def test_the_stop_that_is_due_comes_before_what_waited_in_buffers(site: Site) -> None:
    """When it wakes, its motors stop first, and then only do what has come meanwhile."""
    rover = Rover(site)
    async with connected(site.websocket_url, site.token(OWNER)) as socket:
        driver = Driver(socket)
        await driver.join()
        driving = asyncio.create_task(driver.drive())
        await asyncio.to_thread(rover.process.wait_for, r"^moves 1\.0")
        os.kill(rover.process.pid, signal.SIGSTOP)
        await driving
        # Longer than a command is in force.
        await driver.drive()
        woken = time.monotonic()
        os.kill(rover.process.pid, signal.SIGCONT)
        after: list[float] = []
        while 0.0 not in after:
            found = await asyncio.to_thread(rover.process.wait_for, r"^moves (\S+) (\S+)")
            after += [float(found[1])] if float(found[2]) > woken else []
        await driver.close()
    rover.process.stop()

    # The thread may have been stopped on its way into a call.
    assert len(after) <= 2
