"""The audit log: one line for every change of control, and for a robot's coming and going.

Says who did it, to whom, which robot, at which epoch, why and by which write; never a token,
an address or what was sent.
"""

import logging

from robosignal.server.core.notices import takeover_reason
from robosignal.server.core.records import Connection, Robot, Session
from robosignal.server.core.watching import Change
from robosignal.server.core.writes.attributes import COPY_HOLDER, EPOCH, REV
from robosignal.server.core.writes.lease import TAKEOVERS

log = logging.getLogger("signaling.audit")

REASONS = {
    "acquire_again": "lapsed",
    "grant": "granted",
    "release": "released",
    "leave_lease": "bye",
    "dismiss_holder": "bye",
    "roll_back": "unreachable",
    "roll_back_with_robot": "unreachable",
    "register_process": "restarted",
    "register_redial": "redialled",
    "record_robot_loss": "lost",
    "unregister": "unregistered",
    "evict": "evicted",
    "share": "shared",
    "unshare": "unshared",
    "unshare_holder": "unshared",
    "transfer": "transferred",
}
"""Why, where the write says it all."""


def audit(change: Change, by: Connection | None) -> None:
    """Log this change, made by this connection's user; None: by a socket that was lost."""
    before, after = change.before, change.after
    # Of a write whose answer was lost only what it keeps itself is known of before.
    kept = after.prev if COPY_HOLDER in change.write.then else None
    held = kept if before is None else before.controller
    log.info(
        _what(change),
        extra={
            "reason": _reason(change, by),
            "write": change.write.name,
            "robot": after.robot_id,
            "epoch": after.epoch,
            "rev": after.rev,
            "by": None if by is None else by.user_id,
            "holder": _user(after.controller),
            "displaced": _displaced(held, after.controller),
            "owner": after.owner_user_id,
            "whom": None if before is None else _whom(before, after),
        },
    )


def _what(change: Change) -> str:
    if change.write.raises(EPOCH):
        return "control changed"
    return "presence changed" if change.write.raises(REV) else "operators changed"


def _whom(before: Robot, after: Robot) -> str | None:
    """Return the user with whom a robot is shared now, or no more; None where that is as before."""
    return next(iter(before.operators ^ after.operators), None)


def _reason(change: Change, by: Connection | None) -> str:
    """Return why: for a lease that was taken, by what it could be."""
    after, write = change.after, change.write.name
    if write == "register_process" and after.epoch == 1:
        return "claimed"
    if write in REASONS:
        return REASONS[write]
    if write in TAKEOVERS and by is not None:
        return takeover_reason(after, by.user_id)
    if after.prev is None:
        return "free"
    return "lapsed" if after.prev.lost is None else "grace"


def _displaced(held: Session | None, holder: Session | None) -> str | None:
    """Return who has lost control; nobody where the session only moved, or was unknown."""
    if held is None or (holder is not None and holder.session_id == held.session_id):
        return None
    return held.user_id


def _user(session: Session | None) -> str | None:
    return None if session is None else session.user_id
