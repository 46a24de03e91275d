"""A robot's own key in any test: signs assertions, good ones and bad ones, with a real key.

It writes bad ones too, and uses none of the code under test.
"""

import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from tests.tokens import NOW_S, b64, b64_json, changed

URL = "wss://robots.example/prod"
"""The audience that the tests' backend accepts."""


@dataclass(frozen=True)
class DeviceKey:
    """One key on P-256, or on another curve where a test wants that."""

    curve: ec.EllipticCurve = field(default_factory=ec.SECP256R1)
    private: ec.EllipticCurvePrivateKey = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "private", ec.generate_private_key(self.curve))

    @property
    def jwk(self) -> dict[str, str]:
        """The public key as a JSON Web Key."""
        numbers = self.private.public_key().public_numbers()
        size = (self.curve.key_size + 7) // 8
        x, y = (b64(each.to_bytes(size)) for each in (numbers.x, numbers.y))
        return {"kty": "EC", "crv": "P-256", "x": x, "y": y}

    @property
    def kid(self) -> str:
        """The key's thumbprint (RFC 7638)."""
        text = json.dumps(self.jwk, sort_keys=True, separators=(",", ":"))
        return b64(hashlib.sha256(text.encode()).digest())

    def sign(self, text: str, *, der: bool = False) -> str:
        """Return the signature of a text, in JOSE's form, or as DER."""
        signature = self.private.sign(text.encode(), ec.ECDSA(hashes.SHA256()))
        if der:
            return b64(signature)
        size = (self.curve.key_size + 7) // 8
        r, s = decode_dss_signature(signature)
        return b64(r.to_bytes(size) + s.to_bytes(size))

    def token(
        self, claims: dict[str, Any], header: dict[str, Any] | None = None, *, der: bool = False
    ) -> str:
        """Return a token of these claims, whose header has these changes."""
        good = {"typ": "robosignal-device+jwt", "alg": "ES256", "kid": self.kid}
        text = f"{b64_json(changed(good, header or {}))}.{b64_json(claims)}"
        return f"{text}.{self.sign(text, der=der)}"

    def assertion(
        self,
        robot_id: str = "r1",
        *,
        now_s: int = NOW_S,
        header: dict[str, Any] | None = None,
        der: bool = False,
        **changes: Any,
    ) -> str:
        """Return an assertion, good but for these changes."""
        return self.token(changed(claims_of(robot_id, now_s), changes), header, der=der)

    def enrolment(
        self, code: str, robot_id: str = "r1", *, now_s: int = NOW_S, **changes: Any
    ) -> str:
        """Return the assertion with which a robot enrols by a code."""
        plain = code.upper().replace("-", "")
        hashed = b64(hashlib.sha256(plain.encode()).digest())
        more = {"code": hashed, "cnf": {"jwk": self.jwk}, **changes}
        return self.assertion(robot_id, now_s=now_s, **more)

    def proof(self, robot_id: str, connection: str, **changes: Any) -> str:
        """Return the proof that a robot has this key."""
        said = {"robotId": robot_id, "connectionId": connection, "kid": self.kid}
        return self.token(changed(said, changes), {"typ": "robosignal-rotation+jwt"})


def claims_of(robot_id: str, now_s: int) -> dict[str, Any]:
    """Return the claims of a good assertion."""
    return {
        "iss": f"robot:{robot_id}",
        "sub": f"robot:{robot_id}",
        "aud": URL,
        "iat": now_s,
        "exp": now_s + 300,
        "jti": b64(secrets.token_bytes(16)),
    }
