"""Robots' keys and codes come, go and are used in any order; a plain reference says what is due.

Written from the rules alone: who may let a key in, which key opens a connection, which assertion
registers one.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    invariant,
    precondition,
    rule,
)

from robosignal.gateway.store import LocalStore
from robosignal.protocol.device_keys import hash_code
from robosignal.protocol.ids import RobotId
from tests.device import DeviceKey
from tests.model.running import SOAK, Model, run_model
from tests.tokens import b64, signer
from tests.world import Peer, World

ROBOT = RobotId("r1")
KEYS = [DeviceKey() for _ in range(5)]
USERS = ["ann", "bob", "boss"]

RUNS = 10_000 if SOAK else 150
DAY_S = 86_400
WEEK_MS = 7 * DAY_S * 1000

keys = st.sampled_from(KEYS)
users = st.sampled_from([*USERS, "ann", "ann"])


@dataclass
class Held:
    """A key that was let in."""

    pending: bool = False
    until: float = float("inf")
    code: str | None = None


@dataclass
class Made:
    """A code: whose robots it enrols, and by which key it was taken."""

    text: str
    owner: str
    approve: bool
    until: int
    key: str | None = None


@dataclass
class Opened:
    """A robot's own connection, and the assertion that has opened it."""

    peer: Peer
    key: DeviceKey
    token: str
    iat: int
    jti: str
    until: float


@dataclass
class Reference:
    """One robot: whose, with which keys, and which assertions have registered it."""

    owner: str | None = None
    held: dict[str, Held] | None = None
    """None: no key was ever let in since the robot's item was made."""
    present: Opened | None = None
    newest: int = 0
    used: dict[str, str] = field(default_factory=dict)

    def opens(self, kid: str, now: int) -> bool:
        """Say whether a key opens connections and registers them."""
        key = (self.held or {}).get(kid)
        return key is not None and not key.pending and now < key.until

    def has_room(self, now: int) -> bool:
        """Say whether one more key may come."""
        return sum(now < key.until for key in (self.held or {}).values()) < 3

    def add(self, kid: str, key: Held, now: int) -> None:
        """Let a key in; those that have ended leave."""
        standing = {each: had for each, had in (self.held or {}).items() if now < had.until}
        self.held = {**standing, kid: key}


