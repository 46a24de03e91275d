"""`python -m robosignal.loadtest.gateway_process`: a gateway to be measured, in its own process.

It runs without state and without limits, and prints its address and a token on standard output,
which is a pipe that no other user can read.
"""

import asyncio

from robosignal.loadtest.measured_process import report_cpu
from robosignal.testing import LocalBackend

USER = "bench"


async def main() -> None:
    """Serve until standard input ends."""
    # As `robosignal serve --port 0 --state :memory: --unlimited`, whatever the environment says.
    async with LocalBackend(environment={"LIMITS": "off"}) as backend:
        await report_cpu({"url": backend.url, "token": backend.token(USER)})


if __name__ == "__main__":
    asyncio.run(main())
