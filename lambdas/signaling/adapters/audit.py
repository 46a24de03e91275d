"""The audit log: one line for every change of control, and for a robot's coming and going.

Says who did it, to whom, which robot, at which epoch and by which write; never a token, an
address or what was sent.
"""

import logging
from collections.abc import Iterable

from signaling.core.records import Connection, Session
from signaling.core.watching import Change

log = logging.getLogger("signaling.audit")


def audit(changes: Iterable[Change], by: Connection | None) -> None:
    """Log these changes, made by this connection's user; None: by a socket that was lost."""
    for change in changes:
        before, after = change.before, change.after
        held = before.controller if before is not None else None
        same_epoch = before is not None and before.epoch == after.epoch
        log.info(
            "presence changed" if same_epoch else "control changed",
            extra={
                "reason": change.write,
                "robot": after.robot_id,
                "epoch": after.epoch,
                "rev": after.rev,
                "by": None if by is None else by.user_id,
                "holder": _user(after.controller),
                "displaced": _user(held) if held != after.controller else None,
            },
        )


def _user(session: Session | None) -> str | None:
    return None if session is None else session.user_id
