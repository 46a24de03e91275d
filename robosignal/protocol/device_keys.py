"""A robot's public key: its id, its fingerprint, and the codes that enrol it.

Robot and server must agree on these byte for byte, so both use this module.
"""

import re
from base64 import b32encode, urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from typing import Annotated, Literal

from msgspec import Meta, Struct

COORDINATE_PATTERN = r"^[A-Za-z0-9_-]{42}[AEIMQUYcgkosw048]$(?!\n)"
"""32 bytes in unpadded base64url (RFC 7518, section 6.2.1.2), whose last two bits are unused.

They must be zero, or one key would have several ids.
"""

KID_PATTERN = COORDINATE_PATTERN
"""A SHA-256 in unpadded base64url."""

ASSERTION_TYPE = "robosignal-device+jwt"
"""The header `typ` of the assertion with which a robot connects (RFC 8725, section 3.11)."""

ROTATION_TYPE = "robosignal-rotation+jwt"
"""The header `typ` of the proof that a robot has the new key."""

SUBJECT_PREFIX = "robot:"
"""`iss` and `sub` of an assertion are this and the robot's id; without an id, a code gives it."""

ALGORITHM = "ES256"

CODE_BYTES = 10
"""80 random bits: guessing one of a thousand codes takes 2^69 tries on average."""

CODE_PATTERN = re.compile(r"[A-Z2-7]{16}")

# The curve's equation y² = x³ + A x + B modulo PRIME (FIPS 186-4, section D.1.2.3).
PRIME = 2**256 - 2**224 + 2**192 + 2**96 - 1
A = -3
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B

Coordinate = Annotated[str, Meta(pattern=COORDINATE_PATTERN)]


class PublicKey(Struct, frozen=True, omit_defaults=True):
    """A public key on the curve P-256, as a JSON Web Key (RFC 7517).

    `x` and `y` are its coordinates, each 32 bytes in unpadded base64url. Other members of the JSON
    Web Key are ignored, but for `d`, which must be absent: it is the private key.

    Raise ValueError if they are no point of the curve: no signature is good for such a key.
    """

    kty: Literal["EC"]
    crv: Literal["P-256"]
    x: Coordinate
    y: Coordinate
    d: None = None

    def __post_init__(self) -> None:
        x, y = (int.from_bytes(urlsafe_b64decode(f"{each}=")) for each in (self.x, self.y))
        is_point = (y * y - x * x * x - A * x - B) % PRIME == 0
        if not (is_point and x < PRIME and y < PRIME):
            raise ValueError("x and y are no point of the curve P-256")

    @property
    def kid(self) -> str:
        """The key's id: its SHA-256 thumbprint (RFC 7638)."""
        members = f'{{"crv":"P-256","kty":"EC","x":"{self.x}","y":"{self.y}"}}'
        return encode_base64url(sha256(members.encode()).digest())


def fingerprint(kid: str) -> str:
    """Return what people compare of a key's id: 80 bits in hexadecimal, in groups of four."""
    return _group(sha256(kid.encode()).hexdigest()[:20], ":")


def format_code(random: bytes) -> str:
    """Return a code that people can type: random bytes in base32, in groups of four.

    `random`: `CODE_BYTES` of them.
    """
    return _group(b32encode(random).decode(), "-")


def _group(text: str, mark: str) -> str:
    return mark.join(text[start : start + 4] for start in range(0, len(text), 4))


def normalize_code(typed: str) -> str:
    """Return a code without hyphens and blanks, in upper case. Raise ValueError if it is none."""
    code = re.sub(r"[-\s]", "", typed).upper()
    if not CODE_PATTERN.fullmatch(code):
        raise ValueError("a code is 16 of the characters A-Z and 2-7, in groups of four")
    return code


def hash_code(code: str) -> str:
    """Return the hash under which a code is stored: SHA-256 in unpadded base64url.

    Raise ValueError as `normalize_code` does.
    """
    return encode_base64url(sha256(normalize_code(code).encode()).digest())


def encode_base64url(raw: bytes) -> str:
    """Return unpadded base64url (RFC 7515, section 2)."""
    return urlsafe_b64encode(raw).rstrip(b"=").decode()
