"""Verifies the JSON Web Tokens with which people and robots sign in.

Every rule about tokens is here; python-jose checks only the signature.
"""

import re
import unicodedata
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import msgspec

from robosignal.protocol.errors import TryAgain, Unauthorized
from robosignal.protocol.ids import UserId
from robosignal.protocol.limits import NAME_CHARACTERS, USER_PATTERN
from robosignal.server.identity.compact import TokenParts, parse_token
from robosignal.server.ports import Jwk, KeySource, KeysUnavailable

ALGORITHM = "RS256"
LIFETIME_SECONDS = 24 * 60 * 60
AHEAD_SECONDS = 60
"""How many seconds an issuer's clock may be ahead of the server's."""

GROUPS = 100
GROUP_CHARACTERS = 128
"""Cognito's quotas: 100 groups for a user, names of 128 characters. Others are ignored."""

NAME_CLAIMS = ("name", "cognito:username", "username")

# `crit` and `b64` change the meaning of the signature, `zip` that of the payload. The others supply
# the key to verify with, which would be a forger's own (RFC 8725, sections 3.1 and 3.10).
REFUSED_HEADERS = frozenset({"crit", "b64", "zip", "jwk", "jku", "x5u", "x5c"})

_USER = re.compile(USER_PATTERN)
# Control characters, line separators, and lone surrogates, which cannot be encoded.
_NO_NAME = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029\\ud800-\\udfff]")
# RFC 6749, section 3.3. No scope is required, but a malformed one is refused.
_SCOPE = re.compile(r"(?:[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*)?")


# Amazon Cognito API reference, IssuerConfigurationType: a pool's issuer has one of two forms,
# ORIGINAL or UPDATED, and may be switched between them. Its id begins with its Region.
_POOL = re.compile(r"https://(?:issuer-)?(cognito-idp\.([a-z0-9-]+)\.[a-z.]+/\2_[A-Za-z0-9]+)")
_ALIAS = re.compile(r"[a-z0-9-]{1,16}")


@dataclass(frozen=True, slots=True)
class Issuer:
    """A trusted token issuer, for certain audiences.

    Raise ValueError if `issuer`, `audiences` or an audience is empty, or if `alias` is not 1 to 16
    of the characters a to z, 0 to 9 and -.
    """

    issuer: str
    """The claim `iss`; for a Cognito pool, either of its two forms."""
    audiences: frozenset[str]
    """What `client_id` of an access token, or `aud` of an ID token, may be."""
    keys: KeySource
    alias: str | None = None
    """The namespace of its users and groups: `alice` is `ALIAS/alice`. None: no namespace."""

    def __post_init__(self) -> None:
        if not self.issuer or not self.audiences or "" in self.audiences:
            raise ValueError("an issuer needs its `iss` and at least one audience, none empty")
        if self.alias is not None and not _ALIAS.fullmatch(self.alias):
            raise ValueError(f"an issuer's alias is 1 to 16 of a to z, 0 to 9 and -: {self.alias}")

    @property
    def prefix(self) -> str:
        """The prefix of its users' ids and its groups' names."""
        return "" if self.alias is None else f"{self.alias}/"


def check_issuers(*issuers: Issuer) -> tuple[Issuer, ...]:
    """Return these issuers; raise ValueError if two share their `iss` or their namespace."""
    if len({_normalize(each.issuer) for each in issuers}) < len(issuers):
        raise ValueError("two issuers have the same `iss`")
    if len({each.alias for each in issuers}) < len(issuers):
        raise ValueError("each issuer but one needs an alias, and each a different one")
    return issuers


def _normalize(issuer: str) -> str:
    """Return the original form of a Cognito pool's issuer; any other issuer unchanged."""
    pool = _POOL.fullmatch(issuer)
    return issuer if pool is None else f"https://{pool[1]}"


class Identity(msgspec.Struct, frozen=True):
    """The user of a verified token."""

    user_id: UserId
    name: str | None
    """For display only: people choose their names."""
    groups: tuple[str, ...]
    expires_at: int
    """Epoch milliseconds."""


