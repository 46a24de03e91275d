"""The audit log: one line for each write that changes a robot's sessions, presence or shares.

A line names the robot, its epoch, who did it, who drives, who was displaced, why, and by which
write; and the sessions that the write began, ended, lost or resumed. It never contains a token, an
address or what was sent. `robosignal.server.core.intervals` makes intervals of lines.
"""

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import msgspec

from robosignal.protocol.frames import IntervalEnd
from robosignal.protocol.ids import SessionId, UserId
from robosignal.protocol.messages import Role
from robosignal.server.core.conditional_writes import Put, Write
from robosignal.server.core.effects import Effect
from robosignal.server.core.intervals import REASONS as REASONS_OF_ENDS
from robosignal.server.core.intervals import Line, Seen, SessionChange
from robosignal.server.core.notices import takeover_reason
from robosignal.server.core.records import Connection, Invitation, Robot, Session
from robosignal.server.core.steps import Action, ReadInvitation, WriteRobot, Written
from robosignal.server.core.writes.attributes import (
    COPY_HOLDER,
    EPOCH,
    REV,
    VIEWERS,
)

log = logging.getLogger("signaling")
audit_log = logging.getLogger("signaling.audit")

REASONS = {
    Effect.REACQUIRED: "lapsed",
    Effect.GRANTED: "granted",
    Effect.RELEASED: "released",
    Effect.LEFT: "bye",
    Effect.DISMISSED: "bye",
    Effect.ROLLED_BACK: "unreachable",
    Effect.UNDONE: "unanswered",
    Effect.CLAIMED: "restarted",
    Effect.REDIALLED: "redialled",
    Effect.LOST: "lost",
    Effect.UNREGISTERED: "unregistered",
    Effect.EVICTED: "evicted",
    Effect.SHARED: "shared",
    Effect.OFFERED: "offered",
    Effect.ACCEPTED: "accepted",
    Effect.INVITED: "invited",
    Effect.UNSHARED: "unshared",
    Effect.SHARE_ENDED: "share ended",
    Effect.TRANSFERRED: "transferred",
    Effect.ENROLLED: "enrolled",
    Effect.APPROVED: "approved",
    Effect.ROTATED: "rotated",
    Effect.REVOKED: "revoked",
}
"""The reason to log, where the effect alone determines it."""

REASONS_OF_SESSIONS = {"began": "viewing", "lost": "lost", "resumed": "resumed", "found": "found"}
"""The reason to log of a write that changes sessions alone; one that ends one has the end's."""


RARE = frozenset({"sessions", "repeated", "complete", "role", "invited_by"})
"""The fields that a line has only if they say something."""


@dataclass(frozen=True, slots=True)
class RobotWrite:
    """A write to a robot's item that was carried out, by whom and when (epoch ms).

    `before` is None if the write created the item, or if the write's first answer was lost. `by`
    is None for an event without a user, such as `$disconnect`. `invitation`: the one that was
    accepted, if one was.
    """

    write: Write
    before: Robot | None
    after: Robot
    by: Connection | None
    now: int
    invitation: Invitation | None = None


class Audit:
    """Logs the changes that one event makes, by the user of this connection.

    Implements `robosignal.server.executor.Observer`. `by` is None for an event without a user,
    such as `$disconnect`. `now`: the event's time, in epoch ms. `note` gets each line too.
    """

    def __init__(self, by: Connection | None, now: int, note: Callable[[Line], None]) -> None:
        self._by = by
        self._now = now
        self._note = note
        self._invitation: Invitation | None = None

    def saw(self, action: Action, outcome: object) -> None:
        """Log the action if it has changed a robot. Raise nothing: the change is written."""
        if isinstance(action, ReadInvitation) and isinstance(outcome, Invitation):
            self._invitation = outcome
        if not isinstance(action, WriteRobot) or not isinstance(outcome, Written):
            return
        if action.write.renewal:
            return
        try:
            line = make_line(
                RobotWrite(
                    action.write,
                    outcome.before,
                    outcome.after,
                    self._by,
                    self._now,
                    self._invitation,
                )
            )
            if line is not None:
                # Kept first: a log that fails must not cost the history too.
                self._note(line)
                log_line(line, action.write)
        except Exception:
            log.exception("change not audited")


def make_line(done: RobotWrite) -> Line | None:
    """Return the write's line; None if it changed neither a session nor anything else of note."""
    write, before, after = done.write, done.before, done.after
    sessions = tuple(_find_session_changes(done))
    if write.effect is None and not sessions:
        return None
    # If the write's first answer was lost, only `prev` tells of the state before, if it was set.
    previous = after.prev if COPY_HOLDER in write.then else None
    held = previous if before is None else before.controller
    return Line(
        at=done.now,
        robot=after.robot_id,
        epoch=after.epoch,
        rev=after.rev,
        write=write.name,
        reason=_find_reason(done, sessions),
        by=None if done.by is None else done.by.user_id,
        holder=None if after.controller is None else after.controller.user_id,
        session=None if after.controller is None else after.controller.session_id,
        displaced=_find_displaced(held, after.controller),
        owner=after.owner_user_id,
        whom=None if before is None else _find_shared(before, after),
        kid=_find_kid(done),
        role=None if done.invitation is None else done.invitation.role,
        invited_by=None if done.invitation is None else done.invitation.by_user_id,
        viewers=len(after.viewers),
        sessions=sessions,
        repeated=before is None,
    )


