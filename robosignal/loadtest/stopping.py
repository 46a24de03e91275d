"""Work that ends early when somebody asks for it. Must never know which work, or who asks."""

import asyncio
from collections.abc import Awaitable
from contextlib import suppress
from typing import Any


async def until(stop: asyncio.Event, work: Awaitable[Any]) -> bool:
    """Carry out work until it is done or `stop` is set; return whether it was done.

    Raise what the work raises.
    """
    task, stopping = asyncio.ensure_future(work), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({task, stopping}, return_when=asyncio.FIRST_COMPLETED)
        return task.done()
    finally:
        await cancelled(stopping)
        await cancelled(task)


async def cancelled(work: "asyncio.Future[Any]") -> None:
    """Cancel work unless it is done, and return once it has ended. Raise what it raised."""
    work.cancel()
    await asyncio.wait({work})
    # A gathering that was cancelled does not say so itself: its result does.
    with suppress(asyncio.CancelledError):
        work.result()
