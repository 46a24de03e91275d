"""Robots' bad assertions, each of which careless verification accepts or stumbles over.

Each is refused by the rule against it; the robot reads one 401 with one body, whatever the reason.
"""

import json
import sys
from base64 import urlsafe_b64decode
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from robosignal.gateway.store import LocalStore
from robosignal.protocol.device_keys import PublicKey, hash_code
from robosignal.protocol.errors import Unauthorized
from robosignal.protocol.ids import RobotId
from robosignal.server.core.records import Assertion, Code, Robot
from robosignal.server.identity.assertions import check_signature, is_assertion, read_assertion
from robosignal.server.identity.tokens import verify
from tests.device import URL, DeviceKey, claims_of
from tests.tokens import ABSENT, NOW, NOW_S, access_claims, b64, b64_json, hs256, issuer_of, signer
from tests.world import World

KEY, OTHER = DeviceKey(), DeviceKey()
KEYS = {key.kid: PublicKey("EC", "P-256", key.jwk["x"], key.jwk["y"]) for key in (KEY, OTHER)}
CODE = "AAAA-BBBB-CCCC-DDDD"
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
"""Of the group of P-256 (FIPS 186-4, section D.1.2.3)."""

Token = Callable[[], str]


def verified(token: str) -> Assertion:
    """Return the assertion as `$connect` verifies it, both keys being the robot's."""
    unverified = read_assertion(token, frozenset({URL}), NOW)
    enrolment = unverified.assertion.enrolment
    key = KEYS.get(unverified.assertion.kid) if enrolment is None else enrolment.public_key
    return check_signature(unverified, key)


def claims(**changes: Any) -> Token:
    """Return an assertion by the robot's key, wrong in these claims."""
    return lambda: KEY.assertion(**changes)


def header(**changes: Any) -> Token:
    """Return an assertion by the robot's key, wrong in its header."""
    return lambda: KEY.assertion(header=changes)


def enrolment(**changes: Any) -> Token:
    """Return an assertion to enrol by a code, wrong in these claims."""
    return lambda: KEY.enrolment(CODE, **changes)


def coded(**changes: Any) -> Token:
    """Return an assertion whose `cnf` has its key, with these claims."""
    return claims(cnf={"jwk": KEY.jwk}, **changes)


def good_claims() -> dict[str, Any]:
    """Return the claims of a good assertion."""
    return claims_of("r1", NOW_S)


def good_header(**changes: Any) -> dict[str, Any]:
    """Return the header of a good assertion, with these changes."""
    return {"typ": "robosignal-device+jwt", "alg": "ES256", "kid": KEY.kid} | changes


def hmac_by(secret: bytes) -> Token:
    """Return a token whose HMAC has the public key for its secret (algorithm confusion)."""
    return lambda: hs256(secret, good_header(alg="HS256"), good_claims())


def signed_text(head: str, said: str) -> Token:
    """Return a token by the robot's key over exactly these texts."""
    signed = f"{b64(head.encode())}.{b64(said.encode())}"
    return lambda: f"{signed}.{KEY.sign(signed)}"


def spliced(members: dict[str, Any], more: str) -> str:
    """Return an object as text, with this member in front."""
    return "{" + more + ", " + json.dumps(members)[1:]


def literal(claim: str, text: str) -> Token:
    """Return an assertion by the robot's key, this claim written as this text."""
    written = json.dumps(good_claims() | {claim: "@"}).replace('"@"', text)
    return signed_text(json.dumps(good_header()), written)


def resealed(change: Callable[[bytes], bytes]) -> Token:
    """Return a good assertion, the 64 bytes of its signature changed."""

    def make() -> str:
        body, _, signature = KEY.assertion().rpartition(".")
        return f"{body}.{b64(change(urlsafe_b64decode(signature + '==')))}"

    return make


def numbers(r: int, s: int) -> Token:
    """Return an assertion with these two numbers for its signature."""
    return resealed(lambda _: r.to_bytes(32) + s.to_bytes(32))


