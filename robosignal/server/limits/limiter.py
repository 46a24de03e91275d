"""Rate limits by connection, by peer and by user: token buckets in this process's memory.

In the local gateway they are exact, because one process serves every connection. A Lambda counts
only what its own environment sees; on AWS the stage's throttle is the limit.
"""

from dataclasses import dataclass, field

from robosignal.protocol.errors import SignalingError
from robosignal.protocol.frames import Reply
from robosignal.protocol.ids import ConnectionId, RobotId, UserId
from robosignal.protocol.limits import (
    BURST,
    MESSAGES_PER_SECOND,
    PEER_BURST,
    PEER_MESSAGES_PER_SECOND,
    PEERS,
    PUSHES_BURST,
    PUSHES_PER_SECOND,
    TAKEN_BURST,
    TAKEN_PER_SECOND,
    USER_BURST,
    USER_RENEWALS_BURST,
    USER_RENEWALS_PER_SECOND,
    USER_UNITS_PER_SECOND,
)
from robosignal.protocol.messages import (
    Accept,
    AcceptShare,
    Answer,
    AnyMessage,
    ApproveKey,
    Bye,
    CreateCode,
    Enroll,
    Forget,
    GrantControl,
    History,
    IceCandidate,
    Invite,
    LeaveShare,
    Offer,
    Ping,
    Register,
    ReleaseControl,
    RequestControl,
    Resume,
    RevokeKey,
    Robots,
    RotateKey,
    Share,
    Takeover,
    Transfer,
    Unregister,
    Unshare,
    Watch,
)
from robosignal.server.core.records import Connection
from robosignal.server.limits.bounded import Bounded

STRIKE_MS = 1000
KEPT = 10_000

RENEWALS = (Ping, Resume, Register)
"""Messages that keep a robot or a session alive. Other messages never use up their rate."""

ENDS = (Bye, ReleaseControl, Unregister)
"""Messages that end one. They have a rate of their own too, so that a page can always leave."""

RELAYED = (Answer, IceCandidate)
"""Messages whose number grows with the number of the sender's peers."""

UNITS: dict[type, int] = {
    **dict.fromkeys((Robots, Watch, History), 8),
    **dict.fromkeys((Offer, Takeover, RequestControl, GrantControl), 4),
    **dict.fromkeys((Share, Unshare, AcceptShare, LeaveShare, Transfer, Forget), 4),
    **dict.fromkeys((Invite, Accept), 4),
    **dict.fromkeys((Enroll, CreateCode, ApproveKey, RevokeKey, RotateKey), 4),
}
"""How many of its user's units a message takes; all others take one."""


@dataclass(frozen=True, slots=True)
class Rate:
    """How fast a bucket fills, in tokens a millisecond, and how many tokens it holds."""

    per_ms: float
    burst: float


@dataclass(slots=True)
class Bucket:
    """A token bucket."""

    rate: Rate
    tokens: float
    at: int

    def fill(self, now: int) -> float:
        """Return how many tokens there are at `now` (epoch ms)."""
        # A clock that is set back must not use up a rate.
        passed = max(0, now - self.at)
        self.tokens = min(self.rate.burst, self.tokens + passed * self.rate.per_ms)
        self.at = now
        return self.tokens

    def take(self, now: int, tokens: int = 1) -> bool:
        """Take `tokens` and return True; if there are fewer, take none and return False."""
        if self.fill(now) < tokens:
            return False
        self.tokens -= tokens
        return True

    @property
    def is_half_full(self) -> bool:
        """Whether more than half of the burst was left when it was last filled."""
        return self.tokens > self.rate.burst / 2


def new_bucket(rate: Rate, now: int) -> Bucket:
    """Return a full bucket at `now` (epoch ms)."""
    return Bucket(rate, rate.burst, now)


TAKEN = Rate(TAKEN_PER_SECOND / 1000, TAKEN_BURST)
PUSHES = Rate(PUSHES_PER_SECOND / 1000, PUSHES_BURST)


