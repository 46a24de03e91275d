"""Keeps the public keys of token issuers: fetched when a token needs one, seldom and boundedly.

Owns which keys are admitted, how long they serve, and when an issuer is asked again; must never
know a token.
"""

import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping
from threading import Lock
from types import MappingProxyType
from typing import Any

from robosignal.server.identity.jwks_fetch import checked_url, fetch_document
from robosignal.server.identity.strict_json import parse_object
from robosignal.server.ports import Jwk, KeysUnavailable

PENALTY_SECONDS = 10
"""How long an issuer is not asked again after a fetch that failed or did not find the key."""

FRESH_SECONDS = 5 * 60
"""How long keys are used before their issuer is asked again, so that a withdrawn one is refused."""

OUTAGE_SECONDS = 60 * 60
"""How long they are used while that issuer cannot be reached."""

MODULUS_BITS = 2048
"""RFC 7518, section 3.3: a key of this size or larger is a must."""


def admitted(key: object) -> Jwk | None:
    """Return the key's public RSA members, if RS256 signatures may be checked with it, else None.

    That is (RFC 7517): `kty` RSA, a string `kid`, `use` and `alg` right where stated, a
    modulus of at least 2,048 bits. Anything else that it bears is left behind.
    """
    if not isinstance(key, Mapping) or key.get("kty") != "RSA":
        return None
    if key.get("use", "sig") != "sig" or key.get("alg", "RS256") != "RS256":
        return None
    if not isinstance(key.get("kid"), str) or _bits(key.get("n")) < MODULUS_BITS:
        return None
    # An even exponent, or 1, is no RSA: with 1 every message would be its own signature.
    if _integer(key.get("e")) < 3 or not _integer(key["e"]) % 2:  # noqa: PLR2004 - the least odd
        return None
    return MappingProxyType({name: key[name] for name in ("kty", "kid", "n", "e")})


def _bits(encoded: object) -> int:
    return _integer(encoded).bit_length()


def _integer(encoded: object) -> int:
    """Return the integer that base64url bytes stand for (RFC 7518, section 2), 0 if they do not."""
    if not isinstance(encoded, str):
        return 0
    try:
        return int.from_bytes(urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    except ValueError:
        return 0


class StaticKeys:
    """Keys that are handed over: a `KeySource` that never fetches.

    Raise ValueError when one of them could not be used, or is filed under another id than its.
    """

    def __init__(self, keys: Mapping[str, Jwk]) -> None:
        self._keys: dict[str, Jwk] = {}
        for kid, key in keys.items():
            good = admitted(key)
            if good is None or good["kid"] != kid:
                raise ValueError(f"key {kid!r} is no RSA signing key of 2,048 bits with this id")
            self._keys[kid] = good

    def key(self, kid: str) -> Jwk | None:
        """Return the key with exactly this id, or None."""
        return self._keys.get(kid)


class RemoteKeys:
    """The keys behind an issuer's JWKS address: a `KeySource` that many threads may ask at once.

    `fetch` returns the document at an address, within a bounded time, or raises
    `KeysUnavailable`; `clock` returns seconds, and may be set. Raise ValueError when the address
    is neither HTTPS nor loopback.

    A key that was in a document of the last five minutes is answered from memory. Any other id
    causes one fetch, for all who ask meanwhile. Only a good document replaces what is known, so
    a key that the issuer withdraws serves five minutes at most; while the issuer cannot be
    reached, an hour at most.

    After a fetch that failed, or that did not find the id it was for, none follows for ten
    seconds: a stranger's made-up ids cannot have the issuer asked on and on, nor hold up those
    whose keys are known. An unknown id that comes meanwhile may be a new key's, so it is not
    refused: it cannot be judged yet.
    """

    def __init__(
        self,
        url: str,
        fetch: Callable[[str], bytes] = fetch_document,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._url = checked_url(url)
        self._fetch = fetch
        self._clock = clock
        self._flight = Lock()
        self._keys: Mapping[str, Jwk] = {}
        self._fetched_at = float("-inf")
        self._in_vain_at = float("-inf")
        self._absent: str | None = None
        """The id that the last fetch was for, and did not find."""

    def key(self, kid: str) -> Jwk | None:
        """Return the key with exactly this id, or None when the issuer has no such key.

        Blocks while a fetch is under way. Raise `KeysUnavailable` when that cannot be told now.
        """
        if not self.at_hand(kid):
            # Whoever waited here finds what the one before it fetched.
            with self._flight:
                if not self.at_hand(kid):
                    self._refresh(kid)
        found = self._keys.get(kid) if self._is_within(OUTAGE_SECONDS, self._fetched_at) else None
        if found is None and kid != self._absent:
            raise KeysUnavailable
        return found

    def at_hand(self, kid: str) -> bool:
        """Say whether `key` answers at once: keys are fresh, or a fetch has just failed."""
        if self._is_within(PENALTY_SECONDS, self._in_vain_at):
            return True
        return kid in self._keys and self._is_within(FRESH_SECONDS, self._fetched_at)

    def _is_within(self, seconds: float, since: float) -> bool:
        # A time in the future means that the clock was set back: the age of the keys is unknown.
        return 0 <= self._clock() - since < seconds

    def _refresh(self, kid: str) -> None:
        # Before the fetch: a key may be withdrawn while the issuer answers.
        asked_at = self._clock()
        self._absent = None
        try:
            self._keys = _key_set(self._fetch(self._url))
        except KeysUnavailable:
            self._in_vain_at = self._clock()
            return
        self._fetched_at = asked_at
        if kid not in self._keys:
            self._absent = kid
            self._in_vain_at = self._clock()


def _key_set(document: bytes) -> Mapping[str, Jwk]:
    """Return the usable keys of a JWK Set (RFC 7517, section 5); raise `KeysUnavailable` if none.

    Keys of other kinds are passed over, as section 5 asks for. Of two with one id neither is
    taken: nothing says which of them was meant.
    """
    try:
        listed: Any = parse_object(document).get("keys")
    except ValueError as exc:
        raise KeysUnavailable from exc
    keys = [key for key in map(admitted, listed if isinstance(listed, list) else ()) if key]
    ids = [key["kid"] for key in keys]
    known = {key["kid"]: key for key in keys if ids.count(key["kid"]) == 1}
    if not known:
        raise KeysUnavailable
    return known
