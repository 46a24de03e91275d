"""One hundred and one bad tokens, each of which careless verification accepts or stumbles over.

The numbers are those of the list of attacks that they were collected in. Since access and ID
tokens are both accepted here, rows 60 and 61 are the one kind in the dress of the other; since
no scope is asked for, rows 73 and 74 are scopes that are malformed.
"""

import json
import zlib
from base64 import urlsafe_b64decode
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from robosignal.protocol.errors import Unauthorized
from robosignal.server.identity.tokens import verify
from tests.tokens import (
    ABSENT,
    CLIENT,
    ISSUER,
    NOW,
    NOW_S,
    access_claims,
    b64,
    b64_json,
    hs256,
    issuer_of,
    signer,
)

Token = Callable[[], object]


def good() -> str:
    """Return the token that the bad ones are made of."""
    return signer().access()


def access(**changes: Any) -> Token:
    """Return an access token of the pool's own key, wrong in these claims."""
    return lambda: signer().access(**changes)


def identity(**changes: Any) -> Token:
    """Return an ID token of the pool's own key, wrong in these claims."""
    return lambda: signer().id(**changes)


def header(**changes: Any) -> Token:
    """Return a token of the pool's own key, wrong in its header."""
    return lambda: signer().token(access_claims(), **changes)


def forged(**changes: Any) -> Token:
    """Return a token of the attacker's key, with these headers and the pool's key id."""
    return lambda: signer("attacker").token(access_claims(), **{"kid": "key-1", **changes})


def unsigned(alg: str) -> Token:
    """Return a token that claims to need no signature. RFC 7515 leaves its last part empty."""
    return lambda: f"{b64_json(signer().header(alg=alg))}.{b64_json(access_claims())}."


def stale_signature() -> str:
    """Return a signature over other bytes, below a header that asks for none."""
    return f"{b64_json(signer().header(alg='none'))}.{b64_json(access_claims())}.{sealed(good())}"


def hmac_by(secret: Callable[[], bytes]) -> Token:
    """Return a token signed with what everybody knows as the secret (algorithm confusion)."""
    return lambda: hs256(secret(), signer().header(alg="HS256"), access_claims())


def rsa_by(alg: str, digest: str, *, pss: bool = False) -> Token:
    """Return a token of the true key by another RSA algorithm."""
    return lambda: signer().seal(
        b64_json(signer().header(alg=alg)), b64_json(access_claims()), digest, pss=pss
    )


def elliptic() -> str:
    """Return a token of a key on a curve."""
    signed = f"{b64_json(signer().header(alg='ES256'))}.{b64_json(access_claims())}"
    key = ec.generate_private_key(ec.SECP256R1())
    return f"{signed}.{b64(key.sign(signed.encode(), ec.ECDSA(hashes.SHA256())))}"


def claims_text(text: str) -> Token:
    """Return a token of the pool's own key over claims of exactly this text."""
    return lambda: signer().raw(json.dumps(signer().header()).encode(), text.encode())


def spliced(member: str) -> str:
    """Return the claims as text, with this member in front."""
    return "{" + member + ", " + json.dumps(access_claims())[1:]


def literal(claim: str, text: str) -> Token:
    """Return a token of the pool's own key, this claim written as this text."""
    return claims_text(json.dumps(access_claims(**{claim: "@"})).replace('"@"', text))


def header_text(text: str) -> Token:
    """Return a token of the pool's own key below a header of exactly this text."""
    return lambda: signer().raw(text.encode(), json.dumps(access_claims()).encode())


def nested(depth: int, *, closed: bool) -> str:
    """Return JSON nested this deep; the end of the deepest would not fit into a token."""
    end = "]" * depth + "}" if closed else ""
    return '{"alg": "RS256", "kid": "key-1", "x": ' + "[" * depth + end


def sealed(token: str) -> str:
    """Return the token's last part."""
    return token.rpartition(".")[2]


def resealed(change: Callable[[str], str]) -> Token:
    """Return the good token, its signature written in another way."""
    return lambda: f"{good().rpartition('.')[0]}.{change(sealed(good()))}"


def unused_bits(signature: str) -> str:
    """Write the same 256 bytes otherwise: four bits of the last character stand for nothing."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    flipped = signature[:-1] + alphabet[alphabet.index(signature[-1]) ^ 1]
    assert urlsafe_b64decode(flipped + "==") == urlsafe_b64decode(signature + "==")
    return flipped


def other_alphabet() -> str:
    """Return a token whose signature is written in base64's first alphabet."""
    for serial in range(100):
        token = signer().access(jti=str(serial))
        if {"-", "_"} & set(sealed(token)):
            body = token.rpartition(".")[0]
            return f"{body}.{sealed(token).replace('-', '+').replace('_', '/')}"
    raise AssertionError


def tampered() -> str:
    """Return the good token with claims that make its bearer an admin."""
    head, _, signature = good().split(".")
    return f"{head}.{b64_json(access_claims(**{'cognito:groups': ['ADMINS']}))}.{signature}"