@dataclass(slots=True)
class _Peer:
    """What is kept of a peer to which a connection has relayed."""

    messages: Bucket
    is_reached: bool = True
    """Whether the last relay reached it. If not, its bucket cannot be used but is kept: otherwise
    a sender could get a full one in exchange for a refusal."""


@dataclass(slots=True)
class _Sender:
    """What is kept of one connection."""

    messages: Bucket
    renewals: Bucket
    ends: Bucket
    peers: dict[str, _Peer] = field(default_factory=dict)
    """By each address under which a relay has reached that peer, the newest last."""
    strikes: int = 0
    struck_at: int = 0

    def strike(self, now: int) -> int:
        """Count a refusal and return which strike it is. There is at most one a second."""
        if not 0 <= now - self.struck_at < STRIKE_MS:
            self.strikes += 1
            self.struck_at = now
        return self.strikes


@dataclass(slots=True)
class _User:
    """What is kept of one user, for all connections together."""

    units: Bucket
    renewals: Bucket


class Buckets:
    """Implements `robosignal.server.ports.Limiter`: 50 messages a second, 100 at once.

    That is for a connection. Renewals, and messages that end something, have such a bucket each.
    A relay to a peer that a relay has reached before takes from that peer's bucket first, so a
    robot may trickle to each session as if it were the only one. All connections of one user share
    a bucket of units, of which expensive messages take more; a user who sends less than 50
    messages a second never empties it.
    """

    def __init__(self, per_second: float = MESSAGES_PER_SECOND, burst: int = BURST) -> None:
        self._messages = Rate(per_second / 1000, burst)
        self._to_peer = Rate(PEER_MESSAGES_PER_SECOND / 1000, PEER_BURST)
        self._units = Rate(USER_UNITS_PER_SECOND / 1000, USER_BURST)
        self._renewals = Rate(USER_RENEWALS_PER_SECOND / 1000, USER_RENEWALS_BURST)
        self._senders: Bounded[ConnectionId, _Sender] = Bounded(KEPT)
        self._users: Bounded[UserId, _User] = Bounded(KEPT)
        self._taken: Bounded[tuple[UserId, RobotId], Bucket] = Bounded(KEPT)
        self._pushes: Bounded[RobotId, Bucket] = Bounded(KEPT)

    def strike(self, connection: ConnectionId, now: int) -> int:
        """Count anything from this connection at `now` (epoch ms), as `judge` counts a message."""
        sender = self._sender(connection, now)
        if not sender.messages.take(now):
            return sender.strike(now)
        if sender.messages.is_half_full:
            sender.strikes = 0
        return 0

    def judge(self, by: Connection, message: AnyMessage | SignalingError, now: int) -> int:
        """Count one message at `now` (epoch ms). Return 0 within the limits, else which strike.

        A second in which a limit is exceeded is one strike. Strikes are forgotten when the
        connection's bucket and its user's are half full again.
        """
        sender, user = self._sender(by.connection_id, now), self._user(by.counted_user, now)
        if not _is_admitted(sender, user, message, now):
            return sender.strike(now)
        if sender.messages.is_half_full and user.units.is_half_full:
            sender.strikes = 0
        return 0

    def note(self, by: Connection, message: AnyMessage, reply: Reply, now: int) -> None:
        """Note that this message was carried out at `now` (epoch ms): a relay reached its peer."""
        sender = self._senders.get(by.connection_id)
        if sender is None or not isinstance(message, (Offer, *RELAYED)):
            return
        named = {each for each in map(_address, (message, reply)) if each is not None}
        known = [sender.peers[each] for each in named if each in sender.peers]
        peer = known[0] if known else _Peer(new_bucket(self._to_peer, now))
        peer.is_reached = True
        for each in named - sender.peers.keys():
            if len(sender.peers) >= PEERS:
                del sender.peers[next(iter(sender.peers))]
            sender.peers[each] = peer

    def refuse(self, by: Connection, message: AnyMessage) -> None:
        """Note that this message was refused: a relay did not reach its peer."""
        sender = self._senders.get(by.connection_id)
        peer = None if sender is None else sender.peers.get(_address(message) or "")
        if peer is not None and isinstance(message, RELAYED):
            peer.is_reached = False

    def forget(self, connection: ConnectionId) -> None:
        """Forget a connection that has ended."""
        self._senders.drop(connection)

    def may_take(self, user: UserId, robot: RobotId, now: int) -> bool:
        """Say whether a user may take a robot's lease once more at `now` (epoch ms)."""
        taken = self._taken.get((user, robot))
        return taken is None or taken.fill(now) >= 1

    def note_taken(self, user: UserId, robot: RobotId, now: int) -> None:
        """Note that a user has taken a robot's lease."""
        self._taken.get_or_make((user, robot), lambda: new_bucket(TAKEN, now)).take(now)

    def may_push(self, robot: RobotId, now: int) -> bool:
        """Count a push to a robot's watchers at `now` (epoch ms); False if it must wait."""
        return self._pushes.get_or_make(robot, lambda: new_bucket(PUSHES, now)).take(now)

    def _sender(self, connection: ConnectionId, now: int) -> _Sender:
        rate = self._messages
        return self._senders.get_or_make(
            connection,
            lambda: _Sender(new_bucket(rate, now), new_bucket(rate, now), new_bucket(rate, now)),
        )

    def _user(self, user: UserId, now: int) -> _User:
        return self._users.get_or_make(
            user, lambda: _User(new_bucket(self._units, now), new_bucket(self._renewals, now))
        )


