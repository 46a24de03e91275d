"""Fetches a token issuer's keys beside the event loop, so that only those wait who need one.

Owns who waits for a fetch; must never know what a token is worth.
"""

import asyncio
from collections.abc import Sequence

from robosignal.gateway.events import Event
from robosignal.protocol.errors import SignalingError
from robosignal.server.events import read_event
from robosignal.server.identity.carriers import token_from
from robosignal.server.identity.jwks import RemoteKeys
from robosignal.server.identity.tokens import Issuer, key_named, prefetch


class Prefetch:
    """Awaited before a `$connect`: when it is over, the handler finds the token's key at hand.

    One thread fetches, and who needs an unknown key waits its turn without one: strangers'
    tokens with made-up ids take neither the threads nor the time of those whose key is known.
    """

    def __init__(self, issuers: Sequence[Issuer]) -> None:
        self._issuers = issuers
        self._turn = asyncio.Lock()

    async def __call__(self, event: Event) -> None:
        """Have the key fetched that the event's token needs, if that takes a fetch."""
        token = _carried(event)
        if token is None or self._is_at_hand(token):
            return
        async with self._turn:
            # Whoever was first may have fetched it for all, or in vain: then this is over at once.
            await asyncio.to_thread(prefetch, token, self._issuers)

    def _is_at_hand(self, token: str) -> bool:
        named = key_named(token, self._issuers)
        if named is None:
            return True
        keys, kid = named
        return not isinstance(keys, RemoteKeys) or keys.at_hand(kid)


def _carried(event: Event) -> str | None:
    incoming = read_event(event)
    try:
        return token_from(incoming.headers, incoming.query).token
    except SignalingError:
        return None
