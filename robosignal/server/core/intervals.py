"""Who drove and who viewed a robot, from when until when: intervals, made of audit lines.

`Timeline` reads the lines of the audit log one after the other. Lines may be lost, doubled, or
begin in the middle: what is not known is marked, never guessed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from msgspec import Struct, structs

from robosignal.protocol.frames import IntervalEnd
from robosignal.protocol.ids import RobotId, SessionId, UserId
from robosignal.protocol.limits import CLOCK_SECONDS
from robosignal.protocol.messages import Role, ShareRole

Seen = Literal["began", "ended", "lost", "resumed", "found"]
"""What happened to a session. `lost`: its connection is, and it ends unless it is resumed.
`found`: it was there when the server started."""


class SessionChange(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What one write did to one session, as an audit line says it. Times are epoch ms."""

    what: Seen
    session: SessionId
    user: UserId
    name: str | None = None
    role: Role
    epoch: int | None = None
    """The epoch at which a controller drives or drove."""
    at: int | None = None
    """When it ended, if that was before the write: a lapse is written later, or never."""
    until: int | None = None
    """When a lost session ends, unless it is resumed."""
    reason: IntervalEnd | None = None
    """Why it ended."""


class Line(Struct, frozen=True, kw_only=True):
    """One line of the audit log: a write that changed a robot, its sessions or its shares."""

    at: int
    """When, in epoch ms, by the clock of the server that wrote."""
    robot: RobotId
    epoch: int
    rev: int
    write: str
    reason: str
    by: UserId | None = None
    holder: UserId | None = None
    session: SessionId | None = None
    """The holder's session."""
    displaced: UserId | None = None
    owner: UserId
    whom: UserId | None = None
    kid: str | None = None
    """The key that was added, ended or let in, or that registered the connection.

    Of several that were ended at once, all, with commas between.
    """
    role: ShareRole | None = None
    """The role of the share that `by` has got by an invitation."""
    invited_by: UserId | None = None
    """Who made that invitation."""
    viewers: int = 0
    """How many viewers the robot has after the write."""
    sessions: tuple[SessionChange, ...] = ()
    repeated: bool = False
    """Whether the state before is unknown: the item was made, or the first answer was lost."""
    complete: bool = False
    """Whether `sessions` lists every session that there is."""


class Interval(Struct, frozen=True, kw_only=True):
    """One session in one role, from its beginning to its end. Times are epoch ms."""

    robot_id: RobotId
    session_id: SessionId
    user_id: UserId
    name: str | None = None
    role: Role
    epoch: int | None = None
    owner: UserId | None = None
    """The robot's owner at the time; None if that is not known."""
    since: int
    since_known: bool = True
    """False: it began at `since` or before."""
    until: int | None = None
    """None: it is not known to have ended."""
    until_known: bool = True
    """False: it ended at `until` or before."""
    reason: IntervalEnd | None = None
    by: UserId | None = None
    """Whose message ended it; None for a lapse and for an event without a user."""
    began_by: str | None = None
    """The write that began it; None if that is not known."""
    ended_by: str | None = None
    """The write that ended it; None if none did."""
    lapses_at: int | None = None
    """When it ends unless its user comes back; None while its connection is not known as lost."""
    told_at: int
    """The time of the last line that names it."""

    def judge(self, now: int, longest_ms: int | None = None) -> "Interval":
        """Return the interval as it is at `now` (epoch ms): a lapse is not written, but concluded.

        `longest_ms`: how long a session can last without any line; None if every end is told.
        """
        if self.until is not None:
            return self
        if self.lapses_at is not None:
            if self.lapses_at >= now:
                return self
            until = max(self.lapses_at, self.since)
            return structs.replace(self, until=until, reason="lapsed")
        if longest_ms is not None and self.told_at + longest_ms < now:
            until = self.told_at + longest_ms
            return structs.replace(self, until=until, until_known=False, reason="lapsed")
        return self

    def covers(self, since: int, until: int) -> bool:
        """Say whether it was there, or may have been, at some time of this span (epoch ms)."""
        begins = self.since if self.since_known else min(self.since, since)
        # What ends in a millisecond makes room for what begins in it.
        ends = self.until is None or self.until > since or self.since == self.until == since
        return begins <= until and ends


Key = tuple[RobotId, SessionId, Role]


