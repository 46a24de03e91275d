"""What a token says of itself, unverified: only to help whoever was refused.

Knows expiry, issuer and audience; must never be asked whether a token is good, nor for whom.
"""

from collections.abc import Mapping
from typing import Any

from robosignal.server.identity.compact import taken_apart

AUDIENCES = {"access": "client_id", "id": "aud"}
"""Which claim names the audience, by the token's use."""


def claims_of(token: str) -> Mapping[str, Any] | None:
    """Return a token's claims; None if it is no token at all."""
    try:
        return taken_apart(token).claims
    except ValueError:
        return None


def hints(token: str, now_s: int) -> list[str]:
    """Return what of a token may explain that it was refused. `now_s` is in epoch seconds."""
    claims = claims_of(token)
    if claims is None:
        return ["the token: this one is no JWT; pass it whole, without quotes or `Bearer`"]
    return [*_expiry(claims, now_s), _use(claims), _issuer(claims), *_audience(claims)]


def _expiry(claims: Mapping[str, Any], now_s: int) -> list[str]:
    expires = claims.get("exp")
    if type(expires) is not int:
        return ["the token's expiry: the claim `exp` is missing or no whole number"]
    if expires <= now_s:
        return [f"the token's expiry: it ended {_ago(now_s - expires)} ago, so get a new one"]
    issued = claims.get("iat")
    if type(issued) is int and issued > now_s:
        return [f"the clocks: the token was issued {_ago(issued - now_s)} from now"]
    return []


def _use(claims: Mapping[str, Any]) -> str:
    use = claims.get("token_use")
    if use in AUDIENCES:
        return f"the token's signature: it is an {use} token, which its issuer signs with RS256"
    return f"the token's use: `token_use` must be access or id, and this says {_shown(use)}"


def _issuer(claims: Mapping[str, Any]) -> str:
    named = f"the issuer: the token's is {_shown(claims.get('iss'))}"
    return f"{named}, and TOKEN_ISSUER must be exactly that"


def _audience(claims: Mapping[str, Any]) -> list[str]:
    claim = AUDIENCES.get(str(claims.get("token_use")))
    if claim is None:
        return []
    named = f"the audience: the token's `{claim}` is {_shown(claims.get(claim))}"
    return [f"{named}, and TOKEN_AUDIENCES must name it"]


def _shown(value: object) -> str:
    text = str(value) if isinstance(value, str) else "missing"
    return "".join(filter(str.isprintable, text))[:200]


def _ago(seconds: int) -> str:
    for unit, length in (("days", 86400), ("h", 3600), ("min", 60)):
        if seconds >= 2 * length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"
