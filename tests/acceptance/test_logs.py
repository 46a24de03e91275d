"""Nothing secret is in any log: a whole conversation, with every line at its most talkative.

The gateway is a process of its own, and so is the Lambda. Both log at DEBUG, the libraries'
loggers included.
"""

import time
from pathlib import Path

from robosignal.gateway.keys import LocalKey
from tests.acceptance.conversation import BREAK, Secrets, broken, conversation, keyed
from tests.acceptance.talkative import TURN, TURN_SECRET, Callers, Function, served
from tests.device import URL
from tests.server.test_handler import ENVIRONMENT
from tests.tokens import access_claims, signer


def bad_of(good: str) -> list[str]:
    """Return tokens that open nothing."""
    head, claims, signature = good.split(".")
    return [f"{head}.{claims}.{signature[::-1]}", f"{head}.{signature}.{claims}", signature]


async def test_the_gateways_log_holds_no_secret(tmp_path: Path) -> None:
    """Nor a line that a client has begun; but who drives, and why somebody was refused."""
    secrets = Secrets({TURN_SECRET})
    async with served(tmp_path) as (url, lines):
        key = LocalKey.load(tmp_path)
        forged = LocalKey.ephemeral().sign("eve")
        expired = key.sign("eve", ttl_s=1, now_s=1_700_000_000)
        bad = [*bad_of(key.sign("eve")), forged, expired]
        await Callers(url).have(conversation(key.sign, bad, secrets))
        await Callers(url).have(keyed(key.sign, url, secrets))
    log = "".join(lines)

    assert secrets.in_log(log) == []
    for told in ("reason=admin", "code=unauthorized", "code=bad_message", "code=robot_busy"):
        assert told in log
    # Of refused connections, one a second has a line: which one is chance.
    for told in ("enrolled", "rotated", "revoked"):
        assert told in log
    assert len(secrets.found) > 20


def test_the_functions_log_holds_no_secret(jwks: str, tmp_path: Path) -> None:
    """With its log level at DEBUG, and with a fault of ours: every line is JSON."""
    secrets, log = Secrets({TURN_SECRET}), tmp_path / "log"
    now_s = time.time_ns() // 10**9

    def token(user: str, groups: list[str]) -> str:
        named = {"sub": user, "username": user, "name": BREAK, "cognito:groups": groups}
        return signer().access(**named, iat=now_s, exp=now_s + 600)

    claims = access_claims(iat=now_s, exp=now_s + 600)
    forged = signer("forger").token(claims, kid=signer().kid)
    expired = signer().access(iat=1_700_000_000, exp=1_700_000_600)
    bad = [*bad_of(token("eve", [])), forged, expired]
    more = {"TOKEN_JWKS_URL": jwks, "SECRET": TURN_SECRET, "DEVICE_AUDIENCES": URL}
    function = Function(ENVIRONMENT | TURN | more, log)
    try:
        function.have(conversation(token, bad, secrets))
        function.have(keyed(token, URL, secrets))
        function.lose_its_table()
        function.have(broken(token, secrets))
    finally:
        function.end()
    lines = log.read_text().splitlines()

    assert secrets.in_log("\n".join(lines)) == []
    assert [line for line in lines if not line.startswith("{")] == []
    told = "".join(lines)
    for each in (
        "control changed",
        "unauthorized",
        "bad_message",
        "request failed",
        "enrolled",
        "revoked",
    ):
        assert each in told
