"""The public keys of token issuers: which are valid, how long they are cached, when fetched."""

import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Mapping
from threading import Lock
from types import MappingProxyType
from typing import Any

from robosignal.server.identity.jwks_fetch import check_jwks_url, fetch_document
from robosignal.server.identity.strict_json import parse_object
from robosignal.server.ports import Jwk, KeysUnavailable

PENALTY_SECONDS = 10
"""How long to wait after a fetch that failed or did not find the key."""

FRESH_SECONDS = 5 * 60
"""How long keys are used before they are fetched again, so that a withdrawn one is refused."""

OUTAGE_SECONDS = 60 * 60
"""How long keys are used while their issuer cannot be reached."""

MODULUS_BITS = 2048
"""RFC 7518, section 3.3, requires a key of this size or larger."""


def admit_key(key: object) -> Jwk | None:
    """Return the key's public RSA members if it may verify RS256 signatures, else None.

    It needs (RFC 7517) `kty` RSA, a string `kid`, a modulus of at least 2,048 bits, and the right
    `use` and `alg`, if it has these. Other members are dropped.
    """
    if not isinstance(key, Mapping) or key.get("kty") != "RSA":
        return None
    if key.get("use", "sig") != "sig" or key.get("alg", "RS256") != "RS256":
        return None
    if not isinstance(key.get("kid"), str) or _count_bits(key.get("n")) < MODULUS_BITS:
        return None
    # An even exponent, or 1, is not RSA. With 1 every message would be its own signature.
    if _decode_integer(key.get("e")) < 3 or not _decode_integer(key["e"]) % 2:  # noqa: PLR2004 - the least odd
        return None
    return MappingProxyType({name: key[name] for name in ("kty", "kid", "n", "e")})


def _count_bits(encoded: object) -> int:
    return _decode_integer(encoded).bit_length()


def _decode_integer(encoded: object) -> int:
    """Return the integer in base64url (RFC 7518, section 2); 0 if it is not one."""
    if not isinstance(encoded, str):
        return 0
    try:
        return int.from_bytes(urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    except ValueError:
        return 0


class StaticKeys:
    """A `KeySource` with fixed keys, by their ids.

    Raise ValueError if one of them cannot be used, or has another id.
    """

    def __init__(self, keys: Mapping[str, Jwk]) -> None:
        self._keys: dict[str, Jwk] = {}
        for kid, key in keys.items():
            good = admit_key(key)
            if good is None or good["kid"] != kid:
                raise ValueError(f"key {kid!r} is no RSA signing key of 2,048 bits with this id")
            self._keys[kid] = good

    def key(self, kid: str) -> Jwk | None:
        """Return the key with exactly this id, or None."""
        return self._keys.get(kid)


class RemoteKeys:
    """A `KeySource` that fetches keys from an issuer's JWKS address. Threads may share it.

    `fetch` returns the document at an address within a bounded time, or raises `KeysUnavailable`.
    `clock` returns seconds, and may be set back. Raise ValueError if the address is neither HTTPS
    nor loopback.

    A key from the last five minutes is returned from memory. Any other id causes one fetch, shared
    by all threads that ask in the meantime. Only a valid document replaces the known keys. So a key
    that the issuer withdraws is used for five minutes at most, or an hour while the issuer cannot
    be reached.

    After a fetch that failed, or that did not find the key, none follows for ten seconds: made-up
    ids from strangers must not flood the issuer, nor delay users whose keys are known. An unknown
    id in that time may be a new key's, so it is not refused: KeysUnavailable is raised.
    """

    def __init__(
        self,
        url: str,
        fetch: Callable[[str], bytes] = fetch_document,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._url = check_jwks_url(url)
        self._fetch = fetch
        self._clock = clock
        self._flight = Lock()
        self._keys: Mapping[str, Jwk] = {}
        self._fetched_at = float("-inf")
        self._in_vain_at = float("-inf")
        self._absent: str | None = None
        """The id that the last fetch did not find."""

    def key(self, kid: str) -> Jwk | None:
        """Return the key with exactly this id; None if the issuer has no such key.

        Block while a fetch is running. Raise `KeysUnavailable` if that is not known now.
        """
        if not self.at_hand(kid):
            # A thread that waited here uses what the thread before it fetched.
            with self._flight:
                if not self.at_hand(kid):
                    self._refresh(kid)
        found = self._keys.get(kid) if self._is_within(OUTAGE_SECONDS, self._fetched_at) else None
        if found is None and kid != self._absent:
            raise KeysUnavailable
        return found

    def at_hand(self, kid: str) -> bool:
        """Say whether `key` returns at once: the key is fresh, or a fetch has just failed."""
        if self._is_within(PENALTY_SECONDS, self._in_vain_at):
            return True
        return kid in self._keys and self._is_within(FRESH_SECONDS, self._fetched_at)

    def _is_within(self, seconds: float, since: float) -> bool:
        # A time in the future means that the clock was set back, so the age is unknown.
        return 0 <= self._clock() - since < seconds

    def _refresh(self, kid: str) -> None:
        # Read before the fetch, because a key may be withdrawn while the issuer answers.
        asked_at = self._clock()
        self._absent = None
        try:
            self._keys = _parse_key_set(self._fetch(self._url))
        except KeysUnavailable:
            self._in_vain_at = self._clock()
            return
        self._fetched_at = asked_at
        if kid not in self._keys:
            self._absent = kid
            self._in_vain_at = self._clock()


def _parse_key_set(document: bytes) -> Mapping[str, Jwk]:
    """Return the usable keys of a JWK Set (RFC 7517, section 5), by their ids.

    Keys of other kinds are ignored, as section 5 requires; so are two keys with the same id. Raise
    `KeysUnavailable` if no key is left.
    """
    try:
        listed: Any = parse_object(document).get("keys")
    except ValueError as exc:
        raise KeysUnavailable from exc
    keys = [key for key in map(admit_key, listed if isinstance(listed, list) else ()) if key]
    ids = [key["kid"] for key in keys]
    known = {key["kid"]: key for key in keys if ids.count(key["kid"]) == 1}
    if not known:
        raise KeysUnavailable
    return known
