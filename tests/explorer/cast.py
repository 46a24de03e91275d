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
from tests.tokens import signer
from tests.world import Peer, World

ROBOT = RobotId("r1")
RULES = Rules(viewers=2)
CREW = ("crew",)
"""The group of nina's tokens."""

RUN, NEXT_RUN = "run-1", "run-2"


@dataclass(slots=True)
class Cast:
    """Everyone, connected. The newer connection of each pair is the higher number."""

    world: World
    peers: dict[str, Peer] = field(default_factory=dict)

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


class Copied(LocalStore):
    """A local store in memory that can be put back to how it stood."""

    def __init__(self) -> None:
        super().__init__(None)

    def stored(self, robot: RobotId) -> dict[str, Any] | None:
        """Return a robot's item as it is stored."""
        return self._items.get(robot)

    def saved(self) -> "Copied":
        """Return how it stands: records are frozen, and items replaced, never changed."""
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
