"""Signs tokens for any test, good ones and bad ones, with real RSA keys.

It writes tokens itself, wrong ones too, and never with the code under test.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from robosignal.server.identity.jwks import StaticKeys
from robosignal.server.identity.tokens import Issuer

ISSUER = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Abc123"
CLIENT = "4h57k1s2example"
NOW = 1_800_000_000_000
"""Epoch milliseconds, when the tests' tokens are judged unless a test says otherwise."""
NOW_S = NOW // 1000


class _Absent:
    def __repr__(self) -> str:
        return "ABSENT"


ABSENT: Any = _Absent()
"""As a change to a claim or a header: leave it out."""


def b64(raw: bytes) -> str:
    """Return unpadded base64url."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def b64_json(value: object) -> str:
    """Return unpadded base64url of the value as JSON."""
    return b64(json.dumps(value).encode())


def changed(members: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return the members with these changes; ABSENT takes one out."""
    return {k: v for k, v in {**members, **changes}.items() if v is not ABSENT}


def access_claims(**changes: Any) -> dict[str, Any]:
    """Return the claims of a Cognito access token."""
    claims = {
        "sub": "3f2a-user",
        "iss": ISSUER,
        "client_id": CLIENT,
        "token_use": "access",
        "scope": "aws.cognito.signin.user.admin openid",
        "username": "ada",
        "cognito:groups": ["drivers"],
        "origin_jti": "b1",
        "jti": "a1",
        "auth_time": NOW_S - 60,
        "iat": NOW_S - 60,
        "exp": NOW_S + 3600,
    }
    return changed(claims, changes)


def id_claims(**changes: Any) -> dict[str, Any]:
    """Return the claims of a Cognito ID token, `at_hash` included."""
    claims = {
        "sub": "3f2a-user",
        "iss": ISSUER,
        "aud": CLIENT,
        "token_use": "id",
        "at_hash": "t3Yh0oWkW0Qm1V2bq2n9xw",
        "cognito:username": "ada",
        "name": "Ada Lovelace",
        "email": "ada@example.org",
        "email_verified": True,
        "auth_time": NOW_S - 60,
        "iat": NOW_S - 60,
        "exp": NOW_S + 3600,
    }
    return changed(claims, changes)


@dataclass(frozen=True)
class Signer:
    """One RSA key and the tokens that it signs."""

    private: rsa.RSAPrivateKey
    kid: str

    @property
    def public(self) -> dict[str, Any]:
        """The public key as a JWK."""
        numbers = self.private.public_key().public_numbers()
        n = numbers.n.to_bytes((numbers.n.bit_length() + 7) // 8)
        e = numbers.e.to_bytes(3)
        return {
            "kty": "RSA",
            "kid": self.kid,
            "use": "sig",
            "alg": "RS256",
            "n": b64(n),
            "e": b64(e),
        }

    def encoded(self, encoding: serialization.Encoding) -> bytes:
        """Return the public key as others write it."""
        return self.private.public_key().public_bytes(
            encoding, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def header(self, **changes: Any) -> dict[str, Any]:
        """Return the header of a token, with these changes."""
        return changed({"kid": self.kid, "alg": "RS256"}, changes)

    def token(self, claims: object, **header: Any) -> str:
        """Return a token of these claims, signed by RS256 whatever its header says."""
        return self.seal(b64_json(self.header(**header)), b64_json(claims))

    def raw(self, header: bytes, claims: bytes) -> str:
        """Return a token of exactly these bytes."""
        return self.seal(b64(header), b64(claims))

    def seal(self, header: str, claims: str, digest: str = "sha256", *, pss: bool = False) -> str:
        """Return two encoded parts with a signature over them."""
        algorithm = {
            "sha256": hashes.SHA256(),
            "sha384": hashes.SHA384(),
            "sha512": hashes.SHA512(),
        }
        scheme = padding.PSS(padding.MGF1(hashes.SHA256()), 32) if pss else padding.PKCS1v15()
        signature = self.private.sign(f"{header}.{claims}".encode(), scheme, algorithm[digest])
        return f"{header}.{claims}.{b64(signature)}"

    def access(self, **changes: Any) -> str:
        """Return an access token, good but for these changes."""
        return self.token(access_claims(**changes))

    def id(self, **changes: Any) -> str:
        """Return an ID token, good but for these changes."""
        return self.token(id_claims(**changes))

    def issuer(self) -> Issuer:
        """Return the issuer that has this key alone."""
        return issuer_of(self)


def signer(kid: str = "key-1", bits: int = 2048) -> Signer:
    """Return the signer of this name: the same one in a process, for a key takes its time."""
    return _made(kid, bits)


@cache
def _made(kid: str, bits: int) -> Signer:
    return Signer(rsa.generate_private_key(65537, bits), kid)


def issuer_of(*signers: Signer) -> Issuer:
    """Return an issuer with the keys of these signers."""
    keys = StaticKeys({one.kid: one.public for one in signers})
    return Issuer(ISSUER, frozenset({CLIENT}), keys)


def hs256(secret: bytes, header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
    """Return a token signed by HMAC: the forger's, who has but public keys for a secret."""
    signed = f"{b64_json(header)}.{b64_json(claims)}"
    return f"{signed}.{b64(hmac.digest(secret, signed.encode(), hashlib.sha256))}"
