"""Takes a signed token's compact form apart (RFC 7515, section 7.1), as strictly as it is defined.

Owns the shape of a token; must never know its claims, its issuer or whether its signature holds.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from typing import Any

import msgspec

from robosignal.protocol.limits import TOKEN_CHARACTERS
from robosignal.server.identity.strict_json import parse_object

PARTS = 3


class Parts(msgspec.Struct, frozen=True):
    """What a token says of itself. Nothing here is to be trusted before its signature is."""

    header: dict[str, Any]
    claims: dict[str, Any]
    signed: bytes
    """What the signature is over."""
    signature: bytes


def taken_apart(token: object) -> Parts:
    """Return the parts of a token; raise ValueError unless it has exactly one way to be written.

    That is: at most 8,192 characters; three parts of unpadded base64url, none empty, each the
    one encoding of its bytes; header and claims strict JSON objects.
    """
    if not isinstance(token, str) or len(token) > TOKEN_CHARACTERS:
        raise ValueError("not a string, or too long")
    parts = token.split(".")
    if len(parts) != PARTS:
        raise ValueError("not three parts")
    header, claims, signature = map(_decoded, parts)
    signed = token.rpartition(".")[0].encode("ascii")
    return Parts(parse_object(header), parse_object(claims), signed, signature)


def _decoded(part: str) -> bytes:
    encoded = part.encode("ascii")
    if not encoded:
        raise ValueError("an empty part")
    decoded = urlsafe_b64decode(encoded + b"=" * (-len(encoded) % 4))
    # Python's decoder skips what is no base64 and ignores unused bits, so that many texts
    # would pass for one token. Only the text that encoding yields is the token.
    if urlsafe_b64encode(decoded).rstrip(b"=") != encoded:
        raise ValueError("not the one base64url encoding of its bytes")
    return decoded
