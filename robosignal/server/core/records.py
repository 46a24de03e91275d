"""What is stored of connections and robots, and what can be read off one record alone.

Field names in camel case are the tables' attribute names. Times are epoch milliseconds,
but `ttl`, which DynamoDB wants in seconds.
"""

from collections.abc import Iterator
from hashlib import sha256
from typing import Literal

from msgspec import Struct, field

from robosignal.protocol import limits
from robosignal.protocol.frames import Person
from robosignal.protocol.ids import ConnectionId, InstanceId, RobotId, SessionId, UserId
from robosignal.protocol.messages import Dialect, Role

ADMIN_GROUPS = frozenset({"ADMIN", "ADMINS"})

FLEET_SHARDS = 8
"""Into so many parts the list of every robot is divided, so that no index key is hot."""


def latest_end(now: int, seconds: int) -> int:
    """Return the latest end, by any clock, of something that lasts `seconds` from now."""
    return now + (seconds + limits.CLOCK_SECONDS) * 1000


def _is_over(until: int, now: int, seconds: int, dialect: Dialect) -> bool:
    """Say whether a time is past, or further ahead than a session of this dialect can last."""
    longest = limits.LIFETIME_SECONDS if dialect == "seed" else seconds
    return not now <= until <= latest_end(now, longest)


class Connection(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One open WebSocket: who opened it, and what it has become."""

    connection_id: ConnectionId
    user_id: UserId
    name: str | None = None
    groups: tuple[str, ...] = ()
    kind: Literal["client", "robot"] = "client"
    dialect: Dialect = "seed"
    robot_id: RobotId | None = None
    sessions: frozenset[SessionId] = frozenset()
    watcher_user_id: str | None = None
    """Whose robots' changes it is told of: the user's own, or `#admins` for every robot's."""
    ts: int
    """When it was opened."""
    expires_at: int
    """When its token expires."""
    ttl: int

    @property
    def is_admin(self) -> bool:
        """Whether the user is in the admins' group, in any case of its ASCII letters.

        Other letters, such as a dotless i, become ASCII ones in upper case, and name other groups.
        """
        return any(group.isascii() and group.upper() in ADMIN_GROUPS for group in self.groups)

    @property
    def person(self) -> Person:
        """The user as others see them."""
        return Person(self.user_id, self.name)

    @property
    def is_settled(self) -> bool:
        """Whether the dialect can change no more.

        v1 stays v1, and a connection that has registered or opened a session keeps its own.
        """
        return self.dialect == "v1" or self.robot_id is not None or bool(self.sessions)


class Session(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One client connection's engagement with one robot, as it stands in the robot's item."""

    session_id: SessionId
    user_id: UserId
    name: str | None = None
    connection_id: ConnectionId
    connected_at: int
    dialect: Dialect
    expires_at: int
    until: int
    """How long the lease, or the place, lasts if it is not renewed."""
    lost: int | None = None
    """When its socket was found lost: grace runs until the session moves to another socket."""

    @property
    def person(self) -> Person:
        """The user as others see them."""
        return Person(self.user_id, self.name)

    def has_lapsed(self, role: Role, now: int) -> bool:
        """Whether its lease, or its place, is over: as `has_lapsed` of the writes asks."""
        seconds = limits.LEASE_SECONDS if role == "controller" else limits.PLACE_SECONDS
        return _is_over(self.until, now, seconds, self.dialect)


class Robot(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One robot: whose it is, whether it is there, and who drives and watches it."""

    robot_id: RobotId
    owner_user_id: UserId
    operators: frozenset[UserId] = frozenset()
    connection_id: ConnectionId | None = None
    connected_at: int = 0
    instance_id: InstanceId | None = None
    presence_until: int = field(default=0, name="leaseUntil")
    dialect: Dialect = "seed"
    expires_at: int = 0
    metadata: str | None = None
    """JSON text of a flat object of strings."""
    ice_restart: bool = True
    epoch: int = 0
    rev: int = 0
    controller: Session | None = None
    prev: Session | None = None
    """The holder before the last change of holder, so that they can be told."""
    viewers: dict[SessionId, Session] = {}
    updated_at: int = 0
    fleet_shard: str | None = None

    def is_online(self, now: int) -> bool:
        """Whether the robot can be expected to answer."""
        longest = limits.LONGEST_HEARTBEAT_SECONDS * 5 // 2
        over = _is_over(self.presence_until - 1, now, longest, self.dialect)
        return self.connection_id is not None and not over and now < self.expires_at

    def holder(self, now: int) -> Session | None:
        """Return the session that holds the lease now, if one does."""
        held = self.controller
        return None if held is None or held.has_lapsed("controller", now) else held

    def sessions(self) -> Iterator[tuple[Session, Role]]:
        """Yield every session with its role, the holder's first."""
        if self.controller is not None:
            yield self.controller, "controller"
        for viewer in self.viewers.values():
            yield viewer, "viewer"

    def engaged(self) -> tuple[Session, ...]:
        """Return every session, whatever its role."""
        return tuple(session for session, _ in self.sessions())

    def session(self, session_id: SessionId) -> tuple[Session, Role] | None:
        """Return the session of this id with its role, if it stands."""
        return next((each for each in self.sessions() if each[0].session_id == session_id), None)

    def session_at(self, connection: ConnectionId) -> tuple[Session, Role] | None:
        """Return this connection's session with its role, if it has one."""
        return next((each for each in self.sessions() if each[0].connection_id == connection), None)


def fleet_shard_of(robot_id: RobotId) -> str:
    """Return which part of the fleet's list a robot stands in."""
    return str(sha256(robot_id.encode()).digest()[0] % FLEET_SHARDS)


Recipient = Robot | Session
"""Whoever a frame can be sent to: both know their connection, dialect and token's end."""