def by_digest(digest: hashes.HashAlgorithm) -> str:
    """Return an assertion by the robot's key over another digest."""
    signed = f"{b64_json(good_header())}.{b64_json(good_claims())}"
    r, s = decode_dss_signature(KEY.private.sign(signed.encode(), ec.ECDSA(digest)))
    return f"{signed}.{b64(r.to_bytes(32) + s.to_bytes(32))}"


def tampered() -> str:
    """Return a good assertion with the claims of another robot."""
    head, _, signature = KEY.assertion().split(".")
    return f"{head}.{b64_json(claims_of('r2', NOW_S))}.{signature}"


def unused_bits() -> str:
    """Return a good assertion whose signature is another text of the same bytes."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    token = KEY.assertion()
    return token[:-1] + alphabet[alphabet.index(token[-1]) ^ 1]


def negated() -> dict[str, str]:
    """Return the point below KEY's, whose x is the same."""
    prime = 2**256 - 2**224 + 2**192 + 2**96 - 1
    y = prime - int.from_bytes(urlsafe_b64decode(KEY.jwk["y"] + "="))
    return KEY.jwk | {"y": b64(y.to_bytes(32))}


def forged_enrolment() -> str:
    """Return the enrolment of a key that its sender has only overheard."""
    said: dict[str, Any] = {"code": hash_code(CODE), "cnf": {"jwk": KEY.jwk}}
    return DeviceKey().assertion(header={"kid": KEY.kid}, **said)


def users_token(typ: str) -> Token:
    """Return a user's token, by the issuer's key, that says to be an assertion."""
    return lambda: signer().token(access_claims(), typ=typ)


PUBLIC = KEY.private.public_key()
PEM = PUBLIC.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
DER = PUBLIC.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
EMPTY_SIGNATURE = f"{b64_json(good_header(alg='none'))}.{b64_json(good_claims())}."
K1 = DeviceKey(ec.SECP256K1())
P384 = DeviceKey(ec.SECP384R1())

