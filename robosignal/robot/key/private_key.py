"""A robot's private key, and all that is signed with it.

`robosignal.server.identity.assertions` verifies what is made here.
"""

import json
import secrets
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePrivateKey,
    derive_private_key,
    generate_private_key,
)
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from robosignal.protocol.device_keys import (
    ALGORITHM,
    ASSERTION_TYPE,
    ROTATION_TYPE,
    SUBJECT_PREFIX,
    PublicKey,
    encode_base64url,
    fingerprint,
    hash_code,
)
from robosignal.protocol.ids import RobotId
from robosignal.protocol.limits import ASSERTION_SECONDS

SECRET_BYTES = 32
JTI_BYTES = 16

_CURVE = SECP256R1()


class PrivateKey:
    """A key on the curve P-256."""

    def __init__(self, key: EllipticCurvePrivateKey) -> None:
        """Use this key. `generate` and `from_secret` make one."""
        self._key = key
        numbers = key.public_key().public_numbers()
        x, y = (encode_base64url(each.to_bytes(SECRET_BYTES)) for each in (numbers.x, numbers.y))
        self.public = PublicKey("EC", "P-256", x, y)
        self.kid = self.public.kid

    @classmethod
    def generate(cls) -> "PrivateKey":
        """Return a new key."""
        return cls(generate_private_key(_CURVE))

    @classmethod
    def from_secret(cls, secret: bytes) -> "PrivateKey":
        """Return the key of this secret number. Raise ValueError if it is none of the curve."""
        if len(secret) != SECRET_BYTES:
            raise ValueError(f"a secret has {SECRET_BYTES} bytes")
        return cls(derive_private_key(int.from_bytes(secret), _CURVE))

    @property
    def secret(self) -> bytes:
        """The secret number, in 32 bytes."""
        return self._key.private_numbers().private_value.to_bytes(SECRET_BYTES)

    @property
    def fingerprint(self) -> str:
        """What people compare."""
        return fingerprint(self.kid)

    def __repr__(self) -> str:
        # Logs and tracebacks show objects, and must not show the secret.
        return f"PrivateKey({self.fingerprint})"

    def sign_assertion(
        self, url: str, robot_id: RobotId | None, issued_at: int, code: str | None = None
    ) -> str:
        """Return what opens one connection to `url`, exactly as it is dialled.

        `issued_at` is in epoch seconds; it may be shown for 300 s. With `code` the connection can
        only enrol this key, and `robot_id` may be None: then the code names the robot.
        """
        subject = SUBJECT_PREFIX + (robot_id or "")
        claims: dict[str, Any] = {
            "iss": subject,
            "sub": subject,
            "aud": url,
            "iat": issued_at,
            "exp": issued_at + ASSERTION_SECONDS,
            "jti": encode_base64url(secrets.token_bytes(JTI_BYTES)),
        }
        if code is not None:
            claims |= {"code": hash_code(code), "cnf": {"jwk": self.jwk()}}
        return self._sign(ASSERTION_TYPE, claims)

    def sign_proof(self, robot_id: RobotId, connection_id: str) -> str:
        """Return the proof that the robot has this key, good on that connection alone."""
        said = {"robotId": robot_id, "connectionId": connection_id, "kid": self.kid}
        return self._sign(ROTATION_TYPE, said)

    def jwk(self) -> dict[str, str]:
        """Return the public key as a JSON Web Key."""
        return {"kty": "EC", "crv": "P-256", "x": self.public.x, "y": self.public.y}

    def _sign(self, kind: str, claims: dict[str, Any]) -> str:
        """Return a JWS in compact form (RFC 7515, section 3.1)."""
        header = {"typ": kind, "alg": ALGORITHM, "kid": self.kid}
        text = ".".join(_encode(each) for each in (header, claims))
        # In JOSE a signature is two numbers, not DER (RFC 7518, section 3.4).
        numbers = decode_dss_signature(self._key.sign(text.encode(), ECDSA(SHA256())))
        signature = b"".join(each.to_bytes(SECRET_BYTES) for each in numbers)
        return f"{text}.{encode_base64url(signature)}"


def _encode(part: dict[str, Any]) -> str:
    return encode_base64url(json.dumps(part, separators=(",", ":")).encode())
