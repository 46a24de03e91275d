"""The participants of every schedule, and the situations that schedules begin in.

They connect in one order, so connection and session ids are the same everywhere. Each situation
is set up with real messages.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from robosignal.gateway.store import LocalStore
from robosignal.protocol.ids import RobotId, SessionId, session_id
from robosignal.server.core.request import Rules
from robosignal.server.ports import Store
from tests.device import DeviceKey
from tests.tokens import signer
from tests.world import Peer, World

ROBOT = RobotId("r1")
RULES = Rules(viewers=2)
CREW = ("crew",)
"""The group of nina's tokens."""

RUN, NEXT_RUN = "run-1", "run-2"

KEYS = {name: DeviceKey() for name in ("k1", "k2", "k3", "k4")}
"""Robots' own keys."""


@dataclass(slots=True)
class Cast:
    """Everyone, connected. The newer connection of each pair is the higher number."""

    world: World
    peers: dict[str, Peer] = field(default_factory=dict)
    late: dict[str, str] = field(default_factory=dict)
    """The tokens of those that have not connected yet."""
    code: str = ""
    """The code that enrols the robot, or that invites a user to it."""

    def __getitem__(self, name: str) -> Peer:
        return self.peers[name]

    def session(self, name: str) -> SessionId:
        """Return the session that this peer opens with the robot."""
        return session_id(ROBOT, self.peers[name].connection_id)

    def register(self, name: str = "robot", run: str = RUN) -> None:
        """Register the robot on this connection."""
        self[name].send(type="register", robotId=ROBOT, instanceId=run)

    def drives(self, name: str) -> None:
        """Let this peer take the free lease."""
        assert self[name].offer()["role"] == "controller"

    def views(self, name: str) -> None:
        """Let this peer open a viewer's session."""
        assert self[name].offer(role="viewer")["role"] == "viewer"

    def resumes(self, name: str, whose: str) -> None:
        """Let this peer resume another one's session."""
        assert self[name].ask(type="resume", sessionId=self.session(whose))["type"] == "ack"


def gathered(store: Store, *, seed_robot: bool = False) -> Cast:
    """Return the cast, connected to a backend on this store."""
    world = World(store, signer(), rules=RULES)
    cast = Cast(world)
    for name, user, groups, v1 in (
        ("robot", "ann", (), not seed_robot),
        ("ann", "ann", (), True),
        ("olga", "olga", (), True),
        ("boss", "boss", ("admins",), True),
        ("seed", "olga", (), False),
        ("mallory", "mallory", (), True),
        ("robot2", "ann", (), not seed_robot),
        ("ann2", "ann", (), True),
        ("olga2", "olga", (), True),
        ("robot3", "ann", (), True),
        ("olga3", "olga", (), True),
        ("nina", "nina", CREW, True),
        ("nina2", "nina", CREW, True),
    ):
        # A redial brings a newer token.
        hours = 13 if name.endswith(("2", "3")) else 12
        cast.peers[name] = world.connect(user, v1=v1, groups=groups, ttl_s=hours * 3600)
    cast.peers["late"] = world.dial()
    cast.late["late"] = world.token("olga")
    return cast


