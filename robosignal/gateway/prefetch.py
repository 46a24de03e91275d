"""Fetches an issuer's keys outside the event loop: only connections that need a key wait for it."""

import asyncio
from collections.abc import Sequence

from robosignal.gateway.events import Event
from robosignal.protocol.errors import SignalingError
from robosignal.server.events import read_event
from robosignal.server.identity.carriers import find_token
from robosignal.server.identity.jwks import RemoteKeys
from robosignal.server.identity.tokens import Issuer, find_named_key, prefetch


class Prefetch:
    """Awaited before a `$connect`, so that the handler finds the token's key in the cache.

    One thread fetches, and connections that need an unknown key wait for it in turn. So tokens
    with made-up key ids cost neither threads nor time of those whose key is known.
    """

    def __init__(self, issuers: Sequence[Issuer]) -> None:
        self._issuers = issuers
        self._turn = asyncio.Lock()

    async def __call__(self, event: Event) -> None:
        """Fetch the key that the event's token needs, unless it is in the cache."""
        token = _token_of(event)
        if token is None or self._is_cached(token):
            return
        async with self._turn:
            # An earlier turn may have fetched it, or failed: then this returns at once.
            await asyncio.to_thread(prefetch, token, self._issuers)

    def _is_cached(self, token: str) -> bool:
        named = find_named_key(token, self._issuers)
        if named is None:
            return True
        keys, kid = named
        return not isinstance(keys, RemoteKeys) or keys.at_hand(kid)


def _token_of(event: Event) -> str | None:
    incoming = read_event(event)
    try:
        return find_token(incoming.headers, incoming.query).token
    except SignalingError:
        return None
