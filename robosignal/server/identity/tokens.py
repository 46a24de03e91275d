"""Verifies the JSON Web Tokens with which people and robots sign in.

Owns every rule about tokens, and is the only user of the JWT library in verification; must
never know how a token arrived, where keys come from, or what its bearer may do.
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
from robosignal.server.identity.compact import Parts, taken_apart
from robosignal.server.ports import Jwk, KeySource, KeysUnavailable

ALGORITHM = "RS256"
LIFETIME_SECONDS = 24 * 60 * 60
AHEAD_SECONDS = 60
"""How far an issuer's clock may be ahead of ours."""

GROUPS = 100
GROUP_CHARACTERS = 128
"""Cognito's quotas: 100 groups a user, names of 128 characters. The rest is left out."""

NAME_CLAIMS = ("name", "cognito:username", "username")

# `crit` and `b64` change what a signature means, `zip` what a payload is; the others bring
# along the key to check it with, which is the forger's own (RFC 8725, sections 3.1 and 3.10).
REFUSED_HEADERS = frozenset({"crit", "b64", "zip", "jwk", "jku", "x5u", "x5c"})

_USER = re.compile(USER_PATTERN)
# Control characters, line separators, and lone surrogates, which cannot be encoded.
_NO_NAME = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u2028\\u2029\\ud800-\\udfff]")
# RFC 6749, section 3.3. Nothing here asks for a scope, but a malformed one is no scope at all.
_SCOPE = re.compile(r"(?:[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*)?")


# Amazon Cognito API reference, IssuerConfigurationType: a pool is one issuer of either type,
# ORIGINAL or UPDATED, and may be switched. Its id begins with its Region.
_POOL = re.compile(r"https://(?:issuer-)?(cognito-idp\.([a-z0-9-]+)\.[a-z.]+/\2_[A-Za-z0-9]+)")
_ALIAS = re.compile(r"[a-z0-9-]{1,16}")


@dataclass(frozen=True, slots=True)
class Issuer:
    """One token issuer that is trusted, for these audiences only.

    Raise ValueError if `issuer` or `audiences` is empty, or an audience is, or `alias` is not 1
    to 16 of a to z, 0 to 9 and -.
    """

    issuer: str
    """The claim `iss`, character by character; either of a Cognito pool's two spellings."""
    audiences: frozenset[str]
    """What `client_id` of an access token, or `aud` of an ID token, may be."""
    keys: KeySource
    alias: str | None = None
    """The namespace of its users and groups: `alice` is `ALIAS/alice`; None: just `alice`."""

    def __post_init__(self) -> None:
        if not self.issuer or not self.audiences or "" in self.audiences:
            raise ValueError("an issuer needs its `iss` and at least one audience, none empty")
        if self.alias is not None and not _ALIAS.fullmatch(self.alias):
            raise ValueError(f"an issuer's alias is 1 to 16 of a to z, 0 to 9 and -: {self.alias}")

    @property
    def prefix(self) -> str:
        """What the ids of its users, and the names of its groups, begin with."""
        return "" if self.alias is None else f"{self.alias}/"


def check_issuers(*issuers: Issuer) -> tuple[Issuer, ...]:
    """Return these issuers; raise ValueError if two share their `iss` or their namespace."""
    if len({_normalize(each.issuer) for each in issuers}) < len(issuers):
        raise ValueError("two issuers have the same `iss`")
    if len({each.alias for each in issuers}) < len(issuers):
        raise ValueError("each issuer but one needs an alias, and each a different one")
    return issuers


def _normalize(issuer: str) -> str:
    """Return the first spelling of a Cognito pool's issuer; any other issuer as it is."""
    pool = _POOL.fullmatch(issuer)
    return issuer if pool is None else f"https://{pool[1]}"


class Identity(msgspec.Struct, frozen=True):
    """Whom a verified token names."""

    user_id: UserId
    name: str | None
    """For display only, never to decide by: people choose their names."""
    groups: tuple[str, ...]
    expires_at: int
    """Epoch milliseconds."""


def verify(token: object, issuers: Sequence[Issuer], now: int) -> Identity:
    """Return whom this token names, if one of these issuers signed it and it holds `now`.

    `now` is in epoch milliseconds. Access and ID tokens (the claim `token_use`) of RS256 are
    accepted. There is no leeway at the expiry, since the connection ends there as well. Raise
    `Unauthorized` for everything else; its reason is for the log. Raise `TryAgain` when the
    issuer's keys are out of reach, or may be newer than those at hand, so that nothing can be
    said of the token: a robot that took that for a refusal would give up for good.
    """
    parts = _opened(token)
    issuer = _issuer(parts.claims, issuers)
    _signature(parts, _key(parts.header, issuer.keys))
    others = tuple(each.prefix for each in issuers if each.prefix not in ("", issuer.prefix))
    return _identity(parts.claims, issuer, others, now)


def key_named(token: object, issuers: Sequence[Issuer]) -> tuple[KeySource, str] | None:
    """Return source and id of the key that this token names; None if no key can verify it."""
    try:
        parts = _opened(token)
        return _issuer(parts.claims, issuers).keys, parts.header["kid"]
    except Unauthorized:
        return None


def prefetch(token: object, issuers: Sequence[Issuer]) -> None:
    """Let the issuer that this token names get the key that it names, if that takes a fetch.

    May block for as long as the issuer's `KeySource` does, and raises nothing: `verify`,
    called next, finds the key or refuses at once. It is for a caller that must not block there.
    """
    named = key_named(token, issuers)
    if named is not None:
        keys, kid = named
        with suppress(KeysUnavailable):
            keys.key(kid)


def _opened(token: object) -> Parts:
    try:
        parts = taken_apart(token)
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