def keyed(store: Store, situation: str) -> Cast:
    """Return the cast, and the robot's own connections: by its keys, and to enrol by a code."""
    cast = gathered(store)
    world = cast.world
    asks, keys = CODED.get(situation), [KEYS[name] for name in ENROLLED[situation]]
    for key in keys:
        world.enroll(key, ROBOT, "ann")
    if asks is not None:
        said = cast["ann"].ask(type="create-code", **asks)
        cast.code = said["code"]
        for name, coded in (("coder", "k3"), ("coder2", "k3"), ("coder3", "k4")):
            token = KEYS[coded].enrolment(cast.code, ROBOT, now_s=world.now // 1000)
            cast.peers[name], _ = world.dial_device(token)
    if keys:
        first, second = (
            keys[0].assertion(ROBOT, now_s=world.now // 1000 + later) for later in (0, 1)
        )
        same = keys[0].assertion(ROBOT, now_s=world.now // 1000)
        by = {"device": first, "same": same, "device2": second, "twin": second, "replay": first}
        for name, token in by.items():
            cast.peers[name], _ = world.dial_device(token)
        other = keys[-1].assertion(ROBOT, now_s=world.now // 1000 + 1)
        cast.peers["other key"], _ = world.dial_device(other)
    # It connects once its key is in.
    cast.peers["fresh"] = world.dial()
    fresh = KEYS["k3" if asks else "k1"].assertion(ROBOT, now_s=world.now // 1000 + 2)
    cast.late["fresh"] = fresh
    # No other is newer.
    cast.peers["robot4"] = world.connect("ann", ttl_s=14 * 3600)
    return cast


Situation = Callable[[Cast], None]


def _unknown(cast: Cast) -> None:
    del cast


def _free(cast: Cast) -> None:
    cast.register()
    cast.world.share(ROBOT, "olga")


def _offered(cast: Cast) -> None:
    _free(cast)
    cast.drives("olga")
    shared = cast["ann"].ask(type="share", robotId=ROBOT, userId="nina")
    assert shared["type"] == "ack", shared


def _shared_for_viewing(cast: Cast) -> None:
    _free(cast)
    cast.drives("ann")
    cast["ann"].ask(type="share", robotId=ROBOT, userId="nina", role="viewer")
    assert cast["nina"].ask(type="accept-share", robotId=ROBOT)["type"] == "ack"
    cast.views("nina")


def _held_by_a_group(cast: Cast) -> None:
    _free(cast)
    shared = cast["boss"].ask(type="share", robotId=ROBOT, group="crew")
    assert shared["type"] == "ack", shared
    cast.drives("nina")
    cast.views("olga")


def _ends_soon(cast: Cast) -> None:
    _free(cast)
    until = cast.world.now + 65_000
    cast["ann"].ask(type="share", robotId=ROBOT, userId="olga", until=until)
    cast.drives("olga")
    cast.views("ann")
    cast.world.pass_seconds(20)


def _has_ended(cast: Cast) -> None:
    _ends_soon(cast)
    cast.world.pass_seconds(50)


def _held(cast: Cast) -> None:
    _free(cast)
    cast.drives("ann")


def _held_by_operator(cast: Cast) -> None:
    _free(cast)
    cast.drives("olga")


def _held_by_seed(cast: Cast) -> None:
    _free(cast)
    cast.drives("seed")


def _lapsed(cast: Cast) -> None:
    _held(cast)
    cast.world.pass_seconds(61)


def _operator_lapsed(cast: Cast) -> None:
    _held_by_operator(cast)
    cast.world.pass_seconds(61)


def _in_grace(cast: Cast) -> None:
    _held(cast)
    cast["ann"].disconnect()


def _dying(cast: Cast) -> None:
    _held(cast)
    cast["ann"].vanish()


def _watched(cast: Cast) -> None:
    _held(cast)
    cast.views("olga")


def _free_watched(cast: Cast) -> None:
    _free(cast)
    cast.views("ann")
    cast.views("olga")


def _places_lapsed(cast: Cast) -> None:
    _free_watched(cast)
    cast.world.pass_seconds(301)
    cast["robot"].ask(type="ping", robotId=ROBOT)


def _robot_gone(cast: Cast) -> None:
    _watched(cast)
    cast["robot"].vanish()


def _robot_offline(cast: Cast) -> None:
    _watched(cast)
    cast["robot"].disconnect()


def _redialled(cast: Cast) -> None:
    _watched(cast)
    cast.register("robot2")


def _resumed(cast: Cast) -> None:
    _watched(cast)
    cast.resumes("ann2", "ann")


def _resumed_viewer(cast: Cast) -> None:
    _free(cast)
    cast.views("ann")
    cast.resumes("ann2", "ann")


def _seed_robot(cast: Cast) -> None:
    _held(cast)


def _seed_views(cast: Cast) -> None:
    _held(cast)
    cast.views("seed")


def _told_of_changes(cast: Cast) -> None:
    _watched(cast)
    cast["olga2"].ask(type="watch")
    cast["boss"].ask(type="watch", all=True)


SITUATIONS: dict[str, Situation] = {
    "unknown": _unknown,
    "free": _free,
    "held": _held,
    "offered": _offered,
    "shared for viewing": _shared_for_viewing,
    "held by a group": _held_by_a_group,
    "share ends soon": _ends_soon,
    "share has ended": _has_ended,
    "held by an operator": _held_by_operator,
    "held by a seed": _held_by_seed,
    "lapsed": _lapsed,
    "operator lapsed": _operator_lapsed,
    "in grace": _in_grace,
    "dying": _dying,
    "watched": _watched,
    "free, watched": _free_watched,
    "places lapsed": _places_lapsed,
    "robot gone": _robot_gone,
    "robot offline": _robot_offline,
    "redialled": _redialled,
    "resumed": _resumed,
    "resumed viewer": _resumed_viewer,
    "seed robot": _seed_robot,
    "a seed watches": _seed_views,
    "told of changes": _told_of_changes,
}
"""Each way in which a schedule may begin, by its name."""


def _by_key(cast: Cast) -> None:
    cast.register("device")
    cast.world.share(ROBOT, "olga")
    cast.drives("ann")
    cast.views("olga")


def _coded(cast: Cast) -> None:
    del cast


def _waits(cast: Cast) -> None:
    cast["coder"].ask(type="enroll", code=cast.code)
    cast.register("device")


KEYED: dict[str, Situation] = {
    "by key": _by_key,
    "by key, offline": lambda cast: cast.world.share(ROBOT, "olga"),
    "code": _coded,
    "code with approval": lambda cast: cast.register("device"),
    "key waits": _waits,
}
"""The situations of a robot with keys of its own, or about to have one."""

ENROLLED: dict[str, tuple[str, ...]] = {
    "by key": ("k1", "k2"),
    "by key, offline": ("k1",),
    "code": (),
    "code with approval": ("k1", "k2"),
    "key waits": ("k1",),
}
CODED: dict[str, dict[str, Any]] = {
    "code": {"robotId": ROBOT},
    "code with approval": {"robotId": ROBOT, "approve": True},
    "key waits": {"robotId": ROBOT, "approve": True},
}


def _invite(cast: Cast, **terms: Any) -> None:
    cast.code = cast["ann"].ask(type="invite", robotId=ROBOT, **terms)["code"]


def _invite_to_a_held_one(cast: Cast) -> None:
    _free(cast)
    cast.drives("olga")
    _invite(cast)


def _invite_beside_an_offer(cast: Cast) -> None:
    _offered(cast)
    _invite(cast, role="viewer", until=cast.world.now + 3_600_000)


def _invite_to_drive(cast: Cast) -> None:
    _shared_for_viewing(cast)
    # Nina may view for longer than that.
    _invite(cast, until=cast.world.now + 90_000, uses=2)


INVITED: dict[str, Situation] = {
    "invited": _invite_to_a_held_one,
    "invited beside an offer": _invite_beside_an_offer,
    "invited to drive": _invite_to_drive,
}
"""The situations of a robot to which there is an invitation."""


class Copied(LocalStore):
    """A local store in memory that can be put back to an earlier state."""

    def __init__(self) -> None:
        super().__init__(None)

    def stored(self, robot: RobotId) -> dict[str, Any] | None:
        """Return a robot's item as it is stored."""
        return self._items.get(robot)

    def stored_codes(self) -> dict[RobotId, dict[str, Any]]:
        """Return the items of codes and invitations by their keys."""
        return dict(self._codes)

    def saved(self) -> "Copied":
        """Return its state: records are frozen, and items replaced, never changed."""
        copy = object.__new__(Copied)
        copy.stand_as(self)
        return copy

    def stand_as(self, saved: "Copied") -> None:
        """Stand as that one does."""
        self._connections = dict(saved._connections)  # noqa: SLF001 - its own kind
        self._rows = dict(saved._rows)  # noqa: SLF001 - its own kind
        self._watchers = {user: dict(told) for user, told in saved._watchers.items()}  # noqa: SLF001 - its own kind
        self._items = dict(saved._items)  # noqa: SLF001 - its own kind
        self._robots = dict(saved._robots)  # noqa: SLF001 - its own kind
        self._order = list(saved._order)  # noqa: SLF001 - its own kind
        self._codes = dict(saved._codes)  # noqa: SLF001 - its own kind