class Enrolling(Model):
    """A robot, its keys, and a reference beside the backend."""

    @initialize()
    def begin(self) -> None:
        """Begin with nothing."""
        self.world = World(LocalStore(None), signer())
        self.model = Reference()
        self.codes: list[Made] = []
        self.opened: list[Opened] = []
        self.serial = 0

    def _said(self, peer: Peer, expected: str, **message: Any) -> dict[str, Any]:
        """Send a message; its reply must be the one that is due."""
        reply = peer.send(id="q", **message)
        if reply is None:
            reply = peer.frames[-1]
        Enrolling.messages += 1
        self.world.now += 1

        assert reply.get("code" if reply["type"] == "error" else "type") == expected, (
            message,
            reply,
        )
        return reply

    def _user(self, user: str) -> Peer:
        return self.world.connect(user, groups=["admins"] if user == "boss" else [])

    def _owns(self, user: str) -> bool:
        return user in ("boss", self.model.owner)

    # Letting keys in

    @rule(user=users, key=keys)
    def enrols(self, user: str, key: DeviceKey) -> None:
        """Its owner, an admin, or anyone while it has no owner."""
        model, peer = self.model, self._user(user)
        now = self.world.now
        known = (model.held or {}).get(key.kid)
        due = "ack"
        if model.owner is not None and not self._owns(user):
            due = "forbidden"
        elif known is not None:
            due = "bad_message" if known.pending or known.until <= now else "ack"
        elif model.held is not None and not model.has_room(now):
            due = "bad_message"
        else:
            model.owner = model.owner or user
            model.add(key.kid, Held(), now)
        self._said(peer, due, type="enroll", robotId=ROBOT, publicKey=key.jwk)

    @rule(user=users, approve=st.booleans())
    def makes_a_code(self, user: str, *, approve: bool) -> None:
        """For a robot of one's own, or one without an owner."""
        peer, owner = self._user(user), self.model.owner
        due = "code" if owner in (None, user) else "bad_message" if user == "boss" else "forbidden"
        more = {"approve": approve, "ttlSeconds": DAY_S}
        until = self.world.now + DAY_S * 1000
        said = self._said(peer, due, type="create-code", robotId=ROBOT, **more)
        if due == "code":
            self.codes.append(Made(said["code"], user, approve, until))

    @precondition(lambda self: self.codes)
    @rule(data=st.data(), key=keys)
    def enrols_by_code(self, data: st.DataObject, key: DeviceKey) -> None:
        """The robot itself, by any code that there was."""
        code = data.draw(st.sampled_from(self.codes))
        token = key.enrolment(code.text, ROBOT, now_s=self.world.now // 1000)
        peer, status = self.world.dial_device(token)
        is_valid = self.world.now < code.until

        assert status == (200 if is_valid else 401)
        if is_valid:
            self._said(peer, self._by_code(key.kid, code), type="enroll", code=code.text)

    def _by_code(self, kid: str, code: Made) -> str:
        """Return the reply that is due to an enrolment by code, and do it."""
        model, now = self.model, self.world.now
        known = (model.held or {}).get(kid)
        if known is not None and (known.code == code.text or model.owner == code.owner):
            if now < known.until and code.key == kid:
                code.key = ""
            return "ack" if now < known.until else "bad_message"
        if model.owner not in (None, code.owner):
            return "forbidden"
        if model.held is not None and not code.approve:
            return "forbidden"
        if model.held is not None and not model.has_room(now):
            return "bad_message"
        if code.key is not None and code.key != kid:
            return "forbidden"
        code.key = ""
        model.owner = model.owner or code.owner
        model.add(kid, Held(pending=code.approve, code=code.text), now)
        return "ack"

    @rule(user=users, key=keys)
    def approves(self, user: str, key: DeviceKey) -> None:
        """Its owner has compared fingerprints."""
        peer, known = self._user(user), (self.model.held or {}).get(key.kid)
        due = "ack" if known else "bad_message"
        if self.model.owner is None:
            due = "robot_offline" if user == "boss" else "forbidden"
        elif not self._owns(user):
            due = "forbidden"
        elif known:
            known.pending = False
        self._said(peer, due, type="approve-key", robotId=ROBOT, kid=key.kid)

    @rule(user=users, key=keys)
    def revokes(self, user: str, key: DeviceKey) -> None:
        """For good: what it has registered ends."""
        model, peer = self.model, self._user(user)
        due = "ack"
        if model.owner is None:
            due = "robot_offline" if user == "boss" else "forbidden"
        elif not self._owns(user):
            due = "forbidden"
        else:
            was = (model.held or {}).pop(key.kid, None)
            present = model.present
            if was is not None and present is not None and present.key is key:
                model.present = None
                self.opened = [each for each in self.opened if each is not present]
        self._said(peer, due, type="revoke-key", robotId=ROBOT, kid=key.kid)

    @rule(user=users)
    def revokes_all(self, user: str) -> None:
        """At once: what any of them has registered ends; what a token has, stays."""
        model, peer = self.model, self._user(user)
        due = "ack"
        if model.owner is None:
            due = "robot_offline" if user == "boss" else "forbidden"
        elif not self._owns(user):
            due = "forbidden"
        elif model.held is not None:
            present, model.held, model.present = model.present, {}, None
            self.opened = [each for each in self.opened if each is not present]
        self._said(peer, due, type="revoke-key", robotId=ROBOT, all=True)

    @precondition(lambda self: self.model.owner)
    @rule(user=st.sampled_from(USERS))
    def forgets(self, user: str) -> None:
        """Nothing is known of it then, but what codes have noted."""
        peer = self._user(user)
        due = "ack" if self._owns(user) else "forbidden"
        if due == "ack":
            self.model = Reference()
        self._said(peer, due, type="forget", robotId=ROBOT)

    @precondition(lambda self: self.model.owner)
    @rule(user=users, to=st.sampled_from(["ann", "bob"]))
    def transfers(self, user: str, to: str) -> None:
        """The keys are the robot's, and stay."""
        peer = self._user(user)
        is_theirs = self.model.owner == to and self._owns(user)
        due = "ack" if self._owns(user) else "forbidden"
        if due == "ack" and not is_theirs:
            self.model.owner, self.model.present = to, None
        self._said(peer, due, type="transfer", robotId=ROBOT, userId=to)

    # Using them

    @rule(key=keys, ahead=st.sampled_from([0, 0, 0, -2, 1, 20]))
    def connects(self, key: DeviceKey, ahead: int) -> None:
        """By an assertion of now, or by a clock that is wrong."""
        self.serial += 1
        jti, iat = b64(self.serial.to_bytes(16)), self.world.now // 1000 + ahead
        token = key.assertion(ROBOT, now_s=iat, jti=jti)
        self._dial(key, token, iat, jti)

    def _dial(self, key: DeviceKey, token: str, iat: int, jti: str) -> None:
        peer, status = self.world.dial_device(token)
        now = self.world.now
        is_good = self.model.opens(key.kid, now) and iat * 1000 <= now + 30_000
        is_good = is_good and now < (iat + 600) * 1000
        is_good = is_good and iat >= self.model.newest and jti not in self.model.used

        assert status == (200 if is_good else 401)
        if is_good:
            held = (self.model.held or {})[key.kid]
            until = min(now + 7_200_000, held.until)
            self.opened.append(Opened(peer, key, token, iat, jti, until))

    @precondition(lambda self: self.opened)
    @rule(data=st.data())
    def replays(self, data: st.DataObject) -> None:
        """Who has overheard an assertion connects by it too."""
        whose = data.draw(st.sampled_from(self.opened))
        self._dial(whose.key, whose.token, whose.iat, whose.jti)

    @precondition(lambda self: self.opened)
    @rule(data=st.data(), run=st.sampled_from(["run-1", "run-2"]))
    def registers(self, data: st.DataObject, run: str) -> None:
        """Any of the connections that were opened, most often the last."""
        last = [self.opened[-1]] * 3
        mine = data.draw(st.sampled_from([*last, *self.opened]))
        due = self._registered(mine)
        if due == "token_expired":
            self.opened = [each for each in self.opened if each is not mine]
        self._said(mine.peer, due, type="register", robotId=ROBOT, instanceId=run)

    def _registered(self, mine: Opened) -> str:
        """Return the reply that is due to a robot that registers, and do it."""
        model, now = self.model, self.world.now
        me, present = mine.peer.connection_id, model.present
        if mine.until <= now:
            return "token_expired"
        if not model.opens(mine.key.kid, now):
            return "forbidden"
        if present is not None and present.peer.connected_at > mine.peer.connected_at:
            return "not_registered"
        if mine.iat < model.newest or model.used.get(mine.jti, me) != me:
            return "token_expired"
        if mine.iat == model.newest and mine.jti not in model.used and len(model.used) >= 8:
            return "try_again"
        kept = model.used if mine.iat == model.newest else {}
        model.newest, model.used, model.present = mine.iat, {**kept, mine.jti: me}, mine
        return "registered"

    @precondition(lambda self: self.model.present)
    @rule(key=keys)
    def rotates(self, key: DeviceKey) -> None:
        """The robot that is registered replaces its key; the old one has a week."""
        model, now, mine = self.model, self.world.now, self.model.present
        assert mine is not None
        due = "ack"
        known = (model.held or {}).get(key.kid)
        if mine.until <= now:
            due = "token_expired"
            self.opened = [each for each in self.opened if each is not mine]
        elif key is mine.key:
            due = "bad_message"
        elif known is None:
            if model.opens(mine.key.kid, now) and model.has_room(now):
                model.add(key.kid, Held(), now)
                (model.held or {})[mine.key.kid].until = now + WEEK_MS
            else:
                due = "bad_message"
        proof = key.proof(ROBOT, mine.peer.connection_id)
        self._said(mine.peer, due, type="rotate-key", publicKey=key.jwk, proof=proof)

    @rule(seconds=st.sampled_from([1, 1, 5, 61, 700, 7300, DAY_S, 7 * DAY_S]))
    def time_passes(self, seconds: int) -> None:
        """Codes, keys and assertions end by themselves."""
        self.world.pass_seconds(seconds)

    # What is always so

    @invariant()
    def agrees_with_the_reference(self) -> None:
        """Whose it is, its keys, who is registered, and what each code has noted."""
        if not hasattr(self, "world"):
            return
        item, model = self.world.store.robot(ROBOT), self.model
        if item is None:
            assert model == Reference()
        else:
            held = (
                None
                if item.keys is None
                else {
                    kid: (key.pending, key.not_after or float("inf"))
                    for kid, key in item.keys.items()
                }
            )
            due = (
                None
                if model.held is None
                else {kid: (key.pending, key.until) for kid, key in model.held.items()}
            )
            present = model.present and model.present.peer.connection_id

            assert (item.owner_user_id, held) == (model.owner, due)
            assert item.connection_id == present
            assert (item.last_iat, item.assertions) == (model.newest, model.used)
        for code in self.codes:
            kept = self.world.store.code(hash_code(code.text))

            assert kept is None or kept.takers == ({} if code.key is None else {ROBOT: code.key})


def test_whatever_happens_to_keys_the_reference_agrees(
    record_property: Callable[[str, object], None],
) -> None:
    """Each reply is the one that is due, and the robot's keys are those that were let in."""
    run_model(Enrolling, RUNS, "model, keys", record_property)
