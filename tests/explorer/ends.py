"""What must be true when every invocation of a schedule has ended, and what must work then."""

from collections.abc import Iterator

import msgspec

from robosignal.protocol import limits
from robosignal.protocol.ids import UserId
from robosignal.server.core.records import Robot
from tests.explorer.cast import ROBOT
from tests.explorer.history import History
from tests.explorer.holders import may_have
from tests.explorer.scene import Scene

HOUR_MS = 3_600_000
PRESENCE_MS = limits.PRESENCE_SECONDS * 1000
GRACE_MS = limits.GRACE_SECONDS * 1000
LEASE_MS = limits.LEASE_SECONDS * 1000
PLACE_MS = limits.VIEWER_SECONDS * 1000

Found = Iterator[str]


class Ends:
    """Judges final states of one scene. Equal ones are tried once: what follows is the same."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._tried: dict[bytes, list[str]] = {}

    def broken_by(self, history: History, now: int) -> list[str]:
        """Return every way in which this history, over at this time, has ended badly."""
        item = self._scene.item
        if item is None:
            return []
        found = [*self._dead(history, item, now), *self._live(history, item)]
        key = msgspec.json.encode((item, sorted(self._scene.open), now))
        if key not in self._tried:
            self._tried[key] = list(self._recovers(item, now))
        return found + self._tried[key]

    def _dead(self, history: History, item: Robot, now: int) -> Found:
        """A dead robot is offline within its lease, and at once when its end was handled."""
        ended = {reply.by.connection for reply in history.replied if reply.by.kind == "$disconnect"}
        gone = item.connection_id not in self._scene.open
        if gone and item.dialect == "v1" and item.presence_until > now + PRESENCE_MS:
            yield "a dead robot stays online for longer than its lease"
        if history.faulty:
            return
        for user in _unrightful(item, now):
            yield f"{user} has a session and no right to it"
        # A connection that would be both is found out, and keeps no session but one in grace.
        for each in item.all_sessions():
            if each.connection_id == item.connection_id and each.until > now + GRACE_MS:
                yield "the robot's own connection has a session with it"
        if item.connection_id in ended:
            yield "the robot's item names a connection whose end was handled"
        for each, role in item.sessions():
            # Its own last message may be handled after its end, and renew what it had.
            lasts = LEASE_MS if role == "controller" else PLACE_MS
            if each.connection_id in ended and each.until > now + lasts:
                yield f"{each.user_id}'s {role} session outlives its socket by more than a lease"

    def _live(self, history: History, item: Robot) -> Found:
        """A live registered robot stays reachable: its item names its newest connection."""
        left = {each.by.connection for each in history.wrote if each.by.kind == "unregister"}
        left |= {
            each.before.connection_id
            for each in history.wrote
            if each.before is not None and each.by.kind in ("forget", "transfer", "revoke-key")
            if each.before.connection_id is not None
        }
        left |= {each.to for each in history.posted if each.frame["type"] == "replaced"}
        if history.faulty:
            # An invocation that died told no one. The older socket learns of it by its next ping.
            left |= {
                each.before.connection_id
                for each in history.wrote
                if each.before is not None and each.before.connection_id is not None
                if each.after.connection_id not in (None, each.before.connection_id)
            }
        came = {
            reply.by.connection: reply.by
            for reply in history.replied
            if reply.frame.get("type") == "registered"
        }
        begun = history.begun
        live = {*came, *((begun.connection_id,) if begun and begun.connection_id else ())}
        live = {each for each in live if each in self._scene.open and each not in left}
        if live and (item.connection_id not in self._scene.open):
            yield f"{sorted(live)} live, and the robot's item names {item.connection_id}"
        if live and item.connection_id is not None:
            ages = self._scene.ages
            if ages[item.connection_id] < max(ages[each] for each in live):
                yield "the robot's item does not name its newest connection"

    def _recovers(self, item: Robot, now: int) -> Found:
        """What must work afterwards: an older live socket registers, and a rightful user drives."""
        scene = self._scene
        if item.owner_user_id != UserId("ann"):
            return
        saved = scene.store.saved()
        if item.connection_id is None:
            yield from self._older_registers(item, now)
            scene.store.stand_as(saved)
        olga = item.share_with(UserId("olga"), now + 3 * HOUR_MS)
        if olga is not None and olga.role == "operator" and not olga.offered:
            yield from self._another_drives(item, now)
            scene.store.stand_as(saved)
        for user in _unrightful(item, now):
            self._scene.ask("robot3", now, type="unshare", robotId=ROBOT, userId=user)
            self._scene.ask("boss", now, type="unshare", robotId=ROBOT, group="crew")
            left = scene.item
            if left is not None and user in _unrightful(left, now):
                yield f"{user} keeps a session when the share is ended once more"
            scene.store.stand_as(saved)

    def _older_registers(self, item: Robot, now: int) -> Found:
        for name in ("robot", "robot2"):
            peer = self._scene.cast[name]
            row = self._scene.store.connection(peer.connection_id)
            if peer.connection_id in self._scene.open and row is not None:
                said = {"robotId": ROBOT, "instanceId": item.instance_id or "run"}
                reply = self._scene.ask(name, now, type="register", **said)
                if reply["type"] != "registered":
                    yield f"{name} is live and may not register: {reply['code']}"
                return

    def _another_drives(self, item: Robot, now: int) -> Found:
        """Every lease has lapsed, and the robot is back: a new offer of an operator succeeds."""
        seeds = any(each.dialect == "seed" for each, _ in item.sessions())
        later = now + (2 * HOUR_MS + 60_000 if seeds else limits.LEASE_SECONDS * 1000 + 1)
        said = {"robotId": ROBOT, "instanceId": item.instance_id or "run"}
        newest = "robot4" if "robot4" in self._scene.cast.peers else "robot3"
        back = self._scene.ask(newest, later, type="register", **said)
        if back["type"] != "registered":
            yield f"the robot cannot come back: {back['code']}"
            return
        offer = {"type": "offer", "robotId": ROBOT, "payload": {"sdp": "o"}}
        reply = self._scene.ask("olga3", later, **offer)
        if reply.get("role") != "controller":
            yield f"a rightful user cannot drive after every lease has lapsed: {reply}"


def _unrightful(item: Robot, now: int) -> set[UserId]:
    """Return who has a session of a role, and no right to it; what has ended by itself is none."""
    return {
        each.user_id
        for each, role in item.sessions()
        if each.has_right(now) and not may_have(item, each.user_id, role, now)
    }
