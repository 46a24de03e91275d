"""The local gateway's signing key, with which it issues tokens without any account."""

import os
import re
import stat
import time
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from jose import jwk, jws

from robosignal.gateway.state import check_directory
from robosignal.protocol.limits import USER_PATTERN
from robosignal.server.identity.jwks import StaticKeys
from robosignal.server.identity.tokens import ALGORITHM, LIFETIME_SECONDS
from robosignal.server.ports import KeySource

LOCAL_ISSUER = "robosignal-local"
"""The `iss` and the `client_id` of every local token."""

LOCAL_ALIAS = "local"
"""The prefix of its users beside those of another issuer, as in `local/demo`."""

TOKEN_SECONDS = 12 * 60 * 60
KEY_FILE = "signing-key.pem"
KEY_BITS = 2048
PUBLIC_EXPONENT = 65537
OTHERS = stat.S_IRWXG | stat.S_IRWXO

_USER = re.compile(USER_PATTERN)


class KeyRefused(Exception):
    """The key file cannot be used. The text says why, and which command helps."""

    def __init__(self, path: Path, problem: str, command: str) -> None:
        super().__init__(path, problem, command)
        self.path = path
        self.problem = problem
        self.command = command

    def __str__(self) -> str:
        return f"the signing key {self.path} {self.problem}: {self.command} {self.path}"


class LocalKey:
    """An RSA key that signs local tokens."""

    def __init__(self, private: RSAPrivateKey) -> None:
        """Use this key. `load` and `ephemeral` make one."""
        self._pem = _pem(private)
        public = jwk.construct(self._pem.decode(), ALGORITHM).public_key().to_dict()
        self._public = {name: public[name] for name in ("e", "kty", "n")}
        self.kid = _thumbprint(self._public)

    @classmethod
    def load(cls, directory: Path) -> "LocalKey":
        """Return the key in this directory, made (0600) if there is none.

        Processes that start at the same time get the same key. Raise KeyRefused if others may read
        the file, or it holds no RSA key of at least 2,048 bits; StateUnreadable if the directory
        cannot be used or is not safe; OSError as files do.
        """
        check_directory(directory)
        path = directory / KEY_FILE
        if not path.exists():
            _create(path)
        return cls(_read(path))

    @classmethod
    def ephemeral(cls) -> "LocalKey":
        """Return a key that ends with the process."""
        return cls(_generate())

    def sign(
        self,
        user: str,
        groups: Sequence[str] = (),
        ttl_s: int = TOKEN_SECONDS,
        now_s: int | None = None,
    ) -> str:
        """Return a token for this user, in the form of Cognito's access tokens.

        `now_s` is in epoch seconds, by default the clock's. Raise ValueError when no token
        may name the user, or the lifetime is not within 1 s and 24 h.
        """
        _check(user, ttl_s)
        issued = int(time.time()) if now_s is None else now_s
        claims: dict[str, Any] = {
            "sub": user,
            "iss": LOCAL_ISSUER,
            "client_id": LOCAL_ISSUER,
            "token_use": "access",
            "username": user,
            "iat": issued,
            "exp": issued + ttl_s,
            "jti": str(uuid.uuid4()),
        }
        if groups:
            claims["cognito:groups"] = list(groups)
        return jws.sign(claims, self._pem, {"kid": self.kid}, ALGORITHM)

    def jwks(self) -> dict[str, Any]:
        """Return the JWK Set (RFC 7517, section 5) with the public half."""
        return {"keys": [{**self._public, "kid": self.kid, "use": "sig", "alg": ALGORITHM}]}

    def source(self) -> KeySource:
        """Return the public half as a `KeySource` that needs no network."""
        return StaticKeys({self.kid: {**self._public, "kid": self.kid}})


def _check(user: str, ttl_s: int) -> None:
    if not _USER.match(user):
        raise ValueError(
            f"user: {user!r} must be 1 to 128 characters of printable ASCII, not beginning with #"
        )
    if not 1 <= ttl_s <= LIFETIME_SECONDS:
        raise ValueError(f"ttl: {ttl_s} s must be 1 to {LIFETIME_SECONDS} s (24 h)")


def _thumbprint(public: dict[str, Any]) -> str:
    """Return the key's thumbprint (RFC 7638): the same key has the same id everywhere."""
    canonical = msgspec.json.encode(public, order="sorted")
    return urlsafe_b64encode(sha256(canonical).digest()).decode().rstrip("=")


def _generate() -> RSAPrivateKey:
    return generate_private_key(PUBLIC_EXPONENT, KEY_BITS)


def _pem(private: RSAPrivateKey) -> bytes:
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _create(path: Path) -> None:
    """Put a new key at this path, whole or not at all, unless one is there already."""
    draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(_pem(_generate()))
            file.flush()
            os.fsync(file.fileno())
        # A link fails if the file exists. A rename would replace the key of a process that was
        # faster, and that may have signed tokens with it.
        path.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _read(path: Path) -> RSAPrivateKey:
    with path.open("rb") as file:
        # The open file is checked, not the path, which could name another file by now.
        if os.fstat(file.fileno()).st_mode & OTHERS:
            raise KeyRefused(path, "can be read by other users", "chmod 600")
        pem = file.read()
    try:
        private = load_pem_private_key(pem, password=None)
    except (ValueError, TypeError) as exc:
        raise KeyRefused(path, "is no RSA key, so make a new one", "rm") from exc
    if not isinstance(private, RSAPrivateKey) or private.key_size < KEY_BITS:
        raise KeyRefused(path, "is no RSA key of 2,048 bits, so make a new one", "rm")
    return private