def verify(token: object, issuers: Sequence[Issuer], now: int) -> Identity:
    """Return the user of this token, if one of these issuers signed it and it is valid now.

    `now` is in epoch ms. Access and ID tokens (claim `token_use`) with RS256 are accepted. There is
    no leeway after the expiry, because the connection ends there too. Raise `Unauthorized` for
    everything else; its reason is for the log. Raise `TryAgain` if the issuer's keys cannot be
    fetched, or if the token's key may be newer than the known ones, because a robot that was
    refused would give up.
    """
    parts = _parse(token)
    issuer = _find_issuer(parts.claims, issuers)
    _check_signature(parts, _find_key(parts.header, issuer.keys))
    others = tuple(each.prefix for each in issuers if each.prefix not in ("", issuer.prefix))
    return _read_identity(parts.claims, issuer, others, now)


def find_named_key(token: object, issuers: Sequence[Issuer]) -> tuple[KeySource, str] | None:
    """Return source and id of the key that this token names; None if it names no usable key."""
    try:
        parts = _parse(token)
        return _find_issuer(parts.claims, issuers).keys, parts.header["kid"]
    except Unauthorized:
        return None


def prefetch(token: object, issuers: Sequence[Issuer]) -> None:
    """Fetch the key that this token names, so that `verify` need not.

    It may block as long as the issuer's `KeySource` does, and raises nothing. For a caller that
    must not block in `verify`.
    """
    named = find_named_key(token, issuers)
    if named is not None:
        keys, kid = named
        with suppress(KeysUnavailable):
            keys.key(kid)


def _parse(token: object) -> TokenParts:
    try:
        parts = parse_token(token)
    except ValueError as exc:
        raise Unauthorized("malformed") from exc
    header = parts.header
    _require("alg", header.get("alg") == ALGORITHM)
    _require("header", REFUSED_HEADERS.isdisjoint(header))
    _require("kid", isinstance(header.get("kid"), str))
    return parts


def _require(reason: str, holds: bool) -> None:  # noqa: FBT001 - the two read as a sentence
    if not holds:
        raise Unauthorized(reason)


def _find_issuer(claims: Mapping[str, Any], issuers: Sequence[Issuer]) -> Issuer:
    named = claims.get("iss")
    if isinstance(named, str):
        for issuer in issuers:
            if _normalize(issuer.issuer) == _normalize(named):
                return issuer
    raise Unauthorized("iss")


def _find_key(header: Mapping[str, Any], keys: KeySource) -> Jwk:
    try:
        key = keys.key(header["kid"])
    except KeysUnavailable as exc:
        raise TryAgain from exc
    if key is None:
        raise Unauthorized("kid")
    return key


def _check_signature(parts: TokenParts, key: Jwk) -> None:
    # Imported here, because only `$connect` has a token: other events that start a cold Lambda
    # must not wait for the library.
    from jose import jwk  # noqa: PLC0415
    from jose.exceptions import JOSEError  # noqa: PLC0415

    # The library gets one RSA key and one algorithm, and checks only the signature. If it got the
    # token itself, the token could choose among keys and algorithms.
    public = {"kty": key.get("kty"), "n": key.get("n"), "e": key.get("e")}
    try:
        genuine = jwk.construct(public, ALGORITHM).verify(parts.signed, parts.signature)
    except (JOSEError, ValueError, TypeError) as exc:
        raise Unauthorized("key") from exc
    _require("signature", genuine)


