"""Finds what a connection request carries: the token, the subprotocol it offers, its origin.

Owns where these may stand and how they are spelled; must never know whether a token is good.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain

from signaling.adapters.events import Values
from signaling.wire.errors import BadMessage, Unauthorized
from signaling.wire.limits import (
    BEARER_PREFIX,
    SUBPROTOCOL,
    TOKEN_CHARACTERS,
    TOKEN_URL_CHARACTERS,
)

AUTHORIZATION = "Authorization"
PROTOCOLS = "Sec-WebSocket-Protocol"
QUERY = "token"

# `Origin: null` is what every sandboxed frame and local file says: nobody in particular.
OPAQUE_ORIGIN = "null"


@dataclass(frozen=True, slots=True)
class Carried:
    """What a connection request carries."""

    token: str = field(repr=False)
    subprotocol: str | None
    """The one subprotocol to select in the reply; None if the client did not offer it."""


def token_from(headers: Values, query: Values) -> Carried:
    """Return the token that a connection request carries, and the subprotocol to select.

    It may stand in `Authorization: Bearer TOKEN`, among the subprotocols
    `robosignal.v1, bearer.TOKEN`, or in the query `token`; the same one in several places, or
    several times in one, is accepted. An empty one, or another scheme than Bearer, counts as none.

    Raise `BadMessage` when two differ, and for `bearer.TOKEN` without `robosignal.v1`: a
    browser drops a connection for which none of its subprotocols is selected, and the token
    is not to be sent back, so that refusal says what the browser would not. Raise
    `Unauthorized` when there is no token, or it is too long for where it stands.
    """
    offered = [word.strip() for value in _values(headers, PROTOCOLS) for word in value.split(",")]
    found = [
        *((AUTHORIZATION, token) for token in _bearers(headers)),
        *((PROTOCOLS, token) for token in _offered_tokens(offered)),
        *((QUERY, token) for token in query.get(QUERY, ()) if token),
    ]
    token = _the_one(found)
    if SUBPROTOCOL not in offered and any(carrier == PROTOCOLS for carrier, _ in found):
        raise BadMessage(PROTOCOLS, f"offer {SUBPROTOCOL} as well: the reply selects it")
    return Carried(token, SUBPROTOCOL if SUBPROTOCOL in offered else None)


def origin_allowed(headers: Values, allowed: frozenset[str] | None) -> bool:
    """Tell whether a request of this `Origin` (RFC 6454) may connect; None allows any.

    An absent one may: it is no browser. A present one must be in `allowed`, character by
    character; `null` never is.
    """
    if allowed is None:
        return True
    return all(
        origin in allowed and origin != OPAQUE_ORIGIN for origin in _values(headers, "Origin")
    )


def _values(headers: Values, name: str) -> Iterator[str]:
    # API Gateway keeps the client's letter case or makes its own, so both are looked for.
    alike = (values for key, values in headers.items() if _is_alike(key, name))
    return chain.from_iterable(alike)


def _is_alike(given: str, name: str) -> bool:
    """Compare ASCII names in any case; what is not ASCII is like none, whatever its lower case."""
    return given.isascii() and given.lower() == name.lower()


def _bearers(headers: Values) -> Iterator[str]:
    for value in _values(headers, AUTHORIZATION):
        scheme, _, token = value.strip().partition(" ")
        if _is_alike(scheme, "Bearer") and token.strip():
            yield token.strip()


def _offered_tokens(offered: list[str]) -> Iterator[str]:
    for word in offered:
        token = word.removeprefix(BEARER_PREFIX)
        if token and token != word:
            yield token


def _the_one(found: list[tuple[str, str]]) -> str:
    if not found:
        raise Unauthorized("no_token")
    for carrier, token in found:
        limit = TOKEN_URL_CHARACTERS if carrier == QUERY else TOKEN_CHARACTERS
        if len(token) > limit:
            raise Unauthorized("token_too_long")
    if len({token for _, token in found}) > 1:
        carriers = " and ".join(dict.fromkeys(carrier for carrier, _ in found))
        raise BadMessage(carriers, "they carry different tokens: send one")
    return found[0][1]
