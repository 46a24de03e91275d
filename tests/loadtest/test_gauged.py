"""Processes that tell how much CPU they have used."""

import os
import signal

import pytest

from robosignal.loadtest.command import GATEWAY_MODULE
from robosignal.loadtest.measured_process import MeasuredProcess, run_measured
from robosignal.probe.connection import dial


async def test_a_process_says_where_it_is_and_how_much_cpu_it_used() -> None:
    """Its own gateway: an address, a token that is good there, and CPU that only grows."""
    async with run_measured(GATEWAY_MODULE) as own:
        before = await own.cpu_s()
        socket = await dial(own.ready["url"], own.ready["token"], ["127.0.0.1"], 10)
        after = await own.cpu_s()
        await socket.close()

    assert 0 < before < after


async def test_nothing_is_left_of_the_process() -> None:
    """It ends with the block, by itself."""
    async with run_measured(GATEWAY_MODULE) as own:
        process = own._process  # noqa: SLF001 - only this test needs to know which it is

    assert process.returncode == 0


async def test_a_process_that_does_not_start_is_told() -> None:
    """Its own words are on standard error."""
    with pytest.raises(OSError, match="it has ended"):
        async with run_measured("robosignal.loadtest.no_such_module"):
            pass


async def test_a_process_that_has_ended_is_told() -> None:
    """Instead of a figure."""

    async def killed(own: MeasuredProcess) -> None:
        process = own._process  # noqa: SLF001 - as above
        os.kill(process.pid, signal.SIGKILL)
        await process.wait()
        await own.cpu_s()

    async with run_measured(GATEWAY_MODULE) as own:
        with pytest.raises(OSError, match="it has ended"):
            await killed(own)
