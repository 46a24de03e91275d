"""`python -m robosignal.loadtest.own`: a gateway of the benchmark's own, without state or limits.

Owns what it is started with; must never know what is measured on it. It says its address and a
token on a pipe, which others cannot read.
"""

import asyncio

from robosignal.gateway.local import Local, Service
from robosignal.loadtest.gauge import answer
from robosignal.server.settings import read_options

USER = "bench"


async def main() -> None:
    """Serve until standard input ends."""
    # As `robosignal serve --port 0 --state :memory: --unlimited`, whatever the environment says.
    async with Local(Service(port=0, unlimited=True), read_options({})) as local:
        await answer({"url": local.gateway.websocket_url, "token": local.key.sign(USER)})


if __name__ == "__main__":
    asyncio.run(main())
