"""One invocation, stamped: who sent what, when, and the rules in force.

A flow takes time from here and nowhere else, so a repeated step writes what it wrote before.
"""

from dataclasses import dataclass

from msgspec import Struct, structs

from robosignal.protocol import limits
from robosignal.protocol.ids import RobotId, SessionId, session_id
from robosignal.protocol.messages import Role
from robosignal.server.core.records import Connection, Robot, Session


class Rules(Struct, frozen=True, kw_only=True):
    """What a deployment decides."""

    viewers: int = limits.VIEWERS
    heartbeat_seconds: int = limits.HEARTBEAT_SECONDS
    provisioned: bool = False
    """Whether only a robot id that has an owner already may be registered."""


@dataclass(frozen=True, slots=True)
class Request:
    """A message's sender, its time (epoch ms) and the rules."""

    sender: Connection
    now: int
    rules: Rules

    def after(self, seconds: int) -> int:
        """Return the time so many seconds from now, in epoch ms."""
        return self.now + seconds * 1000

    @property
    def lease_until(self) -> int:
        """When a lease taken or renewed now ends."""
        return self._lasting(limits.LEASE_SECONDS)

    @property
    def place_until(self) -> int:
        """When a viewer's place taken or renewed now ends."""
        return self._lasting(limits.PLACE_SECONDS)

    @property
    def presence_until(self) -> int:
        """When a robot's presence, claimed or renewed now, ends: two and a half heartbeats."""
        return self._lasting(self.presence_seconds)

    @property
    def presence_seconds(self) -> int:
        """How long presence lasts without renewal."""
        return self.rules.heartbeat_seconds * 5 // 2

    def lease_of(self, other: Session) -> int:
        """When a lease given to a viewer now ends; a seed's ends with its place."""
        if other.dialect == "seed":
            return other.until
        return self.after(limits.LEASE_SECONDS)

    def _lasting(self, seconds: int) -> int:
        # A seed connection never pings: what it has lasts as long as its socket and token can.
        if self.sender.dialect == "seed":
            # Opened in the future: the clock has been set back since.
            longest = min(self.sender.ts, self.now) + limits.LIFETIME_SECONDS * 1000
            return min(longest, self.sender.expires_at)
        return self.after(seconds)

    def session_with(self, robot_id: RobotId, until: int) -> Session:
        """Return the session that the sender would open with this robot."""
        return self.moved(session_id(robot_id, self.sender.connection_id), until)

    def moved(self, session: SessionId, until: int) -> Session:
        """Return this session of the sender's user as it stands on the sender's connection."""
        sender = self.sender
        return Session(
            session_id=session,
            user_id=sender.user_id,
            name=sender.name,
            connection_id=sender.connection_id,
            connected_at=sender.ts,
            dialect=sender.dialect,
            expires_at=sender.expires_at,
            until=until,
        )

    def seen_as(self, sender: Connection) -> "Request":
        """Return the same request with the sender's row as it was read again."""
        return Request(sender, self.now, self.rules)


def reply_epoch(request: Request, robot: Robot, role: Role) -> int | None:
    """Return the epoch that an ack bears.

    A v1 viewer is told it too: by it an ack that comes late is known to be older than a push.
    """
    return robot.epoch if role == "controller" or request.sender.dialect == "v1" else None


def grace_end(now: int) -> int:
    """Return when the grace of a socket found lost now ends, both in epoch ms."""
    return now + limits.GRACE_SECONDS * 1000


def clear_grace(session: Session, until: int) -> Session:
    """Return the session lasting until then, no longer counted as lost."""
    return structs.replace(session, until=until, lost=None)
