"""Loads, while a SnapStart snapshot is taken, what a cold start elsewhere leaves for later.

Owns what the snapshot holds besides the handler itself: all that judging a token takes. Must
never put anything random or secret in it, for every copy of the function begins with the same.
"""

import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from contextlib import suppress

from robosignal.protocol.errors import Unauthorized
from robosignal.server.identity.jwks import StaticKeys
from robosignal.server.identity.tokens import Issuer, verify

NAME = "warm"
BYTES = 256


def warm(environment: Mapping[str, str]) -> None:
    """Judge a token of nobody's when the environment is SnapStart's; else do nothing.

    Of a connection's events only the first bears a token, so where nothing is kept of a start,
    the others shall not wait for the code that judges it.
    """
    if environment.get("AWS_LAMBDA_INITIALIZATION_TYPE") != "snap-start":
        return
    issuer = Issuer(NAME, frozenset({NAME}), StaticKeys({NAME: _key()}))
    with suppress(Unauthorized):
        verify(_token(), (issuer,), now=0)


def _key() -> dict[str, str]:
    """Return a public key that nobody has the private half of: it is no product of primes."""
    modulus = (1 << BYTES * 8 - 1) + 1
    return {"kty": "RSA", "kid": NAME, "n": _b64(modulus.to_bytes(BYTES)), "e": "AQAB"}


def _token() -> str:
    header, claims = {"alg": "RS256", "kid": NAME}, {"iss": NAME}
    parts = (json.dumps(header).encode(), json.dumps(claims).encode(), bytes(BYTES))
    return ".".join(map(_b64, parts))


def _b64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
