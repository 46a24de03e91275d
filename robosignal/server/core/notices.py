"""What is told unasked, and to whom: a change of control, a session that ended.

Built from an item as a write left it; never says when it is sent, or what follows if it fails.
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
    TakeoverReason,
)
from robosignal.protocol.ids import SessionId, UserId
from robosignal.protocol.messages import Message, Role
from robosignal.server.core.dialects import AnyFrame, for_v1_only
from robosignal.server.core.records import Recipient, Robot, Session


@dataclass(frozen=True, slots=True)
class Notice:
    """A frame for one party. A session that has ended has no role, and needs no clean-up."""

    party: Recipient
    frame: AnyFrame
    role: Role | None = None


def notices_to(party: Recipient, frame: Frame, role: Role | None = None) -> list[Notice]:
    """Return the notice, or nothing for a seed party: it is sent nothing unasked."""
    kept = for_v1_only(party, frame)
    return [] if kept is None or party.connection_id is None else [Notice(party, kept, role)]


def can_hear_control(robot: Robot) -> bool:
    """Say whether the robot can be told of a change of control: a seed does not know the frame."""
    return robot.connection_id is not None and robot.dialect == "v1"


def viewer_notices(robot: Robot, frame: Control, besides: SessionId) -> list[Notice]:
    """Return the notices that tell every other viewer."""
    others = (each for each in robot.viewers.values() if each.session_id != besides)
    return [each for viewer in others for each in notices_to(viewer, frame, "viewer")]


def displaced_notices(robot: Robot, holder: Session) -> list[Notice]:
    """Return the notice that tells the holder before this one; none to a socket known as lost."""
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


def replaced_notices(robot: Robot, holder: Session) -> list[Notice]:
    """Return the notice that tells the robot whose session ended as another took its lease.

    The epoch is the one at which that session held: it tells nothing of who holds since.
    """
    before = robot.prev
    if before is None or before.session_id == holder.session_id:
        return []
    left = peer_left_frame(robot, before, "controller", "evicted")
    return notices_to(robot, structs.replace(left, epoch=robot.epoch - 1))


def unacknowledged_notices(message: Message, robot: Robot, holder: Session) -> list[Notice]:
    """Return the notice that tells a new holder who asked for no `ack`."""
    return [] if message.id is not None else notices_to(holder, control_frame(robot), "controller")


def takeover_reason(robot: Robot, user: UserId) -> TakeoverReason:
    """Return by what right a user has taken over: from themselves, as owner, or as admin."""
    if robot.prev is not None and robot.prev.user_id == user:
        return "self"
    return "owner" if robot.owner_user_id == user else "admin"


def control_frame(robot: Robot) -> Control:
    """Return who holds the robot at its epoch, or that nobody does."""
    holder = robot.controller
    return Control(
        robot_id=robot.robot_id,
        epoch=robot.epoch,
        session_id=holder.session_id if holder else None,
        person=holder.person if holder else None,
    )


def control_state(robot: Robot) -> ControlState:
    """Return where control stands, for a robot that asks."""
    holder = robot.controller
    return ControlState(epoch=robot.epoch, session_id=holder.session_id if holder else None)


def peer_left_frame(robot: Robot, session: Session, role: Role, reason: LeaveReason) -> PeerLeft:
    """Return that a session ended so; the epoch tells it was the holder's."""
    return PeerLeft(
        robot_id=robot.robot_id,
        session_id=session.session_id,
        reason=reason,
        epoch=robot.epoch if role == "controller" else None,
    )


def find_ended(before: Robot | None, after: Robot) -> list[tuple[Session, Role]]:
    """Return every session that stood in an item and stands no more."""
    if before is None:
        return []
    standing = {each.session_id for each, _ in after.sessions()}
    return [each for each in before.sessions() if each[0].session_id not in standing]


def ended_notices(before: Robot | None, after: Robot, reason: LeaveReason) -> list[Notice]:
    """Return the notices to the clients of every session that has ended between the two."""
    return [
        told
        for session, role in find_ended(before, after)
        for told in notices_to(session, peer_left_frame(after, session, role, reason))
    ]
