"""Which of an issuer's keys are fit to check a signature with, and which are passed over."""

from typing import Any

import pytest

from robosignal.server.identity.jwks import StaticKeys, admit_key
from tests.tokens import ABSENT, b64, changed, signer


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"use": ABSENT},
        {"alg": ABSENT},
        {"x5t": "abc"},
        {"key_ops": ["verify"]},
    ],
    ids=repr,
)
def test_an_rsa_signing_key_is_admitted(change: dict[str, Any]) -> None:
    """`use` and `alg` may be absent; members that are not needed do not matter."""
    key = admit_key(changed(signer().public, change))

    assert dict(key or {}) == {
        name: value for name, value in signer().public.items() if name in {"kty", "kid", "n", "e"}
    }


@pytest.mark.parametrize(
    "change",
    [
        {"kty": "EC"},
        {"kty": "oct"},
        {"kty": ABSENT},
        {"use": "enc"},
        {"use": None},
        {"alg": "RS512"},
        {"alg": "RS256 "},
        {"alg": None},
        {"kid": ABSENT},
        {"kid": 1},
        {"n": ABSENT},
        {"n": 7},
        {"n": "é"},
        {"n": "a"},
        {"n": b64(b"\x7f" + b"\xff" * 255)},
        {"e": ABSENT},
        {"e": "AQ"},
        {"e": "Ag"},
        {"e": "BA"},
        {"e": ""},
        {"e": 65537},
    ],
    ids=lambda change: repr(change)[:24],
)
def test_every_other_key_is_passed_over(change: dict[str, Any]) -> None:
    """Another kind, use or algorithm, a short modulus, a broken number: not admitted."""
    assert admit_key(changed(signer().public, change)) is None


def test_a_private_key_that_was_published_is_kept_public() -> None:
    """Of a key only the public members are kept, whatever the document says."""
    key = admit_key({**signer().public, "d": "c2VjcmV0"})

    assert set(key or {}) == {"kty", "kid", "n", "e"}


def test_static_keys_know_their_own_and_no_other() -> None:
    """Keys that were handed over are found by their exact id."""
    keys = StaticKeys({"key-1": signer().public})

    assert (keys.key("key-1") is None, keys.key("KEY-1")) == (False, None)


@pytest.mark.parametrize(
    ("kid", "key"),
    [("key-2", signer("key-1").public), ("short", signer("short", 1024).public), ("key-1", {})],
    ids=["another id", "short", "empty"],
)
def test_static_keys_refuse_what_could_not_be_used(kid: str, key: dict[str, Any]) -> None:
    """A key that would never verify anything is found out at the start."""
    with pytest.raises(ValueError, match=kid):
        StaticKeys({kid: key})