@dataclass(frozen=True, slots=True)
class Changed:
    """An interval as a line has left it. A closed one leaves its key to a later one."""

    key: Key
    interval: Interval


class Timeline:
    """Holds the intervals that have not ended, and follows the lines."""

    def __init__(self, open_intervals: Iterable[Interval] = ()) -> None:
        """Go on from these intervals, of any robots."""
        self._open: dict[RobotId, dict[Key, Interval]] = {}
        self._last_end: dict[RobotId, int] = {}
        for each in open_intervals:
            self._open.setdefault(each.robot_id, {})[_key_of(each)] = each

    def open_of(self, robot_id: RobotId) -> tuple[Interval, ...]:
        """Return the intervals of a robot that have not ended."""
        return tuple(self._open.get(robot_id, {}).values())

    def apply(self, line: Line) -> list[Changed]:
        """Follow one line, and return the intervals that it began, changed or ended, in order."""
        open_ = self._open.setdefault(line.robot, {})
        line = self._order(line, open_)
        changed = [each for seen in line.sessions for each in self._follow(line, seen, open_)]
        changed += self._end_untold(line, open_)
        changed += self._find_holder(line, open_)
        if not open_:
            del self._open[line.robot]
        return changed

    def _order(self, line: Line, open_: dict[Key, Interval]) -> Line:
        """Return the line at a time that is not before that of earlier writes.

        The clocks of two servers may differ by so much; more, and a clock has been set back.
        """
        former = (each.since for each in open_.values() if _is_former(each, line))
        earliest = max((self._last_end.get(line.robot, 0), *former))
        is_early = earliest - CLOCK_SECONDS * 1000 <= line.at < earliest
        return structs.replace(line, at=earliest) if is_early else line

    def _follow(
        self, line: Line, seen: SessionChange, open_: dict[Key, Interval]
    ) -> Iterable[Changed]:
        key = (line.robot, seen.session, seen.role)
        before = open_.get(key)
        if before is not None and _is_another(seen, before):
            yield self._end(line, key, open_, at=line.at, reason="unrecorded", known=False)
            before = None
        if seen.what == "ended":
            open_[key] = before or _begin(line, seen, known=False)
            at = line.at if seen.at is None else seen.at
            yield self._end(line, key, open_, at=at, reason=seen.reason or "unrecorded")
            return
        if seen.what == "began" and before is not None:
            return  # the same line once more
        interval = before or _begin(line, seen, known=seen.what == "began")
        # `until` is None but for a session whose connection is lost.
        interval = structs.replace(interval, lapses_at=seen.until, told_at=line.at)
        open_[key] = interval
        yield Changed(key, interval)

    def _end_untold(self, line: Line, open_: dict[Key, Interval]) -> list[Changed]:
        """End the intervals that this line shows to be over, although no line has said so."""
        named = {(line.robot, each.session, each.role) for each in line.sessions}
        changed = []
        for key, interval in tuple(open_.items()):
            is_former = _is_former(interval, line)
            is_over = is_former or (interval.role == "viewer" and line.viewers == 0)
            if is_over or (line.complete and key not in named):
                # Without the state before, this very write has ended it, unless others came first.
                exact = line.repeated and (not is_former or interval.epoch == line.epoch - 1)
                reason = REASONS.get(line.write, "unrecorded") if exact else "unrecorded"
                changed.append(self._end(line, key, open_, line.at, reason, known=exact))
        return changed

    def _find_holder(self, line: Line, open_: dict[Key, Interval]) -> list[Changed]:
        """Begin the holder's interval if no line has."""
        if line.session is None or line.holder is None:
            return []
        key: Key = (line.robot, line.session, "controller")
        if key in open_:
            return []
        seen = SessionChange(
            what="found",
            session=line.session,
            user=line.holder,
            role="controller",
            epoch=line.epoch,
        )
        open_[key] = _begin(line, seen, known=False)
        return [Changed(key, open_[key])]

    def _end(
        self,
        line: Line,
        key: Key,
        open_: dict[Key, Interval],
        at: int,
        reason: IntervalEnd,
        *,
        known: bool = True,
    ) -> Changed:
        interval = open_.pop(key)
        lapsed = interval.lapses_at is not None and interval.lapses_at < at and not known
        until = interval.lapses_at if lapsed and interval.lapses_at is not None else at
        told = known and reason != "lapsed"
        if interval.role == "controller":
            self._last_end[line.robot] = max(until, interval.since)
        ended = structs.replace(
            interval,
            until=max(until, interval.since),
            until_known=known or lapsed,
            reason="lapsed" if lapsed else reason,
            by=line.by if told else None,
            ended_by=line.write if told else None,
            lapses_at=None,
            told_at=line.at,
        )
        return Changed(key, ended)


