"""Verifies the assertions with which robots connect, and the proofs of their new keys.

An assertion is a JSON Web Token (RFC 7519) that a robot signs with its own key for each connection,
as RFC 7523 has clients do. Its header `typ` keeps it apart from users' tokens before any key is
looked at (RFC 8725, sections 3.11 and 3.12). Every rule about it is here; python-jose checks only
the signature.
"""

import re
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

import msgspec

from robosignal.protocol import limits
from robosignal.protocol.device_keys import (
    ALGORITHM,
    ASSERTION_TYPE,
    COORDINATE_PATTERN,
    ROTATION_TYPE,
    SUBJECT_PREFIX,
    PublicKey,
)
from robosignal.protocol.errors import Unauthorized
from robosignal.protocol.ids import ConnectionId, RobotId
from robosignal.server.core.records import Assertion, Enrolment
from robosignal.server.identity.compact import TokenParts, parse_token

SIGNATURE_BYTES = 64
"""Two numbers of 32 bytes (RFC 7518, section 3.4). The form DER is another, and refused."""

LATE_SECONDS = limits.ASSERTION_BEHIND_SECONDS - limits.ASSERTION_SECONDS
"""How long after its `exp` an assertion is accepted, because the robot's clock may be behind."""

REFUSED_HEADERS = frozenset({"crit", "b64", "zip", "jwk", "jku", "x5u", "x5c", "x5t", "x5t#S256"})

_KID = re.compile(COORDINATE_PATTERN)
_HASH = re.compile(COORDINATE_PATTERN)
_JTI = re.compile(r"[A-Za-z0-9_-]{22}")
_ROBOT_ID = re.compile(limits.ID_PATTERN)

# A key that no robot has: an unknown robot's assertion costs the same work as a known one's.
_DECOY = PublicKey(
    "EC",
    "P-256",
    "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
)


class Unverified(msgspec.Struct, frozen=True):
    """An assertion whose rules hold, but whose signature is not checked yet."""

    assertion: Assertion
    parts: TokenParts


def is_assertion(token: str) -> bool:
    """Say whether a token is a robot's assertion, by its header `typ`."""
    with suppress(ValueError):
        return parse_token(token).header.get("typ") == ASSERTION_TYPE
    return False


def read_assertion(token: str, audiences: frozenset[str], now: int) -> Unverified:
    """Return what an assertion says, if it is for one of these audiences and valid now.

    `now` is in epoch ms. Raise Unauthorized for everything else; its reason is for the log.
    """
    parts = _parse(token, ASSERTION_TYPE)
    claims, kid = parts.claims, parts.header["kid"]
    robot_id = _read_robot_id(claims)
    _require("aud", isinstance(claims.get("aud"), str) and claims["aud"] in audiences)
    iat = _read_times(claims, now)
    jti = _read_text(claims, "jti", _JTI)
    enrolment = _read_enrolment(claims) if "code" in claims or "cnf" in claims else None
    _require("cnf", enrolment is None or enrolment.public_key.kid == kid)
    _require("sub", robot_id is not None or enrolment is not None)
    assertion = Assertion(robot_id=robot_id, kid=kid, iat=iat, jti=jti, enrolment=enrolment)
    return Unverified(assertion, parts)


def check_signature(unverified: Unverified, key: PublicKey | None) -> Assertion:
    """Return the assertion if this key has signed it.

    Raise Unauthorized otherwise, with the same work done if there is no key.
    """
    is_genuine = _has_signed(key or _DECOY, unverified.parts)
    _require("key", key is not None)
    _require("signature", is_genuine)
    return unverified.assertion


def check_rotation(
    proof: str, key: PublicKey, robot_id: RobotId | None, connection: ConnectionId
) -> None:
    """Check that this key has signed the proof, for this robot and connection, now.

    Raise Unauthorized otherwise. The connection makes the proof useless anywhere else.
    """
    parts = _parse(proof, ROTATION_TYPE)
    said = {"robotId": robot_id, "connectionId": connection, "kid": key.kid}
    _require("proof", parts.claims == said and parts.header["kid"] == key.kid)
    _require("signature", _has_signed(key, parts))


def _parse(token: str, expected_type: str) -> TokenParts:
    try:
        parts = parse_token(token)
    except ValueError as exc:
        raise Unauthorized("malformed") from exc
    header = parts.header
    _require("typ", header.get("typ") == expected_type)
    _require("alg", header.get("alg") == ALGORITHM)
    _require("header", REFUSED_HEADERS.isdisjoint(header))
    _require("kid", isinstance(header.get("kid"), str) and bool(_KID.fullmatch(header["kid"])))
    _require("signature", len(parts.signature) == SIGNATURE_BYTES)
    return parts


def _require(reason: str, holds: bool) -> None:  # noqa: FBT001 - the two read as a sentence
    if not holds:
        raise Unauthorized(f"assertion {reason}")


def _read_robot_id(claims: Mapping[str, Any]) -> RobotId | None:
    """Return the robot of `iss` and `sub`, which are equal; None if they name none."""
    subject = claims.get("sub")
    _require("iss", subject == claims.get("iss"))
    _require("sub", isinstance(subject, str) and subject.startswith(SUBJECT_PREFIX))
    robot_id = str(subject).removeprefix(SUBJECT_PREFIX)
    _require("sub", robot_id == "" or _ROBOT_ID.fullmatch(robot_id) is not None)
    return RobotId(robot_id) if robot_id else None


def _read_times(claims: Mapping[str, Any], now: int) -> int:
    """Check the claims about time, and return `iat`, in epoch seconds."""
    issued, expires = _read_seconds(claims, "iat"), _read_seconds(claims, "exp")
    _require("lifetime", 0 < expires - issued <= limits.ASSERTION_SECONDS)
    _require("iat", issued * 1000 <= now + limits.ASSERTION_AHEAD_SECONDS * 1000)
    _require("expired", now < (expires + LATE_SECONDS) * 1000)
    return issued


def _read_seconds(claims: Mapping[str, Any], claim: str) -> int:
    value = claims.get(claim)
    # Not isinstance, because `true` is an int in Python.
    if type(value) is not int:
        raise Unauthorized(f"assertion {claim}")
    return value


def _read_text(claims: Mapping[str, Any], claim: str, pattern: re.Pattern[str]) -> str:
    value = claims.get(claim)
    if not isinstance(value, str) or pattern.fullmatch(value) is None:
        raise Unauthorized(f"assertion {claim}")
    return value


def _read_enrolment(claims: Mapping[str, Any]) -> Enrolment:
    """Return the code's hash, and the key of `cnf` (RFC 7800, section 3.2)."""
    code_hash = _read_text(claims, "code", _HASH)
    try:
        key = msgspec.convert(claims.get("cnf"), dict[str, PublicKey])["jwk"]
    except (msgspec.ValidationError, KeyError) as exc:
        raise Unauthorized("assertion cnf") from exc
    return Enrolment(code_hash=code_hash, public_key=key)


def _has_signed(key: PublicKey, parts: TokenParts) -> bool:
    # Imported here, because only `$connect` has a token: other events that start a cold Lambda
    # must not wait for the library.
    from jose import jwk  # noqa: PLC0415
    from jose.exceptions import JOSEError  # noqa: PLC0415

    # The library gets one key and one algorithm, and checks only the signature.
    try:
        public = jwk.construct(msgspec.to_builtins(key), ALGORITHM)
        return bool(public.verify(parts.signed, parts.signature))
    except (JOSEError, ValueError, TypeError) as exc:
        # Coordinates that are no point of the curve.
        raise Unauthorized("assertion key") from exc
