"""Finds what a connection request carries: the token, the subprotocol it offers, its origin.

Owns where these may stand and how they are spelled; must never know whether a token is good.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from itertools import chain

from robosignal.protocol.errors import BadMessage, Unauthorized
from robosignal.protocol.limits import (
    BEARER_PREFIX,
    SUBPROTOCOL,
    TOKEN_CHARACTERS,
    TOKEN_URL_CHARACTERS,
)
from robosignal.server.events import Values

AUTHORIZATION = "Authorization"
PROTOCOLS = "Sec-WebSocket-Protocol"
QUERY = "token"

# `Origin: null` is what every sandboxed frame and local file says: it names no page.
OPAQUE_ORIGIN = "null"

NO_ORIGIN = "none"
"""Instead of a list of origins: no page may connect."""

DEFAULT_PORTS = {"http": 80, "https": 443}
MOST_PORT = 65_535

ORIGIN = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<host>\[[0-9A-Fa-f:.]+\]|[^/?#@:\s\[\]]*)"
    r"(?::(?P<port>[0-9]{0,9}))?/?"
)
"""A URL of scheme, host and port alone (RFC 6454, section 6.2), with or without a last slash."""


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


class OriginRefused(Exception):
    """A page of this origin may not connect. The text is the origin, for the log."""


def refused_origin(headers: Values, allowed: frozenset[str] | None) -> str | None:
    """Return the `Origin` (RFC 6454) of a request that may not connect for it, else None.

    `allowed` holds what `canonical_origin` returns; None allows any. A request without an origin
    comes from no browser, and may connect. An origin must be in `allowed`, character by
    character; `null` never is.
    """
    if allowed is None:
        return None
    given = _values(headers, "Origin")
    return next((each for each in given if each not in allowed or each == OPAQUE_ORIGIN), None)


def canonical_origin(text: str) -> str:
    """Return an origin as its pages send it in `Origin`, so that both compare equal.

    Scheme and host are in small letters, the host in ASCII (RFC 6454, section 6.2), and a port
    that is the scheme's own is left out. `text` may be of any scheme, as apps have their own
    (`capacitor://localhost`, `file://`). Raise ValueError saying what to write instead.
    """
    if "*" in text:
        raise ValueError(
            f"must name each origin in full, not {text!r}: leave it out to let any page connect"
        )
    found = ORIGIN.fullmatch(text)
    if found is None:
        raise ValueError(f"must be origins such as https://drive.example.com, not {text!r}")
    scheme = found["scheme"].lower()
    if scheme in ("ws", "wss"):
        raise ValueError(f"must name the page, whose origin is http:// or https://, not {text!r}")
    host = _canonical_host(found["host"])
    if not host and scheme in DEFAULT_PORTS:
        raise ValueError(f"must be origins with a host, not {text!r}")
    port = int(found["port"] or DEFAULT_PORTS.get(scheme, 0))
    if found["port"] and not 1 <= port <= MOST_PORT:
        raise ValueError(f"must have a port from 1 to {MOST_PORT} in {text!r}")
    is_default = not found["port"] or port == DEFAULT_PORTS.get(scheme)
    return f"{scheme}://{host}" + ("" if is_default else f":{port}")


def _canonical_host(host: str) -> str:
    """Return a host as a browser spells it. Raise ValueError for one that is none."""
    if host.startswith("["):
        return f"[{IPv6Address(host[1:-1]).compressed}]"
    if host.isascii():
        return host.lower()
    try:
        # Not in the Lambda's asset, whose environment the stack writes in ASCII.
        from idna import IDNAError, encode  # noqa: PLC0415
    except ImportError as error:
        raise ValueError(f"must have {host!r} in ASCII, as browsers send it (xn--...)") from error
    try:
        return encode(host, uts46=True, std3_rules=False).decode()
    except IDNAError as error:
        raise ValueError(f"must have a host name, not {host!r} ({error})") from error


def _values(headers: Values, name: str) -> Iterator[str]:
    # API Gateway keeps the client's letter case or makes its own, so both are looked for.
    alike = (values for key, values in headers.items() if _is_alike(key, name))
    return chain.from_iterable(alike)


def _is_alike(given: str, name: str) -> bool:
    """Compare ASCII names in any case; other text matches no name."""
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
