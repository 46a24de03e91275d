"""One message as the flows see it: its sender, its time, and the deployment's rules.

Flows take the time only from here, so a repeated step writes the same values again.
"""

from dataclasses import dataclass

from msgspec import Struct, structs

from robosignal.protocol import limits
from robosignal.protocol.ids import RobotId, SessionId, session_id
from robosignal.protocol.messages import Role
from robosignal.server.core.records import Connection, Robot, RobotShare, Session, group_of


class Rules(Struct, frozen=True, kw_only=True):
    """What a deployment decides."""

    viewers: int = limits.VIEWERS
    """The most viewers that a robot may have."""
    heartbeat_seconds: int = limits.HEARTBEAT_SECONDS
    """How often robots renew their presence."""
    provisioned: bool = False
    """Whether only robots that were enrolled may register, by their own keys, and only
    provisioners may enrol new ids."""
    provisioners: str | None = None
    """The group whose users may enrol new ids, beside admins; None: admins alone."""


@dataclass(frozen=True, slots=True)
class Request:
    """A message's sender, its time (epoch ms) and the rules."""

    sender: Connection
    now: int
    rules: Rules

    def time_after(self, seconds: int) -> int:
        """Return the time `seconds` from now, in epoch ms."""
        return self.now + seconds * 1000

    @property
    def lease_until(self) -> int:
        """When a lease that is taken or renewed now ends, in epoch ms."""
        return self._end_after(limits.LEASE_SECONDS)

    @property
    def viewer_until(self) -> int:
        """When a viewer session that is opened or renewed now ends, in epoch ms."""
        return self._end_after(limits.VIEWER_SECONDS)

    @property
    def presence_until(self) -> int:
        """When a robot's presence that is claimed or renewed now ends, in epoch ms."""
        return self._end_after(self.presence_seconds)

    @property
    def presence_seconds(self) -> int:
        """How long presence lasts without renewal: two and a half heartbeats."""
        return self.rules.heartbeat_seconds * 5 // 2

    def lease_until_for(self, viewer: Session) -> int:
        """Return when a lease that is given to a viewer now ends, in epoch ms.

        A seed client's ends when its viewer session would.
        """
        if viewer.dialect == "seed":
            return viewer.until
        return self.time_after(limits.LEASE_SECONDS)

    def _end_after(self, seconds: int) -> int:
        # A seed connection never pings: what it has lasts as long as its socket and token can.
        if self.sender.dialect == "seed":
            # `ts` is in the future if the clock has been set back since.
            longest = min(self.sender.ts, self.now) + limits.LIFETIME_SECONDS * 1000
            return min(longest, self.sender.expires_at)
        return self.time_after(seconds)

    def new_session(
        self, robot_id: RobotId, until: int, share: RobotShare | None = None
    ) -> Session:
        """Return the session that the sender would open with this robot, by the right of a share.

        Without a share, the right is the user's own, and has no end.
        """
        return self.own_session(session_id(robot_id, self.sender.connection_id), until, share)

    def own_session(
        self, session: SessionId, until: int, share: RobotShare | None = None
    ) -> Session:
        """Return this session of the sender's user, on the sender's connection."""
        sender = self.sender
        found = Session(
            session_id=session,
            user_id=sender.user_id,
            name=sender.name,
            connection_id=sender.connection_id,
            connected_at=sender.ts,
            dialect=sender.dialect,
            expires_at=sender.expires_at,
            until=until,
            group=None if share is None else group_of(share.grantee),
            right_until=None if share is None else share.until,
        )
        return found.ending(until)

    def with_sender(self, sender: Connection) -> "Request":
        """Return the same request with a newer item of its sender."""
        return Request(sender, self.now, self.rules)


def reply_epoch(request: Request, robot: Robot, role: Role) -> int | None:
    """Return the epoch for an `ack`, None for a seed viewer's.

    A v1 viewer gets it too, to recognise an `ack` that arrives after a newer push.
    """
    return robot.epoch if role == "controller" or request.sender.dialect == "v1" else None


def grace_end(now: int) -> int:
    """Return when the grace of a connection found lost now ends, both in epoch ms."""
    return now + limits.GRACE_SECONDS * 1000


def clear_grace(session: Session, until: int) -> Session:
    """Return the session with a new end, or its share's, and without a lost connection."""
    return structs.replace(session.ending(until), lost=None)
