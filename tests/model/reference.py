"""The control lease as the protocol describes it, one message at a time.

Written from the protocol's page alone, without items, writes or conditions.
"""

from dataclasses import dataclass, field

LEASE_MS, PLACE_MS, GRACE_MS = 60_000, 300_000, 30_000
VIEWERS = 3
TRIFLE_MS = 1000

Name = str
"""A connection."""


@dataclass
class Place:
    """A session: whose, on which connection, and until when."""

    session: str
    user: str
    on: Name
    until: int
    lost: bool = False
    """Of a viewer's: its socket is known to be lost."""


@dataclass
class Share:
    """What a user may do once they have accepted it."""

    role: str
    accepted: bool


NO_SHARE = Share("", accepted=False)


@dataclass
class Reference:
    """One robot: who drives it, who watches, at which epoch."""

    masters: frozenset[str]
    """Who may take over from anybody, and needs no share."""
    shares: dict[str, Share] = field(default_factory=dict)
    epoch: int = 0
    robot: Name | None = None
    instance: str | None = None
    holder: Place | None = None
    lost: bool = False
    viewers: dict[str, Place] = field(default_factory=dict)
    renewed: dict[Name, int] = field(default_factory=dict)
    """When each connection last renewed something."""
    open: set[Name] = field(default_factory=set)
    """The connections whose sockets live."""

    # What is asked

    def place_of(self, on: Name) -> Place | None:
        """Return the session of a connection, the holder's first."""
        places = ([self.holder] if self.holder else []) + list(self.viewers.values())
        return next((place for place in places if place.on == on), None)

    def may_view(self, user: str) -> bool:
        """Say whether a user may have a session."""
        share = self.shares.get(user)
        return user in self.masters or (share is not None and share.accepted)

    def may_drive(self, user: str) -> bool:
        """Say whether a user may hold the lease."""
        may = user in self.masters or self.shares.get(user, NO_SHARE).role == "operator"
        return may and self.may_view(user)

    def holds(self, on: Name) -> bool:
        """Say whether this connection's session has the lease, lapsed or not."""
        return self.holder is not None and self.holder.on == on

    def is_free_for(self, user: str, now: int) -> bool:
        """Say whether a user may take the lease."""
        held = self.holder
        return held is None or held.until < now or (self.lost and held.user == user)

    def reachable(self) -> bool:
        """Say whether the robot's socket lives; if it does not, that is found out now."""
        if self.robot is not None and self.robot not in self.open:
            self.robot = None
        return self.robot is not None

    # What happens

    def _held_by(self, place: Place | None) -> None:
        self.epoch += 1
        self.holder, self.lost = place, False

    def drive(self, mine: Place, now: int, *, over: bool = False) -> str:
        """Take the lease by an offer or, `over`, a takeover; return the reply that is due."""
        if not (mine.user in self._may_take_over() if over else self.may_view(mine.user)):
            return "forbidden"
        at = self.place_of(mine.on)
        if self.holds(mine.on) and self._runs(now):
            return "ack" if over or self.reachable() else "robot_offline"
        if self.robot is None:
            return "robot_offline"
        if not self.may_drive(mine.user):
            return "forbidden"
        if not over and not self.holds(mine.on) and not self.is_free_for(mine.user, now):
            return "robot_busy"
        return self._take(at.session if at else mine.session, mine.user, mine.on, now)

    def _take(self, session: str, user: str, on: Name, now: int) -> str:
        """Move the lease to a session, and back to what it had if the robot is not there."""
        viewed = self.viewers.pop(session, None) is not None
        self._held_by(Place(session, user, on, now + LEASE_MS))
        reachable = self.reachable()
        if not reachable:
            self._held_by(None)
            if viewed:
                self.viewers[session] = Place(session, user, on, now + PLACE_MS)
        self._tell_viewers(now, besides=session)
        return "ack" if reachable else "robot_offline"

    def _may_take_over(self) -> frozenset[str]:
        holder = self.holder.user if self.holder else ""
        return self.masters | ({holder} if self.may_drive(holder) else set())

    def _runs(self, now: int) -> bool:
        return self.holder is not None and self.holder.until >= now

    def view(self, mine: Place, now: int) -> str:  # noqa: PLR0911 - one for each answer
        """Take a viewer's place; return the reply that is due."""
        if not self.may_view(mine.user):
            return "forbidden"
        if self.robot is None:
            return "robot_offline"
        if self.holds(mine.on):
            return self.release(mine.on, now, offering=True)
        if self.place_of(mine.on) is not None:
            return "ack" if self.reachable() else "robot_offline"
        lapsed = [sid for sid, place in self.viewers.items() if place.until < now]
        if len(self.viewers) >= VIEWERS and not lapsed:
            return "too_many_viewers"
        if len(self.viewers) >= VIEWERS:
            del self.viewers[lapsed[0]]
        if not self.reachable():
            return "robot_offline"
        self.viewers[mine.session] = Place(mine.session, mine.user, mine.on, now + PLACE_MS)
        return "ack"

    def release(self, on: Name, now: int, *, offering: bool = False) -> str:
        """Free the lease and stay as a viewer; return the reply that is due."""
        held = self.holder
        if held is None or held.on != on:
            return "no_session"
        if len(self.viewers) > VIEWERS:
            return "too_many_viewers"
        if self.lost:
            return "no_session"
        self.viewers[held.session] = Place(held.session, held.user, on, now + PLACE_MS)
        self._held_by(None)
        reachable = self.reachable()
        self._tell_viewers(now, besides=held.session)
        return "robot_offline" if offering and not reachable else "ack"

    def grant(self, on: Name, to: str, now: int) -> str:
        """Hand the lease to a viewer; return the reply that is due."""
        held = self.holder
        if held is None or held.on != on or to not in self.viewers:
            return "no_session"
        if self.viewers[to].lost:
            return "peer_gone"
        if not self.may_drive(self.viewers[to].user):
            return "forbidden"
        if self.lost:
            return "try_again"
        theirs = self.viewers.pop(to)
        self.viewers[held.session] = Place(held.session, held.user, on, now + PLACE_MS)
        self._held_by(Place(to, theirs.user, theirs.on, now + LEASE_MS))
        self.reachable()
        self._tell_viewers(now, besides=held.session)
        if theirs.on not in self.open:
            self.lose_holder(theirs.on, now)
        return "ack"

    def ask(self, on: Name, now: int) -> str:
        """Ask the holder for control, or take it if it is free; return the reply that is due."""
        mine = self.place_of(on)
        if mine is None:
            return "no_session"
        if self._runs(now) and self.holder is not None:
            if self.holder is not mine and self.holder.on not in self.open:
                self.lose_holder(self.holder.on, now)
                return "peer_gone"
            return "ack"
        if self.robot is None:
            return "robot_offline"
        return self._take(mine.session, mine.user, on, now)

    def bye(self, on: Name, now: int) -> str:
        """End a connection's session; return the reply that is due."""
        mine = self.place_of(on)
        if mine is None:
            return "no_session"
        self._end(mine, now)
        return "ack"

    def _end(self, place: Place, now: int) -> None:
        if self.holder is place:
            self._held_by(None)
            self.reachable()
            self._tell_viewers(now, besides=place.session)
        else:
            del self.viewers[place.session]
            self.reachable()

    def dismiss(self, session: str, now: int) -> str:
        """End a session by the robot; return the reply that is due."""
        if self.holder is not None and self.holder.session == session:
            self._held_by(None)
            self._tell_viewers(now, besides=session)
            return "ack"
        return "ack" if self.viewers.pop(session, None) else "no_session"

    def renew(self, on: Name, session: str, now: int) -> str:
        """Renew a lease or a place by a ping; return the reply that is due."""
        place = self.place_of(on)
        if place is None or place.session != session:
            return "no_session"
        if place.lost or (self.lost and self.holder is place):
            return "no_session"
        until = now + (LEASE_MS if self.holder is place else PLACE_MS)
        # A renewal soon after another is worth no write if it lengthens by next to nothing.
        is_soon = now - self.renewed.get(on, -TRIFLE_MS) < TRIFLE_MS
        if not is_soon or until - place.until >= TRIFLE_MS:
            place.until = until
        self.renewed[on] = now
        return "pong"

    def resume(self, session: str, user: str, on: Name, now: int) -> str:
        """Move a session to a newer connection of its user; return the reply that is due."""
        held = self.holder
        if held is not None and held.session == session and held.user == user:
            held.on, held.until, self.lost = on, now + LEASE_MS, False
            # Each token ends later than those before it, and the robot is told.
            self.reachable()
            return "ack"
        place = self.viewers.get(session)
        if place is None or place.user != user:
            return "no_session"
        place.on, place.until, place.lost = on, now + PLACE_MS, False
        return "ack"

    def share(self, user: str, role: str, now: int) -> None:
        """Offer the robot to a user, or change the share that they have accepted."""
        had = self.shares.get(user)
        self.shares[user] = Share(role, had is not None and had.accepted)
        if role == "viewer" and self.holder is not None and self.holder.user == user:
            self._held_by(None)
            self.reachable()
            self._tell_viewers(now, besides="")

    def accept(self, user: str) -> str:
        """Accept an offer; return the reply that is due."""
        if user not in self.shares:
            return "forbidden"
        self.shares[user].accepted = True
        return "ack"

    def unshare(self, user: str, now: int) -> None:
        """End a share or an offer, by the owner or by its user, and the sessions by it."""
        self.shares.pop(user, None)
        ended = [sid for sid, place in self.viewers.items() if place.user == user]
        for sid in ended:
            del self.viewers[sid]
        held = self.holder is not None and self.holder.user == user
        if held:
            self._held_by(None)
        if held or ended:
            self.reachable()
        if held:
            self._tell_viewers(now, besides="")

    def register(self, on: Name, instance: str) -> None:
        """Let the robot come back, as the same process or as another one."""
        self.robot = on
        if instance != self.instance:
            self.instance = instance
            self.viewers.clear()
            self._held_by(None)

    def unregister(self, on: Name) -> str:
        """End the robot's presence; return the reply that is due."""
        if self.robot != on:
            return "not_registered"
        self.robot = None
        self.viewers.clear()
        self._held_by(None)
        return "ack"

    def lose(self, on: Name, now: int) -> None:
        """Hear of a connection's end, which may be late, or a second time."""
        if self.robot == on:
            self.robot = None
        self.lose_holder(on, now)
        for place in self.viewers.values():
            self._shorten(place, on, now)

    def lose_holder(self, on: Name, now: int) -> None:
        """Begin the grace of the holder, once; a lease that is over stays so."""
        held = self.holder
        if held is not None and held.on == on and not self.lost:
            held.until, self.lost = min(held.until, now + GRACE_MS), True

    def _tell_viewers(self, now: int, besides: str) -> None:
        for place in self.viewers.values():
            if place.session != besides and place.on not in self.open:
                self._shorten(place, place.on, now)

    def _shorten(self, place: Place, on: Name, now: int) -> None:
        if place.on == on:
            place.until, place.lost = min(place.until, now + GRACE_MS), True
