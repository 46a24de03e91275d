"""The local gateway's signing key: its file, and the tokens that it signs."""

import json
import os
import stat
import subprocess
import sys
import time
from base64 import urlsafe_b64decode
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from robosignal.gateway.keys import KEY_FILE, LOCAL_ISSUER, KeyRefused, LocalKey
from robosignal.protocol.errors import Unauthorized
from robosignal.server.identity.tokens import Identity, Issuer, verify
from tests.tokens import NOW, NOW_S, b64, signer

PEM = (
    serialization.Encoding.PEM,
    serialization.PrivateFormat.PKCS8,
    serialization.NoEncryption(),
)


@pytest.fixture(scope="module")
def key() -> LocalKey:
    """One key for the tests that need no file."""
    return LocalKey.ephemeral()


def judged(key: LocalKey, token: str, now: int = NOW) -> Identity:
    """Return whom the token names to a gateway with this key."""
    return verify(token, [Issuer(LOCAL_ISSUER, frozenset({LOCAL_ISSUER}), key.source())], now)


def part(token: str, index: int) -> dict[str, Any]:
    """Return one JSON part of a token."""
    encoded = token.split(".")[index]
    parsed: dict[str, Any] = json.loads(urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    return parsed


def kept(directory: Path, content: bytes) -> Path:
    """Keep this content as the directory's key file."""
    path = directory / KEY_FILE
    path.touch(0o600)
    path.write_bytes(content)
    return path


def test_a_local_token_signs_its_user_in(key: LocalKey) -> None:
    """What the key signs, verification by its source accepts, groups and all."""
    token = key.sign("demo", ["ADMINS", "drivers"], now_s=NOW_S)

    assert judged(key, token) == Identity(
        "demo",  # type: ignore[arg-type]
        "demo",
        ("ADMINS", "drivers"),
        (NOW_S + 43_200) * 1000,
    )


def test_a_local_token_is_shaped_as_cognitos_access_tokens(key: LocalKey) -> None:
    """It has those claims and no others; without groups there is no claim of groups."""
    claims = part(key.sign("demo", ttl_s=60, now_s=NOW_S), 1)

    assert (len(claims.pop("jti")), claims) == (
        36,
        {
            "sub": "demo",
            "iss": "robosignal-local",
            "client_id": "robosignal-local",
            "token_use": "access",
            "username": "demo",
            "iat": NOW_S,
            "exp": NOW_S + 60,
        },
    )


def test_a_token_lives_12_hours_from_now_by_default(key: LocalKey) -> None:
    """Without a time the clock's is taken, without a lifetime 12 h."""
    before = int(time.time())
    claims = part(key.sign("demo"), 1)

    assert (claims["exp"] - claims["iat"], before <= claims["iat"] <= time.time()) == (43_200, True)


def test_no_two_tokens_are_the_same(key: LocalKey) -> None:
    """Each has an id of its own."""
    assert key.sign("demo", now_s=NOW_S) != key.sign("demo", now_s=NOW_S)


def test_the_key_is_named_by_its_thumbprint(key: LocalKey) -> None:
    """The key id is RFC 7638's, in the token's header as in the key set."""
    (public,) = key.jwks()["keys"]
    canonical = f'{{"e":"{public["e"]}","kty":"RSA","n":"{public["n"]}"}}'
    thumbprint = b64(sha256(canonical.encode()).digest())

    assert (part(key.sign("demo"), 0)["kid"], public["kid"]) == (thumbprint, thumbprint)


def test_the_key_set_shows_the_public_half_alone(key: LocalKey) -> None:
    """No private number leaves, and what the key is for is said."""
    (public,) = key.jwks()["keys"]

    assert (set(public), public["use"], public["alg"]) == (
        {"kty", "n", "e", "kid", "use", "alg"},
        "sig",
        "RS256",
    )


def test_another_gateways_token_is_refused(key: LocalKey) -> None:
    """Each gateway trusts its own key alone."""
    token = LocalKey.ephemeral().sign("demo", now_s=NOW_S)

    with pytest.raises(Unauthorized):
        judged(key, token)


@pytest.mark.parametrize("ttl_s", [1, 86_400])
def test_a_lifetime_from_a_second_to_a_day_is_signed(key: LocalKey, ttl_s: int) -> None:
    """What can be signed is accepted."""
    token = key.sign("demo", ttl_s=ttl_s, now_s=NOW_S)

    assert judged(key, token).expires_at == NOW + ttl_s * 1000


@pytest.mark.parametrize("ttl_s", [0, -1, 86_401])
def test_another_lifetime_is_an_error(key: LocalKey, ttl_s: int) -> None:
    """The error names the field and the limit."""
    with pytest.raises(ValueError, match=r"^ttl: .* 1 to 86400 s"):
        key.sign("demo", ttl_s=ttl_s)


@pytest.mark.parametrize("user", ["", "#admins", "é", "a\n", "a" * 129])
def test_a_user_who_could_be_no_principal_is_an_error(key: LocalKey, user: str) -> None:
    """The error names the field and the limit."""
    with pytest.raises(ValueError, match=r"^user: .*1 to 128 characters"):
        key.sign(user)


def test_the_key_outlives_the_process_in_its_file(tmp_path: Path) -> None:
    """A second load finds the first one's key, so its tokens stay good."""
    directory = tmp_path / "state" / "deep"
    token = LocalKey.load(directory).sign("demo", now_s=NOW_S)

    assert judged(LocalKey.load(directory), token).user_id == "demo"


def test_the_key_file_is_its_owners_alone(tmp_path: Path) -> None:
    """The file has mode 0600 whatever the umask, its new directory 0700; no draft is left."""
    umask = os.umask(0)
    try:
        LocalKey.load(tmp_path / "state")
    finally:
        os.umask(umask)

    files = list((tmp_path / "state").iterdir())
    modes = [stat.S_IMODE(path.stat().st_mode) for path in (*files, tmp_path / "state")]
    assert ([path.name for path in files], modes) == ([KEY_FILE], [0o600, 0o700])


def test_processes_that_start_at_once_share_one_key(tmp_path: Path) -> None:
    """Whichever comes first makes the key, the others load it."""
    script = (
        "import sys; from pathlib import Path; from robosignal.gateway.keys import LocalKey\n"
        "print('ready', flush=True); sys.stdin.readline()\n"
        "print(LocalKey.load(Path(sys.argv[1])).kid)"
    )
    started = [
        subprocess.Popen(
            [sys.executable, "-c", script, str(tmp_path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    for process in started:
        assert process.stdout is not None
        process.stdout.readline()
    for process in started:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    kids = {process.communicate(timeout=20)[0].strip() for process in started}

    assert ({LocalKey.load(tmp_path).kid}, len(list(tmp_path.iterdir()))) == (kids, 1)


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644, 0o601])
def test_a_key_that_others_may_read_is_refused(tmp_path: Path, mode: int) -> None:
    """One sentence says what is wrong and which command helps."""
    LocalKey.load(tmp_path)
    path = tmp_path / KEY_FILE
    path.chmod(mode)
    with pytest.raises(KeyRefused) as refused:
        LocalKey.load(tmp_path)

    problem = f"the signing key {path} can be read by other users"
    assert str(refused.value) == f"{problem}: chmod 600 {path}"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a key",
        signer("short", 1024).private.private_bytes(*PEM),
        ec.generate_private_key(ec.SECP256R1()).private_bytes(*PEM),
        signer().private.private_bytes(
            PEM[0], PEM[1], serialization.BestAvailableEncryption(b"password")
        ),
        signer().encoded(serialization.Encoding.PEM),
    ],
    ids=["empty", "text", "short", "elliptic", "encrypted", "public"],
)
def test_a_file_without_a_fit_key_is_refused(tmp_path: Path, content: bytes) -> None:
    """The file is not replaced, for it may be somebody's; the sentence says how to."""
    path = kept(tmp_path, content)
    with pytest.raises(KeyRefused, match=f"make a new one: rm {path}$"):
        LocalKey.load(tmp_path)

    assert path.read_bytes() == content


def test_a_key_that_another_program_made_is_taken(tmp_path: Path) -> None:
    """Any RSA key of 2,048 bits in a file of its owner's will do."""
    kept(tmp_path, signer().private.private_bytes(*PEM))

    assert LocalKey.load(tmp_path).jwks()["keys"][0]["n"] == signer().public["n"]