def fold(lines: Iterable[Line]) -> list[Interval]:
    """Return the intervals of these lines, in the order in which they began.

    Lines of several robots may be mixed, doubled, and out of order: each robot's are put in the
    order of its writes.
    """
    timeline = Timeline()
    found: dict[int, Interval] = {}
    places: dict[Key, int] = {}
    for line in _put_in_order(lines):
        for each in timeline.apply(line):
            place = places.setdefault(each.key, len(found))
            found[place] = each.interval
            if each.interval.until is not None:
                del places[each.key]
    return sorted(found.values(), key=lambda each: (each.since, each.epoch or 0))


def _put_in_order(lines: Iterable[Line]) -> list[Line]:
    # The servers' clocks differ by a little; `rev` does not, but not every write raises it.
    once = {(line.robot, line.rev, line.write, line.at, line.sessions): line for line in lines}
    return sorted(once.values(), key=lambda line: (line.rev, line.write in SAME_REV, line.at))


def _key_of(interval: Interval) -> Key:
    return interval.robot_id, interval.session_id, interval.role


def _is_former(interval: Interval, line: Line) -> bool:
    # An epoch that is lower belongs to a robot that was forgotten and has registered again.
    return interval.epoch is not None and interval.epoch != line.epoch


def _is_another(seen: SessionChange, before: Interval) -> bool:
    return None not in (seen.epoch, before.epoch) and seen.epoch != before.epoch


def _begin(line: Line, seen: SessionChange, *, known: bool) -> Interval:
    at = line.at if seen.at is None else min(seen.at, line.at)
    # A transfer's line names the next owner.
    owner = None if line.write == "transfer" else line.owner
    return Interval(
        robot_id=line.robot,
        session_id=seen.session,
        user_id=seen.user,
        name=seen.name,
        role=seen.role,
        epoch=seen.epoch,
        owner=owner,
        since=at,
        since_known=known,
        began_by=line.write if known else None,
        told_at=line.at,
    )


REASONS: dict[str, IntervalEnd] = {
    "acquire": "reconnected",
    "acquire_among_viewers": "reconnected",
    "acquire_as_viewer": "reconnected",
    "acquire_again": "lapsed",
    "take_over": "takeover",
    "take_over_among_viewers": "takeover",
    "take_over_as_viewer": "takeover",
    "grant": "granted",
    "release": "released",
    "leave_lease": "left",
    "leave_viewer": "left",
    "dismiss_holder": "dismissed",
    "dismiss_viewer": "dismissed",
    "roll_back": "unreachable",
    "roll_back_with_robot": "unreachable",
    "undo_lease": "unanswered",
    "undo_viewer": "unanswered",
    "replace_lapsed_viewer": "lapsed",
    "register_process": "restarted",
    "unregister": "unregistered",
    "evict": "forgotten",
    "share": "unshared",
    "share_with_holder": "unshared",
    "accept_invitation": "unshared",
    "unshare": "unshared",
    "unshare_holder": "unshared",
    "transfer": "transferred",
    "revoke_present_key": "revoked",
    "revoke_all_present_keys": "revoked",
}
"""Why a session ended that was neither lapsed nor changed its role, by the write that ended it."""

SAME_REV = frozenset(
    {
        "add_viewer",
        "replace_lapsed_viewer",
        "leave_viewer",
        "dismiss_viewer",
        "undo_viewer",
        "resume_viewer",
        "begin_viewer_grace",
        "record_late_viewer_loss",
        "resume_lease",
        "begin_holder_grace",
        "record_late_holder_loss",
        "renew_viewer_right",
        "renew_lease_right",
        "share",
        "accept",
        "invite",
        "accept_invitation",
        "drop_ended_share",
        "unshare",
        "enroll",
        "approve_key",
        "rotate_key",
        "revoke_key",
        "revoke_all_keys",
    }
)
"""The writes that change sessions or shares and leave `rev` as it is: they come after the one
that raised it."""
