"""Waits for processes in threads, so that a backend on the event loop can serve them."""

import asyncio
import re

from tests.e2e.processes import Process


async def said(process: Process, pattern: str) -> re.Match[str]:
    """Return the next line that the process prints and that matches."""
    return await asyncio.to_thread(process.wait_for, pattern)


async def ended(process: Process) -> int:
    """Return its exit code once it has ended by itself."""
    code = await asyncio.to_thread(process.ended)
    process.drain()
    return code


async def stopped(process: Process) -> int:
    """Ask it to end, and return its exit code."""
    return await asyncio.to_thread(process.stop)
