"""Keeps a peer connection whose path loses many packets: ICE consent (RFC 7675).

aioice sends a check every 5 s, each once, and ends the connection after six in a row without a
response. With 30 % loss each way, that ends one in fourteen every minute. Here a check that has had
no response is followed by the next one within a second. Consent expires as RFC 7675 says: 30 s
after the last response.

It uses aioice's internals, as of the version in requirements.txt.
"""

import asyncio
import random
from functools import partial

from aioice import Connection, stun

CONSENT_SECONDS = 30.0
"""How long a response gives consent (RFC 7675, section 5.1)."""

CHECK_SECONDS = 5.0
"""How long after a response the next check is sent; RFC 7675 asks for 0.8 to 1.2 times this."""

UNANSWERED_CHECK_SECONDS = 0.5
"""How long after a check without a response, which takes 0.5 s by itself, the next one is sent."""


def keep_consent(connection: Connection) -> None:
    """Have a connection that is not established yet check its consent as this module does."""
    # aioice starts the checks by this name once the connection is established.
    connection.query_consent = partial(_query_consent, connection)  # type: ignore[method-assign]


async def _query_consent(connection: Connection) -> None:
    loop = asyncio.get_running_loop()
    until = loop.time() + CONSENT_SECONDS
    pause = CHECK_SECONDS
    while loop.time() < until:
        await asyncio.sleep(pause * random.uniform(0.8, 1.2))  # noqa: S311 - spreads checks
        sent_at = loop.time()
        if await _check(connection):
            until, pause = sent_at + CONSENT_SECONDS, CHECK_SECONDS
        else:
            pause = UNANSWERED_CHECK_SECONDS
    connection._query_consent_task = None  # noqa: SLF001 - it would cancel itself
    await connection.close()


async def _check(connection: Connection) -> bool:
    """Return whether the other end has responded to one check."""
    password = connection.remote_password or ""
    for pair in connection._nominated.values():  # noqa: SLF001
        request = connection.build_request(pair, nominate=False)
        try:
            await pair.protocol.request(
                request,
                pair.remote_addr,
                integrity_key=password.encode(),
                retransmissions=0,
            )
        except stun.TransactionError:
            return False
    return True