def bomb() -> str:
    """Five parts of an encrypted token that inflates enormously (CVE-2024-33664)."""
    packed = b64(zlib.compress(b"\0" * 1_000_000))
    head = b64_json({"alg": "dir", "enc": "A256GCM", "zip": "DEF"})
    return f"{head}..{b64(b'0' * 12)}.{packed}.{b64(b'0' * 16)}"


def public_text() -> bytes:
    """Return the modulus as text."""
    return str(signer().public["n"]).encode()


PUBLIC_TEXT = "not signed in: connect again with a valid token"
REGION = "https://cognito-idp.us-east-1.amazonaws.com/eu-central-1_Abc123"
POOL = "https://cognito-idp.eu-central-1.amazonaws.com/eu-central-1_Other9"

ROWS: list[tuple[int, str, str, Token]] = [
    (1, "alg none", "malformed", unsigned("none")),
    (2, "alg NoNe", "malformed", unsigned("NoNe")),
    (3, "alg none with an old signature", "alg", stale_signature),
    (4, "HS256 by the PEM", "alg", hmac_by(lambda: signer().encoded(Encoding.PEM))),
    (5, "HS256 by the DER", "alg", hmac_by(lambda: signer().encoded(Encoding.DER))),
    (6, "HS256 by the modulus", "alg", hmac_by(public_text)),
    (7, "HS256 by the JWK's text", "alg", hmac_by(lambda: json.dumps(signer().public).encode())),
    (8, "HS256 by nothing", "alg", hmac_by(bytes)),
    (
        9,
        "HS256 by the DER, without typ and kid",
        "alg",
        lambda: hs256(signer().encoded(Encoding.DER), {"alg": "HS256"}, access_claims()),
    ),
    (10, "RS384 by the true key", "alg", rsa_by("RS384", "sha384")),
    (11, "RS512 by the true key", "alg", rsa_by("RS512", "sha512")),
    (12, "PS256 by the true key", "alg", rsa_by("PS256", "sha256", pss=True)),
    (13, "ES256", "alg", elliptic),
    (14, "alg rs256", "alg", header(alg="rs256")),
    (15, "alg S256", "alg", header(alg="S256")),
    (16, "alg a list", "alg", header(alg=["RS256"])),
    (17, "alg an object", "alg", header(alg={"RS256": 1})),
    (18, "alg dir", "alg", header(alg="dir")),
    (19, "alg missing", "alg", header(alg=ABSENT)),
    (20, "alg null", "alg", header(alg=None)),
    (21, "kid missing", "kid", header(kid=ABSENT)),
    (22, "kid unknown", "kid", header(kid="key-9")),
    (23, "kid of another key", "signature", header(kid="key-2")),
    (24, "kid an integer", "kid", header(kid=1)),
    (25, "kid a list", "kid", header(kid=["key-1"])),
    (26, "kid a path", "kid", header(kid="../../../dev/null")),
    (27, "kid SQL", "kid", header(kid="key-1' OR '1'='1")),
    (28, "kid with a newline", "kid", header(kid="key-1\n")),
    (29, "kid a dunder, the key the attacker's", "kid", forged(kid="__class__")),
    (30, "injected jwk", "header", forged(jwk=signer("attacker").public)),
    (31, "injected jku", "header", forged(jku="https://evil.example/jwks.json")),
    (32, "injected x5u", "header", forged(x5u="https://evil.example/cert.pem")),
    (
        33,
        "injected x5c",
        "header",
        forged(x5c=[b64(signer("attacker").encoded(Encoding.DER))]),
    ),
    (34, "unknown crit", "header", header(crit=["exp-strict"], **{"exp-strict": True})),
    (35, "b64 false", "header", header(b64=False)),
    (36, "expired", "expired", access(exp=NOW_S - 1)),
    (37, "nbf to come", "nbf", access(nbf=NOW_S + 61)),
    (38, "exp missing", "exp", access(exp=ABSENT)),
    (39, "exp a string of digits", "exp", access(exp=str(NOW_S + 3600))),
    (40, "exp a float", "exp", access(exp=NOW_S + 3600.5)),
    (41, "exp of full-width digits", "exp", access(exp="１８９９９９９９９９")),  # noqa: RUF001 - the point
    (42, "exp of 4,000 digits", "malformed", literal("exp", "9" * 4000)),
    (43, "exp null", "exp", access(exp=None)),
    (44, "exp a list", "exp", access(exp=[NOW_S + 3600])),
    (45, "exp an object", "exp", access(exp={"at": NOW_S + 3600})),
    (46, "exp Infinity", "malformed", literal("exp", "Infinity")),
    (47, "exp 1e400", "malformed", literal("exp", "1e400")),
    (48, "iat null", "iat", access(iat=None)),
    (49, "nbf null", "nbf", access(nbf=None)),
    (50, "claims nested 5,000 deep", "malformed", claims_text(nested(5000, closed=False))),
    (51, "iat tomorrow", "iat", access(iat=NOW_S + 86_400, exp=NOW_S + 90_000)),
    (52, "iat missing", "iat", access(iat=ABSENT)),
    (53, "iat 10 years old", "lifetime", access(iat=NOW_S - 315_360_000)),
    (54, "iat after exp", "lifetime", access(iat=NOW_S + 50, exp=NOW_S + 40)),
    (55, "iss of the same pool in another region", "iss", access(iss=REGION)),
    (56, "iss of another pool", "iss", access(iss=POOL)),
    (57, "iss missing", "iss", access(iss=ABSENT)),
    (58, "iss with a slash", "iss", access(iss=ISSUER + "/")),
    (59, "iss with a suffix", "iss", access(iss=ISSUER + ".evil.example")),
    (60, "ID token in the dress of an access token", "audience", identity(token_use="access")),
    (61, "access token in the dress of an ID token", "audience", access(token_use="id")),
    (62, "token_use missing", "token_use", access(token_use=ABSENT)),
    (63, "token_use refresh", "token_use", access(token_use="refresh")),
    (64, "token_use a list", "token_use", access(token_use=["access"])),
    (65, "client_id of another client", "audience", access(client_id="other")),
    (66, "client_id missing", "audience", access(client_id=ABSENT)),
    (67, "client_id a list", "audience", access(client_id=[CLIENT])),
    (
        68,
        "client_id of another client, aud ours",
        "audience",
        access(client_id="other", aud=CLIENT),
    ),
    (69, "ID token, aud missing", "audience", identity(aud=ABSENT)),
    (70, "ID token, aud a list with ours", "audience", identity(aud=[CLIENT, "other"])),
    (71, "ID token, aud of another client", "audience", identity(aud="other")),
    (72, "ID token, aud null", "audience", identity(aud=None)),
    (73, "scope null", "scope", access(scope=None)),
    (74, "scope of look-alike letters", "scope", access(scope="drive/r\u043ebots")),
    (75, "scope a list", "scope", access(scope=["openid"])),
    (76, "groups a string", "groups", access(**{"cognito:groups": "ADMINS"})),
    (77, "sub missing", "sub", access(sub=ABSENT)),
    (78, "sub empty", "sub", access(sub="")),
    (79, "sub with NUL and newline", "sub", access(sub="a\x00b\n")),
    (80, "signature and =", "malformed", resealed(lambda signature: signature + "=")),
    (81, "signature and ====", "malformed", resealed(lambda signature: signature + "====")),
    (82, "signature and !!!!", "malformed", resealed(lambda signature: signature + "!!!!")),
    (83, "signature and spaces", "malformed", resealed(lambda signature: signature + "    ")),
    (84, "signature with unused bits flipped", "malformed", resealed(unused_bits)),
    (85, "signature in the alphabet of + and /", "malformed", other_alphabet),
    (
        86,
        "alg twice, the last good",
        "malformed",
        header_text('{"alg":"none","alg":"RS256","kid":"key-1"}'),
    ),
    (87, "sub twice", "malformed", claims_text(spliced('"sub": "admin"'))),
    (88, "exp twice", "malformed", claims_text(spliced('"exp": 1'))),
    (89, "header nested 2,000 deep", "malformed", header_text(nested(2000, closed=True))),
    (90, "header nested 5,000 deep", "malformed", header_text(nested(5000, closed=False))),
    (91, "None", "malformed", lambda: None),
    (92, "an integer", "malformed", lambda: 7),
    (93, "a lone surrogate", "malformed", lambda: "\ud800" + good()),
    (94, "two parts", "malformed", lambda: good().rpartition(".")[0]),
    (95, "four parts", "malformed", lambda: f"{good()}.AAAA"),
    (96, "a dot at its end", "malformed", lambda: good() + "."),
    (97, "a dot at its beginning", "malformed", lambda: "." + good()),
    (98, "with its Bearer prefix", "malformed", lambda: "Bearer " + good()),
    (99, "tampered claims", "signature", tampered),
    (100, "signed, 1 MB", "malformed", access(fill="x" * 1_000_000)),
    (101, "encrypted, a bomb of five parts", "malformed", bomb),
]


@pytest.mark.parametrize(
    ("why", "token"), [row[2:] for row in ROWS], ids=[f"{row[0]} {row[1]}" for row in ROWS]
)
def test_a_bad_token_is_refused(why: str, token: Token) -> None:
    """Each is refused by the rule against it, with the one public text, and nothing else."""
    with pytest.raises(Unauthorized) as refused:
        verify(token(), [issuer_of(signer("key-1"), signer("key-2"))], NOW)

    assert (why, PUBLIC_TEXT) == (refused.value.reason, str(refused.value))


def test_the_rows_are_one_to_a_hundred_and_one() -> None:
    """No row is left out or counted twice."""
    assert [row[0] for row in ROWS] == list(range(1, 102))


def test_what_the_bad_tokens_are_made_of_is_good() -> None:
    """The rows fail by what is wrong with them: unchanged, both kinds are accepted."""
    issuers = [issuer_of(signer("key-1"), signer("key-2"))]

    assert [verify(token(), issuers, NOW).user_id for token in (access(), identity())] == [
        "3f2a-user",
        "3f2a-user",
    ]
