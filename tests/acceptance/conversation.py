"""A conversation full of secrets, which a test then looks for in the log.

A generator of what is dialled and said, which is sent each reply: it can be had over sockets or
with a handler. It knows nothing of either.
"""

import json
import time
from base64 import urlsafe_b64decode
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.device import DeviceKey

Frame = dict[str, Any]

ROBOT = "rover-1"
FORGED = "FORGED control changed reason=admin robot=rover-1 by=mallory"
BREAK = f"x\n{FORGED}\r\n{FORGED}"
"""A text of a client's that would begin a line of its own."""

ADDRESSES = ("198.51.100.23", "203.0.113.77", "2001:db8::5ec")
PASSWORD = "WXyzWXyz5ecretWXyz5ecret"
SDP = (
    f"v=0\r\no=- 4611 2 IN IP4 {ADDRESSES[0]}\r\ns=-\r\nt=0 0\r\n"
    f"a=ice-ufrag:WXyz\r\na=ice-pwd:{PASSWORD}\r\na=fingerprint:sha-256 5E:C2:E7\r\n"
)
CANDIDATES = tuple(
    f"candidate:{n} 1 udp 2122260223 {address} 50123 typ host"
    for n, address in enumerate(ADDRESSES)
)


@dataclass(frozen=True)
class Dial:
    """Connect; the outcome is the handshake's status."""

    who: str
    token: str
    carrier: str = "subprotocol"


@dataclass(frozen=True)
class Say:
    """Send a text; the outcome is the frame that answers it."""

    who: str
    text: str


@dataclass(frozen=True)
class Leave:
    """Close the connection, for this reason."""

    who: str
    reason: str = BREAK[:100]


Deed = Dial | Say | Leave
Conversation = Generator[Deed, Any, None]
Token = Callable[[str, list[str]], str]


@dataclass
class Secrets:
    """Everything that no log may hold, as far as it has come up."""

    found: set[str] = field(default_factory=set)

    def token(self, token: str) -> str:
        """Note a token: its claims and its signature are as good as the whole."""
        self.found |= {part for part in token.split(".")[1:] if len(part) > 8} | {token}
        return token

    def reply(self, frame: Frame) -> Frame:
        """Note the passwords in a reply, and the code that it makes."""
        for server in frame.get("iceServers", []):
            self.found |= {server[name] for name in ("credential",) if name in server}
        self.found |= {frame["code"]} if frame["type"] == "code" else set()
        return frame

    def in_log(self, log: str) -> list[str]:
        """Return which of them the log holds, and each line that a client has begun."""
        known = {*self.found, *ADDRESSES, *CANDIDATES, PASSWORD, "v=0", "ice-ufrag", "typ host"}
        # A line's end may be written out, which is the way to do it.
        forged = [line for line in log.splitlines() if line.lstrip().startswith("FORGED")]
        return sorted(secret for secret in known if secret in log) + forged


def conversation(token: Token, bad: list[str], secrets: Secrets) -> Conversation:
    """Have a robot and three people go through everything that is logged, or could be."""
    for number, one in enumerate(bad):
        for carrier in ("subprotocol", "header", "query"):
            yield Dial(f"bad {number} {carrier}", secrets.token(one), carrier)
    for who, groups, carrier in (
        ("owner", [], "header"),
        ("ann", [], "subprotocol"),
        ("boss", ["ADMINS"], "query"),
        ("mallory", [], "subprotocol"),
    ):
        user = "ann" if who == "owner" else who
        admitted = yield Dial(who, secrets.token(token(user, groups)), carrier)
        assert admitted in (101, 200), who
        welcome = yield from _ask(who, type="ready", protocol=1)
        secrets.reply(welcome)
    yield from _driving(secrets)
    yield from _refused()
    yield from _ending()


def keyed(token: Token, audience: str, secrets: Secrets) -> Conversation:
    """Have a robot enrol by a code, connect by its key, replace that, and be revoked."""
    key, new, now_s = DeviceKey(), DeviceKey(), int(time.time())
    yield Dial("maker", secrets.token(token("maker", [])))
    made = secrets.reply((yield from _ask("maker", type="create-code", robotId=KEYED_ROBOT)))
    enrolment = key.enrolment(made["code"], KEYED_ROBOT, now_s=now_s, aud=audience)
    # A hash is as good as the code to who would try them all, and so is its plain form.
    secrets.found |= {made["code"].replace("-", ""), claims_of(enrolment)["code"]}
    assert (yield Dial("coder", secrets.token(enrolment))) in (101, 200)
    for code in ("AAAA-AAAA-AAAA-AAAA", made["code"].replace("-", " ") + BREAK, made["code"]):
        reply = yield from _ask("coder", type="enroll", code=code)
    assert reply["type"] == "ack", reply
    wrongs: tuple[dict[str, Any], ...] = (
        {"aud": audience + BREAK},
        {"jti": BREAK},
        {"sub": BREAK, "iss": BREAK},
    )
    for wrong in wrongs:
        bad = key.assertion(KEYED_ROBOT, now_s=now_s, **({"aud": audience} | wrong))
        assert (yield Dial("bad device", secrets.token(bad))) == 401
    assertion = secrets.token(key.assertion(KEYED_ROBOT, now_s=now_s, aud=audience))
    assert (yield Dial("device", assertion)) in (101, 200)
    welcome = yield from _ask("device", type="ready", protocol=1)
    about = {"robotId": KEYED_ROBOT}
    registered = yield from _ask("device", type="register", instanceId="a", **about)
    assert registered["type"] == "registered", registered
    proof = secrets.token(new.proof(KEYED_ROBOT, welcome["connectionId"]))
    rotated = yield from _ask("device", type="rotate-key", publicKey=new.jwk, proof=proof)
    assert rotated["type"] == "ack", rotated
    private = {"publicKey": key.jwk | {"d": PASSWORD}}
    yield from _ask("maker", type="enroll", **about, **private)
    for kid in (new.kid, key.kid):
        ended = yield from _ask("maker", type="revoke-key", kid=kid, **about)
        assert ended["type"] == "ack", ended


