"""Parses the compact form of a signed token (RFC 7515, section 7.1) strictly."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import msgspec

from robosignal.protocol.limits import TOKEN_CHARACTERS
from robosignal.server.identity.strict_json import parse_object

PARTS = 3


class TokenParts(msgspec.Struct, frozen=True):
    """The parts of a token. Trust none of them before the signature is verified."""

    header: dict[str, Any]
    claims: dict[str, Any]
    signed: bytes
    """The bytes that are signed."""
    signature: bytes


def parse_token(token: object) -> TokenParts:
    """Return the parts of a token. Raise ValueError unless it is in its one valid form.

    That is at most 8,192 characters, with three parts in unpadded base64url. None is empty, each is
    the canonical encoding of its bytes, and header and claims are strict JSON objects.
    """
    if not isinstance(token, str) or len(token) > TOKEN_CHARACTERS:
        raise ValueError("not a string, or too long")
    parts = token.split(".")
    if len(parts) != PARTS:
        raise ValueError("not three parts")
    header, claims, signature = map(_decode, parts)
    signed = token.rpartition(".")[0].encode("ascii")
    return TokenParts(parse_object(header), parse_object(claims), signed, signature)


def _decode(part: str) -> bytes:
    encoded = part.encode("ascii")
    if not encoded:
        raise ValueError("an empty part")
    decoded = urlsafe_b64decode(encoded + b"=" * (-len(encoded) % 4))
    # Python's decoder skips invalid characters and ignores unused bits, so many texts would decode
    # to one token. Only the canonical encoding is accepted.
    if urlsafe_b64encode(decoded).rstrip(b"=") != encoded:
        raise ValueError("not the one base64url encoding of its bytes")
    return decoded