BAD: dict[str, tuple[str, Token]] = {
    # The kind of token
    "typ missing": ("typ", header(typ=ABSENT)),
    "typ JWT": ("typ", header(typ="JWT")),
    "typ at+jwt": ("typ", header(typ="at+jwt")),
    "typ in other case": ("typ", header(typ="Robosignal-Device+JWT")),
    "typ with its media type's tree": ("typ", header(typ="application/robosignal-device+jwt")),
    "typ a list": ("typ", header(typ=["robosignal-device+jwt"])),
    "typ of a rotation's proof": ("typ", header(typ="robosignal-rotation+jwt")),
    "a rotation's proof": ("typ", lambda: KEY.proof("r1", "conn=")),
    "a user's token": ("typ", lambda: signer().access()),
    "a user's token that says to be one": ("alg", users_token("robosignal-device+jwt")),
    # The algorithm
    "alg none": ("malformed", lambda: EMPTY_SIGNATURE),
    "alg none with a signature": ("alg", header(alg="none")),
    "HS256 by the PEM": ("alg", hmac_by(PEM)),
    "HS256 by the DER": ("alg", hmac_by(DER)),
    "HS256 by the JWK's text": ("alg", hmac_by(json.dumps(KEY.jwk).encode())),
    "HS256 by x": ("alg", hmac_by(KEY.jwk["x"].encode())),
    "alg RS256": ("alg", header(alg="RS256")),
    "alg ES384": ("alg", header(alg="ES384")),
    "alg ES512": ("alg", header(alg="ES512")),
    "alg ES256K": ("alg", header(alg="ES256K")),
    "alg EdDSA": ("alg", header(alg="EdDSA")),
    "alg es256": ("alg", header(alg="es256")),
    "alg a list": ("alg", header(alg=["ES256"])),
    "alg null": ("alg", header(alg=None)),
    "alg missing": ("alg", header(alg=ABSENT)),
    # The rest of the header
    "jwk": ("header", header(jwk=KEY.jwk)),
    "jku": ("header", header(jku="https://evil.example/keys")),
    "x5c": ("header", header(x5c=["AAAA"])),
    "x5u": ("header", header(x5u="https://evil.example/cert")),
    "x5t": ("header", header(x5t="AAAA")),
    "x5t#S256": ("header", header(**{"x5t#S256": "AAAA"})),
    "crit": ("header", header(crit=["exp"])),
    "b64": ("header", header(b64=False)),
    "zip": ("header", header(zip="DEF")),
    "kid missing": ("kid", header(kid=ABSENT)),
    "kid a number": ("kid", header(kid=1)),
    "kid a list": ("kid", header(kid=[KEY.kid])),
    "kid a path": ("kid", header(kid="../../../etc/passwd")),
    "kid with a newline": ("kid", header(kid=KEY.kid + "\n")),
    "kid a dunder": ("kid", header(kid="__class__")),
    "kid unknown": ("key", lambda: DeviceKey().assertion()),
    "kid of another key": ("signature", header(kid=OTHER.kid)),
    "kid ours, the key a stranger's": (
        "signature",
        lambda: DeviceKey().assertion(header={"kid": KEY.kid}),
    ),
    # The signature
    "DER": ("signature", lambda: KEY.assertion(der=True)),
    "secp256k1": ("signature", lambda: K1.assertion(header={"kid": KEY.kid})),
    "P-384": ("signature", lambda: P384.assertion(header={"kid": KEY.kid})),
    "SHA-384": ("signature", lambda: by_digest(hashes.SHA384())),
    "SHA-1": ("signature", lambda: by_digest(hashes.SHA1())),  # noqa: S303 - must be refused
    "claims of another robot": ("signature", tampered),
    "one bit": ("signature", resealed(lambda raw: raw[:-1] + bytes([raw[-1] ^ 1]))),
    "r and s swapped": ("signature", resealed(lambda raw: raw[32:] + raw[:32])),
    "r and s zero (CVE-2022-21449)": ("signature", numbers(0, 0)),
    "r and s one": ("signature", numbers(1, 1)),
    "r and s the order": ("signature", numbers(ORDER, ORDER)),
    "r and s too large": ("signature", numbers(2**256 - 1, 2**256 - 1)),
    "short": ("signature", resealed(lambda raw: raw[:63])),
    "long": ("signature", resealed(lambda raw: raw + b"\0")),
    # Who says so
    "iss of another robot": ("iss", claims(iss="robot:r2")),
    "iss missing": ("iss", claims(iss=ABSENT)),
    "sub missing": ("iss", claims(sub=ABSENT)),
    "neither": ("sub", claims(sub=ABSENT, iss=ABSENT)),
    "sub a user": ("sub", claims(sub="ann", iss="ann")),
    "sub without its prefix": ("sub", claims(sub="r1", iss="r1")),
    "sub with blanks": ("sub", claims(sub="robot: r1", iss="robot: r1")),
    "sub a code's row": ("sub", claims(sub="robot:#code:x", iss="robot:#code:x")),
    "sub with a newline": ("sub", claims(sub="robot:r1\n", iss="robot:r1\n")),
    "sub too long": ("sub", claims(sub="robot:" + "r" * 65, iss="robot:" + "r" * 65)),
    "sub a number": ("sub", claims(sub=1, iss=1)),
    "sub true beside 1": ("sub", claims(sub=True, iss=1)),
    "sub a list": ("sub", claims(sub=["robot:r1"], iss=["robot:r1"])),
    "sub without an id, and no code": ("sub", claims(sub="robot:", iss="robot:")),
    # For whom
    "aud missing": ("aud", claims(aud=ABSENT)),
    "aud null": ("aud", claims(aud=None)),
    "aud a list with ours": ("aud", claims(aud=[URL])),
    "aud another deployment": ("aud", claims(aud="wss://evil.example/prod")),
    "aud the beginning of ours": ("aud", claims(aud=URL[:-1])),
    "aud ours with a slash": ("aud", claims(aud=URL + "/")),
    "aud ours with a query": ("aud", claims(aud=URL + "?x=1")),
    "aud ours in other case": ("aud", claims(aud=URL.upper())),
    "aud ours over https": ("aud", claims(aud=URL.replace("wss", "https"))),
    "aud ours with its port": ("aud", claims(aud=URL.replace("/prod", ":443/prod"))),
    "aud ours with a blank": ("aud", claims(aud=URL + " ")),
    # When
    "iat missing": ("iat", claims(iat=ABSENT)),
    "iat true": ("iat", claims(iat=True)),
    "iat a text": ("iat", claims(iat=str(NOW_S))),
    "iat a fraction": ("iat", claims(iat=NOW_S + 0.5)),
    "iat a whole fraction": ("iat", claims(iat=float(NOW_S))),
    "iat null": ("iat", claims(iat=None)),
    "iat in milliseconds": ("iat", claims(iat=NOW, exp=NOW + 300)),
    "iat 31 s ahead": ("iat", claims(iat=NOW_S + 31, exp=NOW_S + 331)),
    "iat 10 min behind": ("expired", claims(iat=NOW_S - 600, exp=NOW_S - 300)),
    "of last year": ("expired", claims(iat=NOW_S - 31_536_000, exp=NOW_S - 31_535_700)),
    "short, and 5 min over": ("expired", claims(iat=NOW_S - 301, exp=NOW_S - 300)),
    "exp missing": ("exp", claims(exp=ABSENT)),
    "exp true": ("exp", claims(exp=True)),
    "exp Infinity": ("malformed", literal("exp", "Infinity")),
    "exp 1e400": ("malformed", literal("exp", "1e400")),
    "exp of 4,000 digits": ("malformed", literal("exp", "9" * 4000)),
    "exp 301 s after iat": ("lifetime", claims(exp=NOW_S + 301)),
    "exp for ever": ("lifetime", claims(exp=2**40)),
    "exp is iat": ("lifetime", claims(exp=NOW_S)),
    "exp before iat": ("lifetime", claims(exp=NOW_S - 1)),
    # Its number
    "jti missing": ("jti", claims(jti=ABSENT)),
    "jti of 127 bits": ("jti", claims(jti="A" * 21)),
    "jti longer": ("jti", claims(jti="A" * 23)),
    "jti with a newline": ("jti", claims(jti="A" * 21 + "\n")),
    "jti a number": ("jti", claims(jti=1)),
    "jti with a dot": ("jti", claims(jti="A" * 20 + ".x")),
    # Its text
    "claims twice": (
        "malformed",
        signed_text(json.dumps(good_header()), spliced(good_claims(), '"sub": "robot:r2"')),
    ),
    "header twice": (
        "malformed",
        signed_text(spliced(good_header(), '"alg": "none"'), json.dumps(good_claims())),
    ),
    "padded": ("malformed", lambda: KEY.assertion() + "="),
    "another text of the signature": ("malformed", unused_bits),
    "two parts": ("malformed", lambda: KEY.assertion().rpartition(".")[0]),
    "four parts": ("malformed", lambda: KEY.assertion() + ".AAAA"),
    "claims a list": ("malformed", signed_text(json.dumps(good_header()), "[1]")),
    "1 MB": ("malformed", claims(fill="x" * 1_000_000)),
    # Enrolling by a code
    "cnf missing": ("cnf", enrolment(cnf=ABSENT)),
    "cnf without a key": ("cnf", enrolment(cnf={})),
    "cnf of another key": ("cnf", enrolment(cnf={"jwk": OTHER.jwk})),
    "cnf by kid alone": ("cnf", enrolment(cnf={"kid": KEY.kid})),
    "cnf with the private key": ("cnf", enrolment(cnf={"jwk": KEY.jwk | {"d": KEY.jwk["x"]}})),
    "cnf of another curve": ("cnf", enrolment(cnf={"jwk": KEY.jwk | {"crv": "P-384"}})),
    "cnf of another type": ("cnf", enrolment(cnf={"jwk": KEY.jwk | {"kty": "OKP"}})),
    "cnf off the curve": ("cnf", enrolment(cnf={"jwk": KEY.jwk | {"y": KEY.jwk["x"]}})),
    "cnf the origin": ("cnf", enrolment(cnf={"jwk": KEY.jwk | {"x": "A" * 43, "y": "A" * 43}})),
    "cnf negated": ("cnf", lambda: KEY.enrolment(CODE, cnf={"jwk": negated()})),
    "cnf a list": ("cnf", enrolment(cnf=[KEY.jwk])),
    "code missing": ("code", coded(code=ABSENT)),
    "code itself": ("code", coded(code=CODE)),
    "code a list": ("code", coded(code=["A" * 43])),
    "code in hexadecimal": ("code", coded(code="a" * 64)),
    "an enrolment signed by another key": ("signature", forged_enrolment),
}
"""What is wrong, the rule that refuses it, and the token."""


