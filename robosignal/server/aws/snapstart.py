"""Loads the JWT code while SnapStart takes its snapshot, so that no cold start has to.

Every copy of the function starts from the same snapshot, so nothing random or secret may be in it.
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


def warm_up(environment: Mapping[str, str]) -> None:
    """Under SnapStart, verify a dummy token so that the JWT code is in the snapshot.

    Elsewhere do nothing: only `$connect` has a token, and the other events must not wait for code
    that they do not use.
    """
    if environment.get("AWS_LAMBDA_INITIALIZATION_TYPE") != "snap-start":
        return
    issuer = Issuer(NAME, frozenset({NAME}), StaticKeys({NAME: _key()}))
    with suppress(Unauthorized):
        verify(_token(), (issuer,), now=0)


def _key() -> dict[str, str]:
    """Return a public key without a private one: its modulus is no product of two primes."""
    modulus = (1 << BYTES * 8 - 1) + 1
    return {"kty": "RSA", "kid": NAME, "n": _b64(modulus.to_bytes(BYTES)), "e": "AQAB"}


def _token() -> str:
    header, claims = {"alg": "RS256", "kid": NAME}, {"iss": NAME}
    parts = (json.dumps(header).encode(), json.dumps(claims).encode(), bytes(BYTES))
    return ".".join(map(_b64, parts))


def _b64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