def _issuer(claims: Mapping[str, Any], issuers: Sequence[Issuer]) -> Issuer:
    named = claims.get("iss")
    if isinstance(named, str):
        for issuer in issuers:
            if _normalize(issuer.issuer) == _normalize(named):
                return issuer
    raise Unauthorized("iss")


def _key(header: Mapping[str, Any], keys: KeySource) -> Jwk:
    try:
        key = keys.key(header["kid"])
    except KeysUnavailable as exc:
        raise TryAgain from exc
    if key is None:
        raise Unauthorized("kid")
    return key


def _signature(parts: Parts, key: Jwk) -> None:
    # Imported here: of a connection's events only the first bears a token, and the others
    # must not pay for the library when they meet a cold Lambda.
    from jose import jwk  # noqa: PLC0415
    from jose.exceptions import JOSEError  # noqa: PLC0415

    # The library gets one RSA key and one algorithm, and judges nothing but the signature.
    # Handed the token itself, it would let the token choose among its keys and algorithms.
    public = {"kty": key.get("kty"), "n": key.get("n"), "e": key.get("e")}
    try:
        genuine = jwk.construct(public, ALGORITHM).verify(parts.signed, parts.signature)
    except (JOSEError, ValueError, TypeError) as exc:
        raise Unauthorized("key") from exc
    _require("signature", genuine)


def _identity(
    claims: Mapping[str, Any], issuer: Issuer, others: tuple[str, ...], now: int
) -> Identity:
    """Return whom the claims name; `others` begin what names users and groups of other issuers."""
    _audience(claims, issuer.audiences)
    expires_at = _expiry(claims, now)
    scope = claims.get("scope", "")
    _require("scope", isinstance(scope, str) and _SCOPE.fullmatch(scope) is not None)
    named = claims.get("sub")
    if not isinstance(named, str) or not _USER.match(named):
        raise Unauthorized("sub")
    user = issuer.prefix + named
    _require("sub", _USER.match(user) is not None and not user.startswith(others))
    groups = (issuer.prefix + group for group in _groups(claims))
    mine = tuple(group for group in groups if not group.startswith(others))
    return Identity(UserId(user), _name(claims), mine, expires_at)


def _audience(claims: Mapping[str, Any], audiences: frozenset[str]) -> None:
    # A Cognito access token has no `aud`; an ID token has no `client_id`. Each kind is held
    # to its own claim, so that neither passes for the other.
    match claims.get("token_use"):
        case "access":
            audience = claims.get("client_id")
        case "id":
            audience = claims.get("aud")
        case _:
            raise Unauthorized("token_use")
    _require("audience", isinstance(audience, str) and audience in audiences)


def _expiry(claims: Mapping[str, Any], now: int) -> int:
    """Return the expiry in epoch ms, after judging all that the claims say of time."""
    expires, issued = _seconds(claims, "exp"), _seconds(claims, "iat")
    # RFC 7519, section 4.1.5: an issuer's clock may be ahead of ours.
    latest = now + AHEAD_SECONDS * 1000
    _require("expired", now < expires * 1000)
    _require("iat", issued * 1000 <= latest)
    _require("lifetime", 0 <= expires - issued <= LIFETIME_SECONDS)
    if "nbf" in claims:
        _require("nbf", _seconds(claims, "nbf") * 1000 <= latest)
    return expires * 1000


def _seconds(claims: Mapping[str, Any], claim: str) -> int:
    value = claims.get(claim)
    # Not isinstance: `true` is an int to Python.
    if type(value) is not int:
        raise Unauthorized(claim)
    return value


def _name(claims: Mapping[str, Any]) -> str | None:
    for claim in NAME_CLAIMS:
        value = claims.get(claim)
        if isinstance(value, str):
            name = _legible(value)
            if 0 < len(name) <= NAME_CHARACTERS:
                return name
    return None


_BLANKS = re.compile(
    r"[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\uffa0\ufe00-\ufe0f"
    r"\U000e0100-\U000e01ef]"
)
"""Characters that count as printable and show nothing (Unicode's Default_Ignorable_Code_Point,
and the braille pattern without dots)."""

MARKS = 4
"""How many combining marks a letter may have; more would cover the lines above and below."""


def _legible(text: str) -> str:
    """Return the text on one line in Unicode's form NFKC, without invisible characters.

    Those could turn the line around (bidirectional marks), split it, or not be encodable at
    all (lone surrogates); a person's name must do none of that to another person's page. A text
    without a letter or digit is no name: return "" then.
    """
    one_line = " ".join(unicodedata.normalize("NFKC", _BLANKS.sub("", text)).split())
    shown = "".join(filter(str.isprintable, _BLANKS.sub("", one_line))).strip()
    if not any(unicodedata.category(each)[0] in "LN" for each in shown):
        return ""
    return "".join(
        each
        for place, each in enumerate(shown)
        if not _is_marked(shown[:place]) or not _is_mark(each)
    )


def _is_mark(character: str) -> bool:
    return unicodedata.category(character)[0] == "M"


def _is_marked(before: str) -> bool:
    return len(before) >= MARKS and all(map(_is_mark, before[-MARKS:]))


def _groups(claims: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the first groups with usable names; an unusable one does not affect the others."""
    groups = claims.get("cognito:groups", [])
    _require("groups", isinstance(groups, list))
    return tuple(filter(_is_group, groups))[:GROUPS]


def _is_group(group: object) -> bool:
    # Not `isprintable`: Python's tables of letters are older than some that people write with.
    return (
        isinstance(group, str)
        and 0 < len(group) <= GROUP_CHARACTERS
        and _NO_NAME.search(group) is None
    )