def _read_identity(
    claims: Mapping[str, Any], issuer: Issuer, others: tuple[str, ...], now: int
) -> Identity:
    """Return the user of the claims; `others` are the prefixes of the other issuers."""
    _check_audience(claims, issuer.audiences)
    expires_at = _read_expiry(claims, now)
    scope = claims.get("scope", "")
    _require("scope", isinstance(scope, str) and _SCOPE.fullmatch(scope) is not None)
    named = claims.get("sub")
    if not isinstance(named, str) or not _USER.match(named):
        raise Unauthorized("sub")
    user = issuer.prefix + named
    _require("sub", _USER.match(user) is not None and not user.startswith(others))
    groups = (issuer.prefix + group for group in _read_groups(claims))
    mine = tuple(group for group in groups if not group.startswith(others))
    return Identity(UserId(user), _read_name(claims), mine, expires_at)


def _check_audience(claims: Mapping[str, Any], audiences: frozenset[str]) -> None:
    # A Cognito access token has no `aud`, and an ID token no `client_id`. Each kind is checked by
    # its own claim, so that neither can pass for the other.
    match claims.get("token_use"):
        case "access":
            audience = claims.get("client_id")
        case "id":
            audience = claims.get("aud")
        case _:
            raise Unauthorized("token_use")
    _require("audience", isinstance(audience, str) and audience in audiences)


def _read_expiry(claims: Mapping[str, Any], now: int) -> int:
    """Check all claims about time, and return the expiry in epoch ms."""
    expires, issued = _read_seconds(claims, "exp"), _read_seconds(claims, "iat")
    # RFC 7519, section 4.1.5, allows for clock skew.
    latest = now + AHEAD_SECONDS * 1000
    _require("expired", now < expires * 1000)
    _require("iat", issued * 1000 <= latest)
    _require("lifetime", 0 <= expires - issued <= LIFETIME_SECONDS)
    if "nbf" in claims:
        _require("nbf", _read_seconds(claims, "nbf") * 1000 <= latest)
    return expires * 1000


def _read_seconds(claims: Mapping[str, Any], claim: str) -> int:
    value = claims.get(claim)
    # Not isinstance, because `true` is an int in Python.
    if type(value) is not int:
        raise Unauthorized(claim)
    return value


def _read_name(claims: Mapping[str, Any]) -> str | None:
    for claim in NAME_CLAIMS:
        value = claims.get(claim)
        if isinstance(value, str):
            name = _clean_name(value)
            if 0 < len(name) <= NAME_CHARACTERS:
                return name
    return None


_BLANKS = re.compile(
    r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\uffa0\ufe00-\ufe0f"
    r"\U000e0100-\U000e01ef]"
)
"""Printable characters that show nothing (Unicode's Default_Ignorable_Code_Point, and the braille
pattern without dots)."""

MARKS = 4
"""How many combining marks a letter may have. More would cover the lines above and below."""


def _clean_name(text: str) -> str:
    """Return the text on one line, in Unicode's form NFKC, without invisible characters.

    Those could reverse the line (bidirectional marks), split it, or fail to encode (lone
    surrogates) on another person's page. Return "" for a text without a letter or digit.
    """
    one_line = " ".join(unicodedata.normalize("NFKC", _BLANKS.sub("", text)).split())
    shown = "".join(filter(str.isprintable, _BLANKS.sub("", one_line))).strip()
    if not any(unicodedata.category(each)[0] in "LN" for each in shown):
        return ""
    return "".join(
        each
        for place, each in enumerate(shown)
        if not _has_enough_marks(shown[:place]) or not _is_mark(each)
    )


def _is_mark(character: str) -> bool:
    return unicodedata.category(character)[0] == "M"


def _has_enough_marks(before: str) -> bool:
    return len(before) >= MARKS and all(map(_is_mark, before[-MARKS:]))


def _read_groups(claims: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the first groups with valid names; an invalid one does not affect the others."""
    groups = claims.get("cognito:groups", [])
    _require("groups", isinstance(groups, list))
    return tuple(filter(_is_group, groups))[:GROUPS]


def _is_group(group: object) -> bool:
    # Not `isprintable`: Python's Unicode tables may lack letters that people use.
    return (
        isinstance(group, str)
        and 0 < len(group) <= GROUP_CHARACTERS
        and _NO_NAME.search(group) is None
    )