@pytest.mark.parametrize(("rule", "token"), BAD.values(), ids=BAD)
def test_a_bad_assertion_is_refused(rule: str, token: Token) -> None:
    """By the rule against it, and by no other."""
    with pytest.raises(Unauthorized) as refused:
        verified(token())

    assert refused.value.reason.removeprefix("assertion ") == rule


@pytest.mark.parametrize(
    "token",
    [
        claims(),
        claims(iat=NOW_S + 30, exp=NOW_S + 330),
        claims(iat=NOW_S - 599, exp=NOW_S - 299),
        claims(exp=NOW_S + 1),
        claims(nonce="unknown members are ignored"),
        enrolment(),
        enrolment(sub="robot:", iss="robot:"),
        resealed(lambda raw: raw[:32] + (ORDER - int.from_bytes(raw[32:])).to_bytes(32)),
    ],
    ids=["plain", "30 s ahead", "599 s behind", "short", "more", "code", "no id", "other s"],
)
def test_what_the_bad_ones_are_made_of_is_good(token: Token) -> None:
    """Up to the limits; that a signature has two forms matters not, since `jti` is signed."""
    assert verified(token()).kid == KEY.kid


def test_an_assertion_is_no_users_token() -> None:
    """The rules for users refuse it, also from a key that the issuer would have."""
    with pytest.raises(Unauthorized) as refused:
        verify(KEY.assertion(), [issuer_of(signer())], NOW)

    assert refused.value.reason == "alg"
    assert is_assertion(KEY.assertion())
    assert not is_assertion(signer().access())
    assert not is_assertion("")