def _is_admitted(
    sender: _Sender, user: _User, message: AnyMessage | SignalingError, now: int
) -> bool:
    """Say whether a message is within the limits; if so, take its tokens."""
    if isinstance(message, RENEWALS + ENDS):
        # It also takes one of the connection's tokens, if there is one.
        sender.messages.take(now)
        own = sender.ends if isinstance(message, ENDS) else sender.renewals
        return own.take(now) and user.renewals.take(now)
    if isinstance(message, RELAYED):
        peer = sender.peers.get(_address(message) or "")
        if peer is not None and peer.is_reached and peer.messages.take(now):
            return True
    units = UNITS.get(type(message), 1)
    if user.units.fill(now) < units or not sender.messages.take(now):
        return False
    return user.units.take(now, units)


def _address(said: object) -> str | None:
    """Return the address by which a message, or its reply, names the other end of a session.

    A robot's own id comes last: beside another address it says nothing about the other end.
    """
    for name in ("session_id", "client_connection_id", "to", "robot_id"):
        found = getattr(said, name, None)
        if isinstance(found, str):
            return found
    return None


class Unlimited:
    """Implements `robosignal.server.ports.Limiter` without limits."""

    def strike(self, connection: ConnectionId, now: int) -> int:  # noqa: ARG002 - never any
        """Count nothing."""
        return 0

    def judge(self, by: Connection, message: AnyMessage | SignalingError, now: int) -> int:  # noqa: ARG002
        """Count nothing."""
        return 0

    def note(self, by: Connection, message: AnyMessage, reply: Reply, now: int) -> None:
        """Keep nothing."""

    def refuse(self, by: Connection, message: AnyMessage) -> None:
        """Keep nothing."""

    def forget(self, connection: ConnectionId) -> None:
        """Keep nothing."""

    def may_take(self, user: UserId, robot: RobotId, now: int) -> bool:  # noqa: ARG002
        """Allow it."""
        return True

    def note_taken(self, user: UserId, robot: RobotId, now: int) -> None:
        """Keep nothing."""

    def may_push(self, robot: RobotId, now: int) -> bool:  # noqa: ARG002
        """Allow it."""
        return True