def log_line(line: Line, write: Write) -> None:
    """Write the line to the audit log, with its fields beside its message."""
    fields = msgspec.to_builtins(line)
    extra = {name: value for name, value in fields.items() if name not in RARE or value}
    audit_log.info(_describe(write), extra=extra)


KEY_EFFECTS = frozenset({Effect.ENROLLED, Effect.APPROVED, Effect.ROTATED, Effect.REVOKED})


def _describe(write: Write) -> str:
    if write.effect in KEY_EFFECTS:
        return "keys changed"
    if write.increments(EPOCH):
        return "control changed"
    if write.increments(REV):
        return "presence changed"
    return "sessions changed" if write.effect is None else "shares changed"


def _find_shared(before: Robot, after: Robot) -> UserId | None:
    """Return the user, or group's key, whose share or offer has changed; None if none has."""
    changed = set(before.shares()) ^ set(after.shares())
    return next((each.grantee for each in changed), None)


def _find_kid(done: RobotWrite) -> str | None:
    """Return what was added, ended or let in, or the key that registered a connection."""
    before, after, effect = done.before, done.after, done.write.effect
    if effect not in KEY_EFFECTS:
        return after.kid if effect in (Effect.CLAIMED, Effect.REDIALLED) else None
    was, now = (before and before.keys) or {}, after.keys or {}
    return ",".join(sorted(kid for kid in now | was if was.get(kid) != now.get(kid))) or None


def _find_reason(done: RobotWrite, sessions: tuple[SessionChange, ...]) -> str:
    after, effect = done.after, done.write.effect
    if effect is None:
        first = sessions[0]
        return first.reason or REASONS_OF_SESSIONS.get(first.what, first.what)
    if effect is Effect.CLAIMED and after.epoch == 1:
        return "claimed"
    if effect in REASONS:
        return REASONS[effect]
    if effect is Effect.TAKEN_OVER and done.by is not None:
        return takeover_reason(after, done.by.user_id)
    if after.prev is None:
        return "free"
    return "lapsed" if after.prev.lost is None else "grace"


def _find_displaced(held: Session | None, holder: Session | None) -> UserId | None:
    """Return the user who has lost control; None if their session only moved, or is unknown."""
    if held is None or (holder is not None and holder.session_id == held.session_id):
        return None
    return held.user_id


# Sessions

Place = tuple[SessionId, Role, int | None]
"""A session in one role: a controller at one epoch."""


def _find_session_changes(done: RobotWrite) -> Iterator[SessionChange]:
    before, after = _places(done.before), _places(done.after)
    if done.before is None:
        before = _guess_before(done)
    for place, session in before.items():
        if place not in after:
            yield _end(done, place, session)
    for place, session in after.items():
        earlier = before.get(place)
        if earlier is None:
            if done.before is not None or _has_opened(done, place):
                yield _change("began", place, session)
        elif session.lost is not None and earlier.lost is None:
            yield _change("lost", place, session, until=session.until)
        elif session.connection_id != earlier.connection_id:
            yield _change("resumed", place, session)


def _places(robot: Robot | None) -> dict[Place, Session]:
    if robot is None:
        return {}
    return {
        (each.session_id, role, robot.epoch if role == "controller" else None): each
        for each, role in robot.sessions()
    }


def _guess_before(done: RobotWrite) -> dict[Place, Session]:
    """Return the holder before a write whose first answer was lost, if the item still has it."""
    held = done.after.prev if COPY_HOLDER in done.write.then else None
    return {} if held is None else {(held.session_id, "controller", done.after.epoch - 1): held}


def _has_opened(done: RobotWrite, place: Place) -> bool:
    """Say whether the write itself began this session."""
    session_id, role, _ = place
    if role == "controller":
        return done.write.increments(EPOCH)
    path = (*VIEWERS, session_id)
    return any(isinstance(each, Put) and each.path == path for each in done.write.then)


def _end(done: RobotWrite, place: Place, session: Session) -> SessionChange:
    _, role, _ = place
    if session.has_lapsed(role, done.now):
        # A lease that ends too far ahead was written by a clock that has been set back since.
        at = session.until if session.until < done.now else None
        return _change("ended", place, session, at=at, reason="lapsed")
    return _change("ended", place, session, reason=_find_end(done, place))


def _find_end(done: RobotWrite, place: Place) -> IntervalEnd:
    session_id, role, _ = place
    holder = done.after.controller
    drives = holder is not None and holder.session_id == session_id
    if role == "viewer" and drives:
        return "granted" if done.write.effect is Effect.GRANTED else "promoted"
    return REASONS_OF_ENDS.get(done.write.name, "unrecorded")


def _change(
    what: Seen,
    place: Place,
    session: Session,
    *,
    at: int | None = None,
    until: int | None = None,
    reason: IntervalEnd | None = None,
) -> SessionChange:
    _, role, epoch = place
    return SessionChange(
        what=what,
        session=session.session_id,
        user=session.user_id,
        name=session.name,
        role=role,
        epoch=epoch,
        at=at,
        until=until,
        reason=reason,
    )


def describe_sessions(robot: Robot, at: int) -> Line:
    """Return a line that lists every session of a robot, for a server that starts at `at`."""
    return Line(
        at=at,
        robot=robot.robot_id,
        epoch=robot.epoch,
        rev=robot.rev,
        write="start",
        reason="found",
        holder=None if robot.controller is None else robot.controller.user_id,
        session=None if robot.controller is None else robot.controller.session_id,
        owner=robot.owner_user_id,
        viewers=len(robot.viewers),
        sessions=tuple(
            _change("found", place, session, until=session.until)
            for place, session in _places(robot).items()
        ),
        complete=True,
    )
