"""The records that the two tables hold, of connections and robots.

Field names in camel case are the tables' attribute names. Times are epoch milliseconds, except
`ttl`, which DynamoDB wants in seconds.
"""

from collections.abc import Iterator, Mapping
from hashlib import sha256
from typing import Any, Literal, cast

from msgspec import Struct, convert, field, structs

from robosignal.protocol import limits
from robosignal.protocol.device_keys import SUBJECT_PREFIX, PublicKey
from robosignal.protocol.frames import Person
from robosignal.protocol.ids import ConnectionId, InstanceId, RobotId, SessionId, UserId
from robosignal.protocol.messages import Dialect, Role, ShareRole

ADMIN_GROUPS = frozenset({"ADMIN", "ADMINS"})

FLEET_SHARDS = 8
"""The parts into which the list of all robots is divided, so that no index key is hot."""


OLD_PRESENCE_UNTIL = "leaseUntil"
"""What earlier versions call `presenceUntil`. Written and read beside it for one version."""


def latest_end(now: int, seconds: int) -> int:
    """Return the latest end (epoch ms), by any clock, of what lasts `seconds` from now."""
    return now + (seconds + limits.CLOCK_SECONDS) * 1000


def _is_over(until: int, now: int, seconds: int, dialect: Dialect) -> bool:
    """Say whether a time has passed, or is further ahead than anything of this dialect can last."""
    longest = limits.LIFETIME_SECONDS if dialect == "seed" else seconds
    return not now <= until <= latest_end(now, longest)


GROUP_KEY = "#group:"
"""Begins the key of a share with a group. No user id begins with `#`."""

OFFER_KEY = "#offer:"
"""Begins the key under which the offers to a user are listed."""


def group_key(group: str) -> UserId:
    """Return the key of a share with this group, beside the ids of users."""
    return UserId(GROUP_KEY + group)


def group_of(grantee: UserId) -> str | None:
    """Return the group that a share's key names; None for a user."""
    return grantee.removeprefix(GROUP_KEY) if grantee.startswith(GROUP_KEY) else None


def offer_key(user: UserId) -> UserId:
    """Return the key under which the offers to this user are listed."""
    return UserId(OFFER_KEY + user)


def is_admin_group(group: str) -> bool:
    """Say whether a group is the admins', in any case of its ASCII letters.

    Other letters, such as a dotless i, become ASCII ones in upper case, and name other groups.
    """
    return group.isascii() and group.upper() in ADMIN_GROUPS


class RobotShare(Struct, frozen=True):
    """A share as the robot's item has it, or an offer of one."""

    grantee: UserId
    """A user's id, or a group's key."""
    role: ShareRole
    until: int | None = None
    offered: bool = False
    """Whether its user has not accepted it yet, so that it gives no right."""

    @property
    def key(self) -> UserId:
        """Return the key under which the robot is listed for its user or group."""
        return offer_key(self.grantee) if self.offered else self.grantee

    def has_ended(self, now: int) -> bool:
        """Say whether its end has come. `now`: epoch ms."""
        return self.until is not None and self.until <= now


class Enrolment(Struct, frozen=True, kw_only=True, rename="camel"):
    """The code with which a robot enrols, and the key to let in."""

    code_hash: str
    public_key: PublicKey


