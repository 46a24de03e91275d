"""Robots and people who connect, drive, lose their connections and return, in any order.

The backend must answer each message as the reference does, and end in the same state.
"""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    invariant,
    precondition,
    rule,
)

from robosignal.gateway.history import Bounds, KeptHistory
from robosignal.gateway.store import LocalStore
from robosignal.protocol.ids import RobotId, session_id
from robosignal.server.core.request import Rules
from tests.model.reference import VIEWERS, Place, Reference, Share
from tests.model.running import SOAK, Model, run_model
from tests.scenarios.keeping import read_all
from tests.tokens import NOW, signer
from tests.world import Peer, World

ROBOT = RobotId("r1")
PEOPLE = {
    "ann": "ann",
    "ann too": "ann",
    "olga": "olga",
    "olga too": "olga",
    "boss": "boss",
    "vic": "vic",
}
EVERYONE = {**PEOPLE, "mallory": "mallory"}

RUNS = 20_000 if SOAK else 500

someone = st.sampled_from(sorted(EVERYONE))
sharing = st.sampled_from(["olga", "vic"])
seconds = st.sampled_from([1, 10, 29, 31, 61, 130, 301])
instances = st.sampled_from(["run-1", "run-1", "run-2"])


class Driving(Model):
    """One robot, six people, and a reference beside the backend.

    `rights` is when the holder's right ends at each epoch, as the robot has been told.
    """

    @initialize()
    def begin(self) -> None:
        """Register the robot and share it."""
        history = KeptHistory(None, Bounds(), NOW)
        rules = Rules(viewers=VIEWERS)
        self.world = World(LocalStore(None), signer(), rules=rules, history=history)
        self.seen: dict[int, tuple[str | None, bool]] = {}
        self.model = Reference(
            frozenset({"ann", "boss"}), {"olga": Share("operator", accepted=True)}
        )
        self.people: dict[str, Peer] = {}
        self.robots: list[Peer] = []
        self.gone: list[Peer] = []
        self.told: dict[str, int] = {}
        self.rights: dict[int, int] = {}
        self.register("run-1", older=False)
        self.world.share(ROBOT, "olga")
        self.watcher = self.world.connect("boss", groups=["admins"], ttl_s=DAY_S)
        self.watcher.ask(type="watch", all=True)

    def _peer(self, who: str) -> Peer:
        """Return somebody's connection; they connect if they have none."""
        peer = self.people.get(who)
        if peer is None or not peer.is_open:
            groups = ["admins"] if who == "boss" else []
            # Each token ends later than those before it.
            ttl_s = DAY_S // 2 + 60 * len(self.world.peers)
            peer = self.world.connect(EVERYONE[who], groups=groups, ttl_s=ttl_s)
            self.people[who] = peer
            self.model.open.add(peer.connection_id)
        return peer

    def _somebody(self, data: st.DataObject, *, driving: bool | None = None) -> str:
        """Draw one of the people: mostly one who has a session, drives (or, False, views)."""
        held, views = self.model.holder, self.model.viewers.values()
        places = [] if driving else [place.on for place in views]
        places += [held.on] if held and driving is not False else []
        engaged = [who for who, peer in self.people.items() if peer.connection_id in places]
        return data.draw(st.sampled_from([*engaged * 6, *sorted(PEOPLE)]))

    def _mine(self, who: str) -> Place:
        peer = self._peer(who)
        session = session_id(ROBOT, peer.connection_id)
        return Place(session, EVERYONE[who], peer.connection_id, 0)

    def _sent(self, peer: Peer, expected: str, **message: Any) -> dict[str, Any]:
        """Send a message; its reply must be the one that is due."""
        reply = peer.ask(**message)
        Driving.messages += 1
        # No two messages are sent at once: one that repeats another is not its echo.
        self.world.now += 1

        assert reply.get("code", reply["type"]) == expected, (message, reply)
        if "epoch" in reply:
            assert reply["epoch"] == self.model.epoch
        return reply

    # People

    @rule(who=someone)
    def drives(self, who: str) -> None:
        """An offer as controller."""
        mine = self._mine(who)
        due = self.model.drive(mine, self.world.now)
        offer = {"type": "offer", "robotId": ROBOT, "role": "controller", "payload": SDP}
        self._sent(self.people[who], due, **offer)

    @rule(who=someone)
    def takes_over(self, who: str) -> None:
        """A takeover."""
        mine = self._mine(who)
        due = self.model.drive(mine, self.world.now, over=True)
        self._sent(self.people[who], due, type="takeover", robotId=ROBOT)

    @rule(who=someone)
    def views(self, who: str) -> None:
        """An offer as viewer."""
        mine = self._mine(who)
        due = self.model.view(mine, self.world.now)
        self._sent(self.people[who], due, type="offer", robotId=ROBOT, role="viewer", payload=SDP)

    @rule(data=st.data())
    def releases(self, data: st.DataObject) -> None:
        """`release-control`."""
        who = self._somebody(data, driving=True)
        peer = self._peer(who)
        due = self.model.release(peer.connection_id, self.world.now)
        due = due if self.model.may_drive(EVERYONE[who]) else "forbidden"
        self._sent(peer, due, type="release-control", robotId=ROBOT)

    @rule(data=st.data())
    def asks(self, data: st.DataObject) -> None:
        """`request-control`."""
        who = self._somebody(data)
        peer = self._peer(who)
        may = self.model.may_drive(EVERYONE[who])
        due = self.model.ask(peer.connection_id, self.world.now) if may else "forbidden"
        self._sent(peer, due, type="request-control", robotId=ROBOT)

    @precondition(lambda self: self.model.holder and self.model.viewers)
    @rule(data=st.data())
    def grants(self, data: st.DataObject) -> None:
        """`grant-control` by the holder, if there is one, to somebody."""
        to = self._somebody(data, driving=False)
        held = self.model.holder
        holder = next(
            (p for p in self.people.values() if held and p.connection_id == held.on), None
        )
        if holder is None or not holder.is_open:
            return
        place = self.model.place_of(self._peer(to).connection_id)
        session = place.session if place else self._mine(to).session
        due = self.model.grant(holder.connection_id, session, self.world.now)
        self._sent(holder, due, type="grant-control", robotId=ROBOT, sessionId=session)

    @rule(data=st.data())
    def leaves(self, data: st.DataObject) -> None:
        """`bye`."""
        who = self._somebody(data)
        peer = self._peer(who)
        due = self.model.bye(peer.connection_id, self.world.now)
        self._sent(peer, due, type="bye", robotId=ROBOT)

    @rule(data=st.data())
    def pings(self, data: st.DataObject) -> None:
        """A ping that names a session, their own if they have one."""
        who = self._somebody(data)
        peer = self._peer(who)
        place = self.model.place_of(peer.connection_id)
        session = place.session if place else self._mine(who).session
        due = self.model.renew(peer.connection_id, session, self.world.now)
        self._sent(peer, due, type="ping", sessionId=session)

    @precondition(lambda self: self.model.holder or self.model.viewers)
    @rule(data=st.data())
    def returns(self, data: st.DataObject) -> None:
        """A redial: a new connection resumes a session, and the older socket ends."""
        whose = self._somebody(data)
        who = data.draw(st.sampled_from([whose, whose, *sorted(PEOPLE)]))
        older = self.people.get(whose)
        place = self.model.place_of(older.connection_id) if older else None
        if older is None or place is None:
            return
        former = self.people.pop(who, None)
        peer = self._peer(who)
        due = self.model.resume(place.session, EVERYONE[who], peer.connection_id, self.world.now)
        self._sent(peer, due, type="resume", sessionId=place.session)
        for each in {
            id(one): one for one in (former, older if due == "ack" else None) if one
        }.values():
            self._vanishes(each)

    # Shares

    @rule(user=sharing, role=st.sampled_from(["operator", "viewer"]))
    def shares(self, user: str, role: str) -> None:
        """`share` by the owner."""
        peer = self._peer("ann")
        self.model.share(user, role, self.world.now)
        self._sent(peer, "ack", type="share", robotId=ROBOT, userId=user, role=role)

    @rule(user=sharing)
    def accepts(self, user: str) -> None:
        """`accept-share`, with an offer or without one."""
        peer = self._peer(user)
        self._sent(peer, self.model.accept(user), type="accept-share", robotId=ROBOT)

    @rule(user=sharing, by_owner=st.booleans())
    def parts(self, user: str, *, by_owner: bool) -> None:
        """`unshare` by the owner, or `leave-share` by the user."""
        peer = self._peer("ann" if by_owner else user)
        self.model.unshare(user, self.world.now)
        said = {"type": "unshare", "userId": user} if by_owner else {"type": "leave-share"}
        self._sent(peer, "ack", robotId=ROBOT, **said)

    # The robot

    @rule(instance=instances, older=st.booleans())
    def register(self, instance: str, *, older: bool) -> None:
        """The robot registers on a new connection, or says it again on its last one."""
        if older and self.robots and self.robots[-1].is_open:
            peer, instance = self.robots[-1], self.model.instance or instance
        else:
            peer = self.world.connect("ann", ttl_s=DAY_S)
            self.robots.append(peer)
            self.model.open.add(peer.connection_id)
        self.model.register(peer.connection_id, instance)
        reply = self._sent(peer, "registered", type="register", robotId=ROBOT, instanceId=instance)

        assert reply["control"]["epoch"] == self.model.epoch
        peer.take()
        self.rights.clear()
        self._hear(reply["control"])

    def _hear(self, frame: dict[str, Any]) -> None:
        """Count the seconds of a frame on the robot's clock; of two ends the later one counts."""
        seconds = frame.get("right", frame).get("rightSeconds")
        if seconds is not None and "epoch" in frame:
            end = self.world.now + 1000 * seconds
            self.rights[frame["epoch"]] = max(end, self.rights.get(frame["epoch"], 0))

    @precondition(lambda self: sum(robot.is_open for robot in self.robots) > 1)
    @rule(data=st.data())
    def unregisters(self, data: st.DataObject) -> None:
        """Any of the robot's connections says that it is off."""
        peer = data.draw(st.sampled_from([robot for robot in self.robots if robot.is_open]))
        due = self.model.unregister(peer.connection_id)
        self._sent(peer, due, type="unregister", robotId=ROBOT)

    @rule(who=st.sampled_from(sorted(PEOPLE)))
    def dismisses(self, who: str) -> None:
        """The robot ends somebody's session."""
        robot = next((r for r in self.robots if r.connection_id == self.model.robot), None)
        peer = self.people.get(who)
        place = self.model.place_of(peer.connection_id) if peer else None
        if robot is not None and robot.is_open and place is not None:
            due = self.model.dismiss(place.session, self.world.now)
            self._sent(robot, due, type="bye", sessionId=place.session)

    # Sockets and time

    def _vanishes(self, peer: Peer) -> None:
        if peer.is_open:
            peer.vanish()
            self.model.open.discard(peer.connection_id)
            self.gone.append(peer)

    @rule(data=st.data())
    def loses_a_socket(self, data: st.DataObject) -> None:
        """A socket is lost, and the server has not heard of it yet."""
        live = [peer for peer in (*self.people.values(), *self.robots) if peer.is_open]
        if live:
            self._vanishes(data.draw(st.sampled_from(live)))

    @precondition(lambda self: self.gone)
    @rule(data=st.data(), again=st.booleans())
    def hears_of_it(self, data: st.DataObject, *, again: bool) -> None:
        """`$disconnect` comes, late, or never, or twice."""
        peer = data.draw(st.sampled_from(self.gone))
        if peer.connection_id not in self.told:
            self.model.lose(peer.connection_id, self.world.now)
        self.told[peer.connection_id] = 1
        self.world.event("DISCONNECT", peer)
        if again:
            self.world.event("DISCONNECT", peer)

    @rule(some=seconds)
    def time_passes(self, some: int) -> None:
        """Leases and places lapse by themselves."""
        self.world.pass_seconds(some)

    # What is always so

    @invariant()
    def is_as_the_reference_says(self) -> None:
        """Epoch, holder, grace, viewers and the robot's connection: all of it."""
        if not hasattr(self, "world"):
            return
        item, model = self.world.item(ROBOT), self.model
        held = item.controller
        actual = held and (held.session_id, held.user_id, held.connection_id, held.until)
        due = model.holder

        assert item.epoch == model.epoch
        assert actual == (due and (due.session, due.user, due.on, due.until))
        assert bool(held and held.lost) == bool(due and model.lost)
        assert item.connection_id == model.robot
        assert {each.grantee: (each.role, not each.offered) for each in item.shares()} == {
            user: (share.role, share.accepted) for user, share in model.shares.items()
        }
        assert {sid: (v.connection_id, v.until) for sid, v in item.viewers.items()} == {
            sid: (place.on, place.until) for sid, place in model.viewers.items()
        }

    @invariant()
    def the_robot_knows_when_the_right_ends(self) -> None:
        """While it is connected: to the second that is rounded down, and never later."""
        robot = next((each for each in self.robots if each.connection_id == self.model.robot), None)
        if robot is None or not robot.is_open:
            return
        for frame in robot.take():
            self._hear(frame)
        held = self.model.holder
        if held is not None:
            token = next(each for each in self.world.peers if each.connection_id == held.on)
            early = token.expires_at - self.rights[self.model.epoch]

            # No time passes between a frame and this, but for what `_sent` adds.
            assert -ADDED_MS <= early < 1000

    @invariant()
    def who_drives_is_noted(self) -> None:
        """For the end: which session holds the lease now, and whether that has lapsed."""
        if hasattr(self, "world"):
            held = self.model.holder
            lapsed = held is not None and held.until < self.world.now
            self.seen[self.world.now] = (held.session if held else None, lapsed)

    def teardown(self) -> None:
        """The history agrees with the reference: who drove at each time, and never two at once."""
        if not hasattr(self, "world"):
            return
        drove = [each for each in read_all(self.world, ROBOT) if each.role == "controller"]
        for now, (session, lapsed) in self.seen.items():
            # Just before it, as the next message is handled in the same millisecond.
            told = [
                each.session_id
                for each in drove
                if each.since < now and (each.until is None or each.until >= now)
            ]
            # A lapsed holder whose ping comes late has driven all along.
            assert told == ([session] if session else []) or (lapsed and told == [])
        for first, second in pairwise(drove):
            assert first.until is not None
            assert first.until <= second.since
        assert all(each.since_known and each.until_known for each in drove)

    @invariant()
    def the_watcher_knows(self) -> None:
        """Every watcher was told of the last change."""
        if hasattr(self, "watcher"):
            rev = self.world.item(ROBOT).rev
            told = [frame["rev"] for frame in self.watcher.frames if frame["type"] == "presence"]

            assert not told or max(told) == rev


DAY_S = 24 * 3600
SDP = {"sdp": "o"}
ADDED_MS = 2


def test_whatever_happens_the_reference_agrees(
    record_property: Callable[[str, object], None],
) -> None:
    """Each reply is the one that is due, and the robot's item is as it should be."""
    run_model(Driving, RUNS, "model", record_property)
