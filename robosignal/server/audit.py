"""The audit log: one line for each change of a robot's driver, presence or operators.

A line names the robot, its epoch, who did it, who drives, who was displaced, why, and by which
write. It never contains a token, an address or what was sent.
"""

import logging

from robosignal.server.changes import Change, find_change
from robosignal.server.core.effects import Effect
from robosignal.server.core.notices import takeover_reason
from robosignal.server.core.records import Connection, Robot, Session
from robosignal.server.core.steps import Action
from robosignal.server.core.writes.attributes import COPY_HOLDER, EPOCH, REV

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
    Effect.UNSHARED: "unshared",
    Effect.SHARE_ENDED: "share ended",
    Effect.TRANSFERRED: "transferred",
}
"""The reason to log, where the effect alone determines it."""


class Audit:
    """Logs the changes that one event makes, by the user of this connection.

    Implements `robosignal.server.executor.Observer`. `by` is None for an event without a user,
    such as `$disconnect`.
    """

    def __init__(self, by: Connection | None) -> None:
        self._by = by

    def saw(self, action: Action, outcome: object) -> None:
        """Log the action if it has changed a robot. Raise nothing: the change is written."""
        try:
            change = find_change(action, outcome)
            if change is not None:
                log_change(change, self._by)
        except Exception:
            log.exception("change not audited")


def log_change(change: Change, by: Connection | None) -> None:
    """Write the change's line."""
    before, after = change.before, change.after
    # If the write's first answer was lost, only `prev` tells of the state before, if it was set.
    previous = after.prev if COPY_HOLDER in change.write.then else None
    held = previous if before is None else before.controller
    audit_log.info(
        _describe(change),
        extra={
            "reason": _find_reason(change, by),
            "write": change.write.name,
            "robot": after.robot_id,
            "epoch": after.epoch,
            "rev": after.rev,
            "by": None if by is None else by.user_id,
            "holder": _user_of(after.controller),
            "displaced": _find_displaced(held, after.controller),
            "owner": after.owner_user_id,
            "whom": None if before is None else _find_shared(before, after),
        },
    )


def _describe(change: Change) -> str:
    if change.write.increments(EPOCH):
        return "control changed"
    return "presence changed" if change.write.increments(REV) else "shares changed"


def _find_shared(before: Robot, after: Robot) -> str | None:
    """Return the user, or group's key, whose share or offer has changed; None if none has."""
    changed = set(before.shares()) ^ set(after.shares())
    return next((each.grantee for each in changed), None)


def _find_reason(change: Change, by: Connection | None) -> str:
    after, effect = change.after, change.effect
    if effect is Effect.CLAIMED and after.epoch == 1:
        return "claimed"
    if effect in REASONS:
        return REASONS[effect]
    if effect is Effect.TAKEN_OVER and by is not None:
        return takeover_reason(after, by.user_id)
    if after.prev is None:
        return "free"
    return "lapsed" if after.prev.lost is None else "grace"


def _find_displaced(held: Session | None, holder: Session | None) -> str | None:
    """Return the user who has lost control; None if their session only moved, or is unknown."""
    if held is None or (holder is not None and holder.session_id == held.session_id):
        return None
    return held.user_id


def _user_of(session: Session | None) -> str | None:
    return None if session is None else session.user_id