class Assertion(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """The assertion with which a robot opened its connection. It was verified then."""

    robot_id: RobotId | None
    """The robot that it names; None: a code will say which one enrols."""
    kid: str
    iat: int
    """When it was issued, by the robot's clock, in epoch seconds."""
    jti: str
    counted_user_id: UserId | None = None
    """The user whose limits count the connection: who owned the robot as it opened, or made the
    code. None as long as that was not looked up."""
    enrolment: Enrolment | None = None
    """Given if the connection is for enrolling the robot, and for nothing else."""


class Connection(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One open WebSocket: who opened it, and what it is used for."""

    connection_id: ConnectionId
    user_id: UserId
    name: str | None = None
    groups: tuple[str, ...] = ()
    """The first groups of its token, and an admins' group wherever it is."""
    groups_left_out: int = 0
    """How many more groups its token names, which give no share."""
    kind: Literal["client", "robot"] = "client"
    assertion: Assertion | None = None
    """Given if a robot opened it with its own key: then it has no user."""
    dialect: Dialect = "seed"
    robot_id: RobotId | None = None
    """The robot that it has registered."""
    sessions: frozenset[SessionId] = frozenset()
    watcher_user_id: str | None = None
    """Whose robots it watches: its user's, or `#admins` for all; None: it does not watch."""
    ts: int
    """When it was opened."""
    expires_at: int
    """When its token expires."""
    ttl: int

    @property
    def is_admin(self) -> bool:
        """Whether the user is in the admins' group."""
        return any(map(is_admin_group, self.groups))

    @property
    def counted_user(self) -> UserId:
        """The user whose limits count what this connection sends, and that it is open."""
        counted = None if self.assertion is None else self.assertion.counted_user_id
        return self.user_id if counted is None else counted

    @property
    def person(self) -> Person:
        """The user as others see them."""
        return Person(self.user_id, self.name)

    @property
    def is_settled(self) -> bool:
        """Whether the dialect cannot change any more.

        It can change once, to v1, before the connection registers or opens a session.
        """
        return self.dialect == "v1" or self.robot_id is not None or bool(self.sessions)


class Session(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A client's session with a robot, as part of the robot's item."""

    session_id: SessionId
    user_id: UserId
    name: str | None = None
    connection_id: ConnectionId
    connected_at: int
    dialect: Dialect
    expires_at: int
    until: int
    """When the lease or viewer session ends if it is not renewed."""
    lost: int | None = None
    """When its connection was found lost; None once the session is resumed on another one."""
    group: str | None = None
    """The group whose share gives its user the right; None: the right is the user's own."""
    right_until: int | None = None
    """When that share ends; `until` is never later."""

    @property
    def person(self) -> Person:
        """The user as others see them."""
        return Person(self.user_id, self.name)

    def has_lapsed(self, role: Role, now: int) -> bool:
        """Whether it is over. The same rule as `has_lapsed` in `writes/attributes.py`."""
        seconds = limits.LEASE_SECONDS if role == "controller" else limits.VIEWER_SECONDS
        return _is_over(self.until, now, seconds, self.dialect)

    def right_seconds(self, now: int) -> int:
        """Return what is left of its user's right: whole seconds, rounded down, 0 if it has ended.

        It ends with the token, or with the share if that ends sooner. `now`: epoch ms.
        """
        return max(0, self._cap(self.expires_at) - now) // 1000

    def has_right(self, now: int) -> bool:
        """Say whether the share that gives the right, if one does, has not ended."""
        return self.right_until is None or now < self.right_until

    def ending(self, until: int) -> "Session":
        """Return the session with a new end: the given one, or the share's if that is sooner."""
        return structs.replace(self, until=self._cap(until))

    def _cap(self, until: int) -> int:
        return until if self.right_until is None else min(until, self.right_until)

    def comes_from(self, grantee: UserId) -> bool:
        """Say whether its right comes from the share with this user or group."""
        group = group_of(grantee)
        return self.group == group if group else self.group is None and self.user_id == grantee


class Key(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One of a robot's keys, as part of its item. Times are in epoch ms."""

    x: str
    y: str
    added_by: UserId | None = None
    """Who let it in; None: the robot itself, when it replaced its key."""
    added_at: int
    not_after: int | None = None
    """When it ends, if it does."""
    code_hash: str | None = None
    """The code by which it came."""
    pending: bool = False
    """Whether it waits for approval."""
    last_used_at: int | None = None
    """When a connection last registered with it."""

    def is_over(self, now: int) -> bool:
        """Whether it has ended. `now`: epoch ms."""
        return self.not_after is not None and self.not_after <= now


class UsedByHash(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """What a code and an invitation have in common. Each is an item of the robots' table."""

    code_hash: str
    by_user_id: UserId
    """Who made it."""
    uses: int
    expires_at: int
    """In epoch ms."""
    ttl: int
    takers: dict[str, str] = {}
    """Who has taken a use, and for what; empty once that is done."""


class Code(UsedByHash, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A code with which robots enrol themselves.

    Its takers are robots, each with the id of the key that it lets in.
    """

    for_user_id: UserId
    """Who owns the robots that enrol by it."""
    robot_id: RobotId | None = field(default=None, name="onlyRobotId")
    pattern: str | None = None
    """The beginning of the ids that it enrols, and an asterisk."""
    approve: bool = False
    may_create: bool = False
    """Whether it enrols ids that have no owner."""

    def admits(self, robot_id: RobotId) -> bool:
        """Whether it enrols robots of this id."""
        if self.pattern is not None:
            return robot_id.startswith(self.pattern.removesuffix("*"))
        return robot_id == self.robot_id


class Invitation(UsedByHash, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """A code by which users get a share of one robot. Its takers are users."""

    robot_id: RobotId = field(name="onlyRobotId")
    inviting: str
    """The robot's `inviting` as the invitation was made."""
    role: ShareRole
    until: int | None = None
    """The share's end (epoch ms), if it has one."""

    def share_with(self, user: UserId) -> RobotShare:
        """Return the share that a user gets by it."""
        return RobotShare(user, self.role, self.until)


KEY_PREFIXES: dict[type[UsedByHash], str] = {Code: "#code:", Invitation: "#invite:"}


def code_key(code_hash: str, kind: type[UsedByHash]) -> RobotId:
    """Return the key of a code or invitation in the robots' table: no robot's id begins with `#`.

    So a robot cannot enrol by an invitation, and a user gets no share by a code.
    """
    return RobotId(KEY_PREFIXES[kind] + code_hash)


class Robot(Struct, frozen=True, kw_only=True, rename="camel", omit_defaults=True):
    """One robot: who owns it, its presence, and who drives and views it."""

    robot_id: RobotId
    owner_user_id: UserId
    operators: frozenset[UserId] = frozenset()
    """Users, and keys of groups, whose share lets them drive."""
    view_only: frozenset[UserId] = frozenset()
    """Users, and keys of groups, whose share lets them view, and never drive."""
    offered_operators: frozenset[UserId] = frozenset()
    offered_view_only: frozenset[UserId] = frozenset()
    """Users who have not accepted their share yet."""
    ends: dict[UserId, int] | None = None
    """When shares end (epoch ms), for those that do; None in an item that never had any."""
    inviting: str | None = None
    """The hash of the first invitation that this owner, or an admin, has made since the robot is
    this owner's. Invitations that name another one are void."""
    shares_changed: int = 0
    """How many times a share or an offer was ended, or changed by the owner or an admin."""
    connection_id: ConnectionId | None = None
    connected_at: int = 0
    instance_id: InstanceId | None = None
    presence_until: int = 0
    """When presence ends if it is not renewed."""
    seen_until: int | None = None
    """`presence_until` as it was when the robot's connection was last lost or unregistered."""
    dialect: Dialect = "seed"
    expires_at: int = 0
    metadata: str | None = None
    """JSON text of a flat object of strings."""
    ice_restart: bool = True
    epoch: int = 0
    rev: int = 0
    controller: Session | None = None
    prev: Session | None = None
    """The holder before the last change of holder, who has to be notified."""
    viewers: dict[SessionId, Session] = {}
    updated_at: int = 0
    fleet_shard: str | None = None
    keys: dict[str, Key] | None = None
    """By their ids; None: no key was ever added."""
    kid: str | None = None
    """The key that registered the present connection; None: a user's token did."""
    last_iat: int = 0
    """When the newest assertion was issued that has registered a connection (epoch seconds)."""
    assertions: dict[str, ConnectionId] = {}
    """The assertions of that second that have registered a connection, by their `jti`."""

    def shares(self) -> Iterator[RobotShare]:
        """Yield every share and offer, also those that have ended."""
        ends = self.ends or {}
        for found, role, offered in (
            (self.operators, "operator", False),
            (self.view_only, "viewer", False),
            (self.offered_operators, "operator", True),
            (self.offered_view_only, "viewer", True),
        ):
            for each in sorted(found):
                yield RobotShare(each, cast("ShareRole", role), ends.get(each), offered)

    def share_with(self, grantee: UserId, now: int) -> RobotShare | None:
        """Return the share with a user or group, or its offer; None if it has ended."""
        found = (each for each in self.shares() if each.grantee == grantee)
        return next((each for each in found if not each.has_ended(now)), None)

    def is_listed_under(self, key: UserId) -> bool:
        """Say whether a user's list has the robot under this key, ended shares included."""
        return any(each.key == key for each in self.shares())

    def is_online(self, now: int) -> bool:
        """Whether the robot is connected and its presence has not lapsed. `now`: epoch ms."""
        longest = limits.LONGEST_HEARTBEAT_SECONDS * 5 // 2
        over = _is_over(self.presence_until - 1, now, longest, self.dialect)
        return self.connection_id is not None and not over and now < self.expires_at

    def has_used(self, assertion: Assertion, connection: ConnectionId) -> bool:
        """Whether this connection cannot register by the assertion any more.

        Another one has registered by it, or by one of a later second.
        """
        if assertion.iat != self.last_iat:
            return assertion.iat < self.last_iat
        return self.assertions.get(assertion.jti, connection) != connection

    def last_seen_at(self, now: int, presence_seconds: int) -> int | None:
        """Return when an offline robot last renewed its presence (epoch ms); None: never.

        A seed robot never renews, so it was last seen as it registered. So was, as far as is
        known, one whose presence a user has ended. `presence_seconds` is how long presence lasts.
        """
        if not self.updated_at:
            return None
        ends = (self.presence_until, self.seen_until or 0) if self.dialect == "v1" else ()
        seen = (end - presence_seconds * 1000 for end in ends)
        return min(now, max((self.updated_at, *seen)))

    def holder(self, now: int) -> Session | None:
        """Return the session that holds the lease now, if one does."""
        held = self.controller
        return None if held is None or held.has_lapsed("controller", now) else held

    def sessions(self) -> Iterator[tuple[Session, Role]]:
        """Yield every session with its role; the holder's comes first."""
        if self.controller is not None:
            yield self.controller, "controller"
        for viewer in self.viewers.values():
            yield viewer, "viewer"

    def all_sessions(self) -> tuple[Session, ...]:
        """Return every session, the holder's first."""
        return tuple(session for session, _ in self.sessions())

    def session(self, session_id: SessionId) -> tuple[Session, Role] | None:
        """Return the session of this id with its role; None if there is none."""
        return next((each for each in self.sessions() if each[0].session_id == session_id), None)

    def session_at(self, connection: ConnectionId) -> tuple[Session, Role] | None:
        """Return this connection's session with its role; None if there is none."""
        return next((each for each in self.sessions() if each[0].connection_id == connection), None)


def robot_from_item(item: Mapping[str, Any]) -> Robot:
    """Return the record of a robot's item. Raise ValidationError if it is not one.

    Until the upgrade to this version, `presenceUntil` was named `leaseUntil`. While versions run
    side by side, each renews what it knows: both are written, and the later one counts.
    """
    old = item.get(OLD_PRESENCE_UNTIL, 0)
    if old > item.get("presenceUntil", 0):
        item = {**item, "presenceUntil": old}
    return convert(item, Robot)


def device_user(robot_id: RobotId | None) -> UserId:
    """Return the name under which a robot's own connections are counted. No user has it."""
    return UserId(f"#{SUBJECT_PREFIX}{robot_id or ''}")


def fleet_shard_of(robot_id: RobotId) -> str:
    """Return the part of the fleet's list that a robot belongs to."""
    return str(sha256(robot_id.encode()).digest()[0] % FLEET_SHARDS)


Recipient = Robot | Session
"""Who a frame can be sent to. Both have a connection, a dialect and a token's expiry."""
