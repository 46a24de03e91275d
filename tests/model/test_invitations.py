"""Users are invited, accept and leave in any order; a plain reference says what is due.

Written from the rules alone: who may invite, what an invitation gives, and when it is void.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, precondition, rule

from robosignal.gateway.store import LocalStore
from robosignal.protocol.ids import RobotId
from tests.model.running import SOAK, Model, run_model
from tests.tokens import signer
from tests.world import Peer, World

ROBOT = RobotId("r1")
OWNERS = ["ann", "boss"]
USERS = ["ann", "bob", "cy", "boss"]
RUNS = 10_000 if SOAK else 200

HOUR_MS = 3_600_000
NEVER = float("inf")

users = st.sampled_from(USERS)
roles = st.sampled_from(["operator", "viewer"])
hours = st.sampled_from([None, None, 1, 2])


@dataclass
class Held:
    """A share, or an offer of one."""

    role: str
    until: float
    offered: bool = False

    def gives(self, role: str, until: float, now: int) -> bool:
        """Say whether it gives this now, or more."""
        if self.offered or self.until <= now:
            return False
        return (self.role == "operator", self.until) >= (role == "operator", until)


@dataclass
class Made:
    """An invitation: what it gives, how long, and who has used it."""

    text: str
    role: str
    until: float
    ends: int
    uses: int
    valid: bool = True
    used: set[str] = field(default_factory=set)


class Inviting(Model):
    """One robot, its shares and invitations, and a reference beside the backend."""

    @initialize()
    def begin(self) -> None:
        """Begin with ann's robot."""
        self.world = World(LocalStore(None), signer())
        self.owner: str | None = None
        self.shares: dict[str, Held] = {}
        self.made: list[Made] = []
        self.registers("ann")

    def _said(self, peer: Peer, expected: str, **message: Any) -> dict[str, Any]:
        """Send a message; its reply must be the one that is due."""
        reply = peer.ask(**message)
        Inviting.messages += 1
        self.world.now += 1

        assert reply.get("code" if reply["type"] == "error" else "type") == expected, (
            message,
            reply,
        )
        return reply

    def _user(self, user: str) -> Peer:
        return self.world.connect(user, groups=["admins"] if user == "boss" else [])

    def _decides(self, user: str) -> bool:
        return self.owner is not None and user in (self.owner, "boss")

    def _refusal(self, user: str) -> str:
        return "robot_offline" if user == "boss" and self.owner is None else "forbidden"

    @rule(user=st.sampled_from(["ann", "bob"]))
    def registers(self, user: str) -> None:
        """Who registers it first owns it."""
        due = "registered" if self.owner in (None, user) else "owned_by_another"
        self.owner = self.owner or user
        self._said(self._user(user), due, type="register", robotId=ROBOT)

    @rule(user=users, role=roles, hours=hours, uses=st.integers(1, 2), ttl=st.sampled_from([1, 5]))
    def invites(self, user: str, role: str, hours: int | None, uses: int, ttl: int) -> None:
        """The owner and admins; the invitation ends with the share at the latest."""
        peer = self._user(user)
        until = NEVER if hours is None else self.world.now + hours * HOUR_MS
        ends = min(self.world.now + ttl * HOUR_MS, until)
        due = "code" if self._decides(user) else self._refusal(user)
        more = {} if hours is None else {"until": until}
        terms = {"role": role, "uses": uses, "ttlSeconds": ttl * 3600, **more}
        said = self._said(peer, due, type="invite", robotId=ROBOT, **terms)
        if due == "code":
            assert said["expiresAt"] == ends
            self.made.append(Made(said["code"], role, until, int(ends), uses))

    @precondition(lambda self: self.made)
    @rule(data=st.data(), user=users)
    def accepts(self, data: st.DataObject, user: str) -> None:
        """Any invitation that there was, most often the last."""
        last = [self.made[-1]] * 2
        invitation = data.draw(st.sampled_from([*last, *self.made]))
        peer = self._user(user)
        role = self._expect_accept(invitation, user)
        due = role if role in ("forbidden", "bad_message") else "ack"
        reply = self._said(peer, due, type="accept", code=invitation.text)
        if due == "ack":
            assert (reply["robotId"], reply["role"]) == (ROBOT, role)

    def _expect_accept(self, invitation: Made, user: str) -> str:
        """Return the role that a user has by then, or the error that is due; do it."""
        now, held = self.world.now, self.shares.get(user)
        if not invitation.valid or now >= invitation.ends:
            return "forbidden"
        if user == self.owner:
            return "bad_message"
        if held is not None and held.gives(invitation.role, invitation.until, now):
            return held.role
        if user in invitation.used or len(invitation.used) >= invitation.uses:
            return "forbidden"
        invitation.used.add(user)
        self.shares[user] = Held(invitation.role, invitation.until)
        return invitation.role

    @rule(user=st.sampled_from(OWNERS), to=users, role=roles, hours=hours)
    def shares_it(self, user: str, to: str, role: str, hours: int | None) -> None:
        """An offer, or a change of the share that there is."""
        peer = self._user(user)
        until = NEVER if hours is None else self.world.now + hours * HOUR_MS
        held, due = self.shares.get(to), "ack"
        if not self._decides(user):
            due = self._refusal(user)
        elif to == self.owner:
            due = "bad_message"
        if self._decides(user):
            # What has ended is removed by the way, but for this user's own.
            ended = [each for each, some in self.shares.items() if some.until <= self.world.now]
            for each in ended:
                if each != to:
                    del self.shares[each]
        if due == "ack":
            lives = held is not None and not held.offered and held.until > self.world.now
            self.shares[to] = Held(role, until, offered=not lives)
        more = {} if hours is None else {"until": until}
        self._said(peer, due, type="share", robotId=ROBOT, userId=to, role=role, **more)

    @rule(user=st.sampled_from(OWNERS), whom=users)
    def unshares(self, user: str, whom: str) -> None:
        """For good, as far as invitations that were used go."""
        due = "ack" if self._decides(user) else self._refusal(user)
        if due == "ack":
            self.shares.pop(whom, None)
        self._said(self._user(user), due, type="unshare", robotId=ROBOT, userId=whom)

    @rule(user=users)
    def leaves(self, user: str) -> None:
        """By themselves."""
        self.shares.pop(user, None)
        self._said(self._user(user), "ack", type="leave-share", robotId=ROBOT)

    @precondition(lambda self: self.owner)
    @rule(to=st.sampled_from(["ann", "bob"]))
    def is_transferred(self, to: str) -> None:
        """Offers and invitations end; shares stay, but the new owner's."""
        if to != self.owner:
            self._void()
            self.owner = to
            self.shares = {
                each: held for each, held in self.shares.items() if not held.offered and each != to
            }
        self._said(self._user("boss"), "ack", type="transfer", robotId=ROBOT, userId=to)

    @precondition(lambda self: self.owner)
    @rule()
    def is_forgotten(self) -> None:
        """Nothing is left."""
        self._void()
        self.owner, self.shares = None, {}
        self._said(self._user("boss"), "ack", type="forget", robotId=ROBOT)

    def _void(self) -> None:
        for each in self.made:
            each.valid = False

    @rule(minutes=st.sampled_from([1, 59, 61, 121]))
    def time_passes(self, minutes: int) -> None:
        """Shares and invitations end by themselves."""
        self.world.pass_seconds(minutes * 60)

    @invariant()
    def agrees_with_the_reference(self) -> None:
        """Whose it is, and each share and offer, to the millisecond."""
        if not hasattr(self, "world"):
            return
        item = self.world.store.robot(ROBOT)
        found = {
            each.grantee: (each.role, each.until or NEVER, each.offered)
            for each in (item.shares() if item else ())
        }

        assert (item and item.owner_user_id) == self.owner
        assert found == {
            each: (held.role, held.until, held.offered) for each, held in self.shares.items()
        }


def test_whatever_happens_to_invitations_the_reference_agrees(
    record_property: Callable[[str, object], None],
) -> None:
    """Each reply is the one that is due, and the shares are those that were given."""
    run_model(Inviting, RUNS, "model, invitations", record_property)