# By `$connect`


def connected(world: World, token: str, carrier: str = "protocol") -> dict[str, Any]:
    """Return the answer to `$connect` with this token, and close what it opens."""
    peer = world.dial()
    carriers: dict[str, dict[str, Any]] = {
        "protocol": {"headers": {"Sec-WebSocket-Protocol": f"robosignal.v1, bearer.{token}"}},
        "header": {"headers": {"Authorization": f"Bearer {token}"}},
        "query": {"queryStringParameters": {"token": token}},
    }
    return world.event("CONNECT", peer, **carriers[carrier])


def test_every_refusal_is_one_answer(world: World) -> None:
    """Who tries learns nothing: of a robot, a key, a clock, a signature."""
    world.enroll(KEY)
    world.enroll(OTHER)
    # What is too long for any header gets another text from the carriers' rules.
    tokens = [token() for why, (_, token) in BAD.items() if why not in ("1 MB", "a user's token")]
    tokens = [each for each in tokens if not each.endswith(("=", "\n"))]
    tokens.append(KEY.assertion("unknown"))

    answers = {json.dumps(connected(world, token), sort_keys=True) for token in tokens}

    (answer,) = answers
    assert json.loads(answer)["statusCode"] == 401


def test_an_assertion_in_the_query_is_refused(world: World) -> None:
    """Proxies and logs keep it. The same one in a header is accepted."""
    world.enroll(KEY)

    statuses = [
        connected(world, KEY.assertion(now_s=world.now // 1000), carrier)["statusCode"]
        for carrier in ("query", "header", "protocol")
    ]

    assert statuses == [401, 200, 200]


class Counting(LocalStore):
    """Counts what is read."""

    def __init__(self) -> None:
        super().__init__(None)
        self.reads: Counter[str] = Counter()

    def robot(self, robot: RobotId) -> Robot | None:
        """Return a robot's item."""
        self.reads["robot"] += 1
        return super().robot(robot)

    def code(self, code_hash: str) -> Code | None:
        """Return a code's item."""
        self.reads["code"] += 1
        return super().code(code_hash)


@contextmanager
def counted_signatures() -> Iterator[Counter[str]]:
    """Count the signatures that are checked meanwhile, by any library."""
    counted: Counter[str] = Counter()

    def note(frame: FrameType, event: str, _: object) -> None:
        if (
            event == "call"
            and frame.f_code.co_name == "verify"
            and "jose" in frame.f_code.co_filename
        ):
            counted["signature"] += 1

    before = sys.getprofile()
    sys.setprofile(note)
    try:
        yield counted
    finally:
        sys.setprofile(before)


def test_unknown_robots_keys_and_codes_cost_the_same_work() -> None:
    """One read and one signature, so that no stranger learns from the time what there is."""
    store = Counting()
    world = World(store, signer())
    world.enroll(KEY)
    code = world.connect("owner").ask(type="create-code", robotId="r2", approve=True)["code"]
    waiting = DeviceKey()
    peer, _ = world.dial_device(waiting.enrolment(code, "r2", now_s=world.now // 1000))
    peer.ask(type="enroll", code=code)
    now_s = world.now // 1000
    forged = DeviceKey().assertion(now_s=now_s, header={"kid": KEY.kid})
    tokens = {
        "good": KEY.assertion(now_s=now_s),
        "unknown robot": KEY.assertion("unknown", now_s=now_s),
        "unknown key": OTHER.assertion(now_s=now_s),
        "bad signature": forged,
        "waiting": waiting.assertion("r2", now_s=now_s),
        "unknown code": KEY.enrolment(CODE, now_s=now_s),
        "known code": KEY.enrolment(code, "r2", now_s=now_s),
    }
    work: dict[str, tuple[int, dict[str, int]]] = {}
    for name, token in tokens.items():
        store.reads.clear()
        with counted_signatures() as signatures:
            status = connected(world, token)["statusCode"]
        work[name] = (status, dict(store.reads + signatures))

    by_robot, by_code = {"robot": 1, "signature": 1}, {"code": 1, "signature": 1}
    assert work == {
        "good": (200, by_robot),
        "unknown robot": (401, by_robot),
        "unknown key": (401, by_robot),
        "bad signature": (401, by_robot),
        "waiting": (401, by_robot),
        "unknown code": (401, by_code),
        "known code": (200, by_code),
    }


def test_a_key_past_its_end_opens_nothing_and_its_socket_ends_with_it(world: World) -> None:
    """A connection that was opened before lasts until then at most."""
    world.enroll(KEY)
    robot = world.device_robot(KEY)
    proof = OTHER.proof("r1", robot.connection_id)
    robot.ask(type="rotate-key", publicKey=OTHER.jwk, proof=proof)
    world.pass_seconds(7 * 86_400 - 60)
    last = world.device(KEY)
    row = world.store.connection(last.connection_id)
    end = (world.item().keys or {})[KEY.kid].not_after

    world.pass_seconds(60)

    assert row is not None
    assert row.expires_at == end
    assert connected(world, KEY.assertion(now_s=world.now // 1000))["statusCode"] == 401
    last.send(type="register", robotId="r1", id="q")
    assert (last.status, last.is_open) == (401, False)


def test_a_key_that_is_revoked_in_flight_registers_nothing(world: World) -> None:
    """Between `$connect` and `register`: whatever the second that its assertion is of."""
    world.enroll(KEY)
    world.enroll(OTHER)
    early = [world.device(KEY, iat=world.now // 1000 + s) for s in (0, 5, 9)]
    world.connect("owner").ask(type="revoke-key", robotId="r1", kid=KEY.kid)

    refused = [
        peer.refused(type="register", robotId="r1", instanceId=f"run-{number}")
        for number, peer in enumerate(early)
    ]

    assert refused == [(403, "forbidden")] * 3
    assert world.item().connection_id is None


def test_a_signature_of_der_is_refused_even_at_the_length_of_joses() -> None:
    """It is 70 to 72 bytes by nature; small numbers make it 64."""
    body = KEY.assertion().rpartition(".")[0]
    der = encode_dss_signature(2 ** (8 * 29 - 2), 2 ** (8 * 29 - 2))
    assert len(der) == 64

    with pytest.raises(Unauthorized) as refused:
        verified(f"{body}.{b64(der)}")

    assert refused.value.reason == "assertion signature"