KEYED_ROBOT = "rover-2"


def claims_of(token: str) -> dict[str, Any]:
    """Return what a token says."""
    said: dict[str, Any] = json.loads(urlsafe_b64decode(token.split(".")[1] + "=="))
    return said


def broken(token: Token, secrets: Secrets) -> Conversation:
    """Have somebody offer to a backend whose table is lost."""
    yield Dial("late", secrets.token(token("late", [])))
    failed = yield from _ask("late", type="offer", robotId=ROBOT, payload={"sdp": SDP})
    assert failed["code"] == "internal", failed


def _ask(who: str, **message: Any) -> Generator[Deed, Frame, Frame]:
    return (yield Say(who, json.dumps({"id": "q", **message})))


def _driving(secrets: Secrets) -> Generator[Deed, Frame, None]:
    metadata = {"place": BREAK}
    registered = yield from _ask(
        "owner", type="register", robotId=ROBOT, instanceId="a", metadata=metadata
    )
    secrets.reply(registered)
    secrets.reply((yield from _ask("ann", type="ice-servers")))
    yield from _ask("boss", type="watch", all=True)
    offer = {"type": "offer", "robotId": ROBOT, "payload": {"type": "offer", "sdp": SDP}}
    opened = yield from _ask("ann", **offer)
    assert opened["role"] == "controller", opened
    here = {"sessionId": opened["sessionId"]}
    answer = {"type": "answer", "payload": {"type": "answer", "sdp": SDP}}
    assert (yield from _ask("owner", **answer, **here))["type"] == "ack"
    for who in ("ann", "owner"):
        for candidate in CANDIDATES:
            relayed = {"type": "ice-candidate", "payload": {"candidate": candidate}}
            assert (yield from _ask(who, **relayed, **here))["type"] == "ack"
    assert (yield from _ask("boss", **offer))["code"] == "robot_busy"
    assert "epoch" in (yield from _ask("boss", type="takeover", robotId=ROBOT))
    assert (yield from _ask("ann", **offer, role="viewer"))["role"] == "viewer"
    yield from _ask("ann", type="request-control", robotId=ROBOT)
    yield from _ask("boss", type="release-control", robotId=ROBOT)


def _refused() -> Generator[Deed, Frame, None]:
    for text in _nonsense():
        refused = yield Say("mallory", text)
        assert refused["type"] == "error", text[:80]


def _nonsense() -> Iterator[str]:
    """Yield frames that are each refused, for as many reasons as there are."""
    yield f"{BREAK} {SDP}"
    yield json.dumps([SDP, CANDIDATES])
    yield json.dumps({"id": "q", "type": BREAK, "sdp": SDP})
    yield json.dumps({"id": BREAK, "type": "ping"})
    payload = {"sdp": SDP, "candidate": CANDIDATES[0]}
    for robot in (BREAK, SDP, ROBOT, "none-such"):
        yield json.dumps({"id": "q", "type": "offer", "robotId": robot, "payload": payload})
    for field_name in ("to", "clientConnectionId", "sessionId", "pcId", "role", "target"):
        said = {"type": "offer", "robotId": ROBOT, "payload": payload, field_name: BREAK + SDP}
        yield json.dumps({"id": "q", **said})
    yield json.dumps({"id": "q", "type": "ice-candidate", "payload": CANDIDATES})
    yield json.dumps({"id": "q", "type": "offer", "sdp": SDP * 300})
    yield json.dumps({"id": "q", "type": "robots", "cursor": BREAK})
    yield json.dumps({"id": "q", "type": "register", "robotId": ROBOT, "metadata": {"a": SDP * 9}})


def _ending() -> Generator[Deed, Frame, None]:
    yield Leave("mallory")
    yield from _ask("ann", type="bye", robotId=ROBOT)
    yield from _ask("owner", type="unregister", robotId=ROBOT)
    yield from _ask("ann", type="forget", robotId=ROBOT)
    for who in ("owner", "ann", "boss"):
        yield Leave(who)
