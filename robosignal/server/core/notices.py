"""What others are told of a change: who drives now, and which sessions have ended.

Each notice is built from the robot's item as a write left it.
"""

from dataclasses import dataclass

from msgspec import structs

from robosignal.protocol.frames import (
    Control,
    ControlLost,
    ControlState,
    Frame,
    LeaveReason,
    PeerLeft,
    SessionEntry,
    SessionRight,
    TakeoverReason,
)
from robosignal.protocol.ids import SessionId, UserId
from robosignal.protocol.messages import Message, Role
from robosignal.server.core.dialects import AnyFrame
from robosignal.server.core.records import Recipient, Robot, Session


@dataclass(frozen=True, slots=True)
class Notice:
    """A frame for one recipient. One whose session has ended has no role: it can lose nothing."""

    recipient: Recipient
    frame: AnyFrame
    role: Role | None = None


def notices_to(recipient: Recipient, frame: Frame, role: Role | None = None) -> list[Notice]:
    """Return the notice; nothing for a seed recipient, or a robot without a connection."""
    if recipient.connection_id is None or recipient.dialect == "seed":
        return []
    return [Notice(recipient, frame, role)]


def can_hear_control(robot: Robot) -> bool:
    """Say whether the robot can be told who drives: a seed robot does not know the frame."""
    return robot.connection_id is not None and robot.dialect == "v1"


def notices_to_viewers(robot: Robot, frame: Control, except_for: SessionId) -> list[Notice]:
    """Return the notices for every viewer but one."""
    others = (each for each in robot.viewers.values() if each.session_id != except_for)
    return [each for viewer in others for each in notices_to(viewer, frame, "viewer")]


def notices_to_displaced(robot: Robot, holder: Session) -> list[Notice]:
    """Return the notice for the holder before this one, unless its connection is known as lost."""
    before = robot.prev
    if before is None or before.connection_id == holder.connection_id or before.lost is not None:
        return []
    lost = ControlLost(
        robot_id=robot.robot_id,
        session_id=before.session_id,
        by=holder.person,
        epoch=robot.epoch,
    )
    return notices_to(before, lost)


def notices_of_replaced(robot: Robot, holder: Session) -> list[Notice]:
    """Return the notice that tells the robot whose session ended when its lease was taken.

    Its epoch is the one at which that session drove, so it does not say who has driven since.
    """
    before = robot.prev
    if before is None or before.session_id == holder.session_id:
        return []
    left = peer_left_frame(robot, before, "controller", "evicted")
    return notices_to(robot, structs.replace(left, epoch=robot.epoch - 1))


def notices_without_ack(message: Message, robot: Robot, holder: Session) -> list[Notice]:
    """Return the notice that tells a new holder of its role, if its message asked for no `ack`."""
    return [] if message.id is not None else notices_to(holder, control_frame(robot), "controller")


def takeover_reason(robot: Robot, user: UserId) -> TakeoverReason:
    """Return by what right a user took over: from themselves (`self`), as owner, or as admin."""
    if robot.prev is not None and robot.prev.user_id == user:
        return "self"
    return "owner" if robot.owner_user_id == user else "admin"


def control_frame(robot: Robot) -> Control:
    """Return the frame that says who drives the robot at its epoch, if anyone does."""
    holder = robot.controller
    return Control(
        robot_id=robot.robot_id,
        epoch=robot.epoch,
        session_id=holder.session_id if holder else None,
        person=holder.person if holder else None,
    )


def robot_control_frame(robot: Robot, now: int) -> Control:
    """Return the same frame for the robot itself, which is told what is left of the right."""
    return structs.replace(control_frame(robot), right_seconds=_right_seconds(robot, now))


def control_state(robot: Robot, now: int) -> ControlState:
    """Return the epoch and the holder's session, for the robot itself. `now`: epoch ms."""
    holder = robot.controller
    return ControlState(
        epoch=robot.epoch,
        session_id=holder.session_id if holder else None,
        # A seed robot does not know the field, and its frames stay as they were.
        right_seconds=_right_seconds(robot, now) if robot.dialect == "v1" else None,
    )


def session_rights(robot: Robot, now: int) -> list[SessionRight]:
    """Return what is left of the right of every session, for the robot itself. `now`: epoch ms.

    Whether the user may drive was said with the offer. The one change of it that ends no session is
    that an operator who only views becomes a viewer by right: they may still stop the robot.
    """
    return [
        SessionRight(session_id=each.session_id, right_seconds=each.right_seconds(now))
        for each in robot.all_sessions()
    ]


def session_entries(robot: Robot, now: int) -> list[SessionEntry]:
    """Return every session with its user and its role, for the robot itself. `now`: epoch ms."""
    return [
        SessionEntry(
            session_id=each.session_id,
            person=each.person,
            role=role,
            # As in `control_state`.
            right_seconds=each.right_seconds(now) if robot.dialect == "v1" else None,
        )
        for each, role in robot.sessions()
    ]


def _right_seconds(robot: Robot, now: int) -> int | None:
    return None if robot.controller is None else robot.controller.right_seconds(now)


def peer_left_frame(robot: Robot, session: Session, role: Role, reason: LeaveReason) -> PeerLeft:
    """Return the frame that says that a session ended; it has an epoch if it was the holder's."""
    return PeerLeft(
        robot_id=robot.robot_id,
        session_id=session.session_id,
        reason=reason,
        epoch=robot.epoch if role == "controller" else None,
    )


def find_ended(before: Robot | None, after: Robot) -> list[tuple[Session, Role]]:
    """Return every session of the earlier item that the later one does not have."""
    if before is None:
        return []
    remaining = {each.session_id for each, _ in after.sessions()}
    return [each for each in before.sessions() if each[0].session_id not in remaining]


def notices_of_ended(before: Robot | None, after: Robot, reason: LeaveReason) -> list[Notice]:
    """Return the notices for the clients of every session that ended between the two items."""
    return [
        notice
        for session, role in find_ended(before, after)
        for notice in notices_to(session, peer_left_frame(after, session, role, reason))
    ]
