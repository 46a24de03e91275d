"""Finds the token, the subprotocol and the origin in a connection request."""

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

# Every sandboxed frame and local file sends `Origin: null`, which names no page.
OPAQUE_ORIGIN = "null"

NO_ORIGIN = "none"
"""In place of a list of origins: no page may connect."""

DEFAULT_PORTS = {"http": 80, "https": 443}
MOST_PORT = 65_535

ORIGIN = re.compile(
    r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<host>\[[0-9A-Fa-f:.]+\]|[^/?#@:\s\[\]]*)"
    r"(?::(?P<port>[0-9]{0,9}))?/?"
)
"""A URL with only scheme, host and port (RFC 6454, section 6.2); a final slash is allowed."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """The token of a connection request, and the subprotocol to select."""

    token: str = field(repr=False)
    subprotocol: str | None
    """The subprotocol to select in the reply; None if the client did not offer it."""
    is_in_query: bool = False
    """Whether the token is in the URL, which proxies and logs keep."""


def find_token(headers: Values, query: Values) -> Credentials:
    """Return the token of a connection request, and the subprotocol to select.

    The token is in `Authorization: Bearer TOKEN`, among the subprotocols
    `robosignal.v1, bearer.TOKEN`, or in the query `token`. The same token may be in several places.
    An empty token, or another scheme than Bearer, is ignored.

    Raise `BadMessage` if two tokens differ, and for `bearer.TOKEN` without `robosignal.v1`: a
    browser drops a connection without saying why if none of its subprotocols is selected, and the
    token must not be sent back. Raise `Unauthorized` if there is no token, or if it is too long for
    its place.
    """
    offered = [
        word.strip() for value in _find_values(headers, PROTOCOLS) for word in value.split(",")
    ]
    found = [
        *((AUTHORIZATION, token) for token in _find_bearer_tokens(headers)),
        *((PROTOCOLS, token) for token in _find_subprotocol_tokens(offered)),
        *((QUERY, token) for token in query.get(QUERY, ()) if token),
    ]
    token = _choose_token(found)
    if SUBPROTOCOL not in offered and any(carrier == PROTOCOLS for carrier, _ in found):
        raise BadMessage(PROTOCOLS, f"offer {SUBPROTOCOL} as well: the reply selects it")
    is_in_query = any(carrier == QUERY for carrier, _ in found)
    return Credentials(token, SUBPROTOCOL if SUBPROTOCOL in offered else None, is_in_query)


class OriginRefused(Exception):
    """A page with this origin may not connect. The text is the origin, for the log."""


def find_refused_origin(headers: Values, allowed: frozenset[str] | None) -> str | None:
    """Return the `Origin` (RFC 6454) for which a request is refused; None if there is none.

    `allowed` contains results of `canonicalize_origin`; None allows any origin. A request without
    an origin does not come from a browser, and is allowed. `null` never is.
    """
    if allowed is None:
        return None
    given = _find_values(headers, "Origin")
    return next((each for each in given if each not in allowed or each == OPAQUE_ORIGIN), None)


def canonicalize_origin(text: str) -> str:
    """Return an origin as pages send it in `Origin`, so that the two compare equal.

    Scheme and host are in lower case, the host in ASCII (RFC 6454, section 6.2), and the scheme's
    default port is omitted. Apps have schemes of their own (`capacitor://localhost`, `file://`).
    Raise ValueError with a text that says what to write instead.
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
    host = _canonicalize_host(found["host"])
    if not host and scheme in DEFAULT_PORTS:
        raise ValueError(f"must be origins with a host, not {text!r}")
    port = int(found["port"] or DEFAULT_PORTS.get(scheme, 0))
    if found["port"] and not 1 <= port <= MOST_PORT:
        raise ValueError(f"must have a port from 1 to {MOST_PORT} in {text!r}")
    is_default = not found["port"] or port == DEFAULT_PORTS.get(scheme)
    return f"{scheme}://{host}" + ("" if is_default else f":{port}")


def _canonicalize_host(host: str) -> str:
    """Return a host as browsers write it. Raise ValueError if it is none."""
    if host.startswith("["):
        return f"[{IPv6Address(host[1:-1]).compressed}]"
    if host.isascii():
        return host.lower()
    try:
        # Not in the Lambda's asset: the stack writes its environment in ASCII.
        from idna import IDNAError, encode  # noqa: PLC0415
    except ImportError as error:
        raise ValueError(f"must have {host!r} in ASCII, as browsers send it (xn--...)") from error
    try:
        return encode(host, uts46=True, std3_rules=False).decode()
    except IDNAError as error:
        raise ValueError(f"must have a host name, not {host!r} ({error})") from error


def _find_values(headers: Values, name: str) -> Iterator[str]:
    # API Gateway may change the case of header names.
    alike = (values for key, values in headers.items() if _equals_ignoring_case(key, name))
    return chain.from_iterable(alike)


def _equals_ignoring_case(given: str, name: str) -> bool:
    """Compare ASCII names, ignoring case. A name that is not ASCII equals no other."""
    return given.isascii() and given.lower() == name.lower()


def _find_bearer_tokens(headers: Values) -> Iterator[str]:
    for value in _find_values(headers, AUTHORIZATION):
        scheme, _, token = value.strip().partition(" ")
        if _equals_ignoring_case(scheme, "Bearer") and token.strip():
            yield token.strip()


def _find_subprotocol_tokens(offered: list[str]) -> Iterator[str]:
    for word in offered:
        token = word.removeprefix(BEARER_PREFIX)
        if token and token != word:
            yield token


def _choose_token(found: list[tuple[str, str]]) -> str:
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
