"""Work that can be ended early."""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any


async def run_until(stop: asyncio.Event, work: Awaitable[Any]) -> bool:
    """Run `work` until it is done or `stop` is set; return whether it was done.

    Raise what the work raises.
    """
    task, stopping = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
        return task.done()
    finally:
        await cancel(stopping)
        await cancel(task)


async def cancel(work: "asyncio.Future[Any]") -> None:
    """Cancel work unless it is done, and return once it has ended. Raise what it raised."""
    work.cancel()
    await asyncio.wait({work})
    # A gather that was cancelled does not say so itself: its result does.
    with suppress(asyncio.CancelledError):
        work.result()
