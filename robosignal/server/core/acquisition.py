"""Acquiring a session: the write, the introduction to the robot, and the rollback if that fails.

Every message that can give the sender the lease, or a new viewer session, goes through
`introduce`: no session holds a robot that it cannot reach.
"""

from collections.abc import Sequence
from contextlib import suppress

from msgspec import structs

from robosignal.protocol.errors import (
    Forbidden,
    NoSession,
    RobotBusy,
    RobotOffline,
    SignalingError,
    TryAgain,
)
from robosignal.protocol.frames import Ack
from robosignal.protocol.ids import ConnectionId, RobotId, SessionId
from robosignal.protocol.messages import Offer, RequestControl, Role, Takeover
from robosignal.server.core.addressing import ActiveSession
from robosignal.server.core.authorization import ROBOT_CANNOT_DRIVE, authorize, find_right
from robosignal.server.core.conditional_writes import Write
from robosignal.server.core.delivery import find_delivery, hand_over, loss_write, notify
from robosignal.server.core.dialects import AnyFrame, takeover_frame, translate_for_robot
from robosignal.server.core.notices import (
    Notice,
    control_frame,
    notices_of_replaced,
    notices_to,
    notices_to_displaced,
    notices_to_viewers,
    notices_without_ack,
    takeover_reason,
)
from robosignal.server.core.records import Connection, Robot, Session
from robosignal.server.core.request import Request, clear_grace
from robosignal.server.core.sessions import (
    EndedSession,
    end_session,
    notices_of_end,
    notices_of_free_control,
    writes_to_roll_back,
)
from robosignal.server.core.steps import (
    Action,
    CheckRobot,
    ConditionFailed,
    Delivery,
    Flow,
    WriteConnection,
    WriteRobot,
    Written,
    attempt_all,
    perform_all,
    write_robot,
)
from robosignal.server.core.writes import connections, lease, presence, viewers


def acquire(
    request: Request, message: Offer | Takeover | RequestControl, robot: Robot, write: Write
) -> Flow[Robot]:
    """Carry out a write that gives the sender the lease, and return the robot's new item.

    Raise RobotOffline, RobotBusy or TryAgain if its condition fails, whichever explains it.
    """
    outcome = yield from write_or_undo(request, robot.robot_id, write)
    if isinstance(outcome, Written):
        return outcome.after
    raise explain_refusal(request, authorize(request, message, robot.robot_id, outcome.item))


def write_or_undo(
    request: Request, robot_id: RobotId, write: Write
) -> Flow[Written[Robot] | ConditionFailed[Robot]]:
    """Carry out a write that may open a session for the sender.

    A write that is never answered may have been carried out all the same. A v1 session lapses
    soon, but a seed session lasts until its token ends, so end it if the write opened it. A session
    that was there before is noted on the sender's item, and ends with its connection. Then raise
    TryAgain.
    """
    try:
        return (yield from write_robot(robot_id, write))
    except TryAgain as unanswered:
        stamp, role = unanswered.stamp, write.opens
        if stamp is not None and role is not None and request.sender.dialect == "seed":
            mine = request.new_session(robot_id, request.lease_until)
            yield from _undo(request, robot_id, ActiveSession(mine, role), stamp)
        raise


def _undo(request: Request, robot_id: RobotId, opened: ActiveSession, stamp: str) -> Flow[None]:
    """End the session if the item still has the stamp of the write that opened it."""
    session, role = opened.session, opened.role
    undo = lease.undo if role == "controller" else viewers.undo
    write = undo(session.session_id, session.connection_id, stamp)
    with suppress(SignalingError):
        # Read first: usually nothing was written, and the key may be throttled for writes.
        (checked,) = yield from perform_all((CheckRobot(robot_id, write),), "undo")
        if not isinstance(checked, Written):
            return
        outcome = yield from write_robot(robot_id, write, "undo")
        if isinstance(outcome, Written):
            yield from notify(request, robot_id, _undo_notices(outcome.after, session, role))


def _undo_notices(robot: Robot, session: Session, role: Role) -> list[Notice]:
    ended = EndedSession(robot, session, role)
    if role == "viewer":
        return notices_of_end(ended)
    # The session held at the epoch before, and the driver that it displaced was not told.
    displaced = notices_to_displaced(structs.replace(robot, epoch=robot.epoch - 1), session)
    return displaced + notices_of_end(ended)


def confirm_session(request: Request, robot: Robot, found: ActiveSession) -> Flow[None]:
    """Note a seed's session on the sender's item if it isn't noted there.

    The message that opened it may be about to undo it, so write to the session first: that
    changes the stamp. Raise TryAgain if the session is gone.
    """
    session_id, role = found.session.session_id, found.role
    if found.session.dialect != "seed" or session_id in request.sender.sessions:
        return
    renew = lease.renew if role == "controller" else viewers.renew
    renewal = renew(session_id, found.session.connection_id, found.session.until)
    # Written as a renewal, it would not change the stamp.
    outcome = yield from write_robot(robot.robot_id, structs.replace(renewal, renewal=False))
    if not isinstance(outcome, Written):
        raise TryAgain(robot.robot_id)
    yield from note_or_record_loss(request, robot, found)


def explain_refusal(request: Request, robot: Robot) -> RobotOffline | RobotBusy | TryAgain:
    """Return why the lease could not be acquired, judging by the robot's item."""
    if robot.connection_id is None:
        return RobotOffline(robot.robot_id)
    held = robot.holder(request.now)
    if held is not None and held.connection_id != request.sender.connection_id:
        you = held.user_id == request.sender.user_id
        return RobotBusy(robot.robot_id, held.user_id, held.name, you=you)
    return TryAgain(robot.robot_id)


def acquire_and_introduce(
    request: Request,
    message: Offer | Takeover,
    robot: Robot,
    mine: Session,
    write: Write,
    *,
    was_viewer: bool = False,
) -> Flow[Ack]:
    """Carry out a write that gives the sender the lease, then introduce it as the driver.

    `robot` is the item that was read. Raise what `acquire` and `introduce` raise.
    """
    after = yield from acquire(request, message, robot, write)
    return (yield from introduce_driver(request, message, after, mine, was_viewer=was_viewer))


def introduce_driver(
    request: Request,
    message: Offer | Takeover,
    robot: Robot,
    mine: Session,
    *,
    was_viewer: bool = False,
) -> Flow[Ack]:
    """Tell the robot of its new driver; then notify the others. Return the sender's `ack`.

    `robot` is the item after the write. The robot learns of an offer by the offer itself, and of a
    takeover by its own frame, which no seed robot is sent. Raise what `introduce` raises.
    """
    if isinstance(message, Offer):
        right = find_right(request, robot, mine)
        frame: AnyFrame | None = translate_for_robot(robot, mine, "controller", message, right)
        role: Role | None = "controller"
        more = notices_of_replaced(robot, mine)
    else:
        reason = takeover_reason(robot, request.sender.user_id)
        frame = takeover_frame(robot, mine, reason, request.now)
        role = None
        more = notices_without_ack(message, robot, mine)
    yield from introduce(request, robot, mine, "controller", frame, was_viewer=was_viewer)
    yield from announce_driver(request, robot, mine, more)
    return Ack(session_id=mine.session_id, role=role, epoch=robot.epoch)


def introduce(
    request: Request,
    robot: Robot,
    session: Session,
    role: Role,
    frame: AnyFrame | None,
    *,
    was_viewer: bool = False,
) -> Flow[None]:
    """Send the robot the session's first frame and, in parallel, note the session on its item.

    `frame` is None for a robot that is sent nothing. If either fails, roll the session back, then
    raise RobotOffline, NoSession if the sender's connection is gone, or the error that occurred.
    A holder who `was_viewer` becomes a viewer again.
    """
    note = note_session(request, session.session_id)
    try:
        posts: list[Action] = [] if frame is None else [hand_over(robot, frame, request.now)]
        *posted, noted = yield from perform_all((*posts, note))
    except SignalingError:
        yield from _roll_back(request, robot, session, role, stay=was_viewer)
        raise
    sent = [find_delivery(post, outcome) for post, outcome in zip(posts, posted, strict=True)]
    if any(delivery is not Delivery.SENT for delivery in sent):
        gone = robot.connection_id
        yield from _roll_back(request, robot, session, role, stay=was_viewer, gone=gone)
        raise RobotOffline(robot.robot_id)
    if not isinstance(noted, Written):
        # The sender itself is gone, or may have no session: it does not stay as a viewer.
        yield from _roll_back(request, robot, session, role, stay=False)
        raise explain_missing_note(robot, noted)


def note_session(request: Request, session_id: SessionId) -> WriteConnection:
    """Return the step that notes a session on the sender's item."""
    me = request.sender.connection_id
    return WriteConnection(me, connections.note_session(me, session_id, request.sender.dialect))


def note_or_record_loss(request: Request, robot: Robot, found: ActiveSession) -> Flow[None]:
    """Note an existing session on the sender's item.

    If the item refuses it, record that the session's connection is lost, and raise NoSession,
    Forbidden or TryAgain, whichever explains it.
    """
    (noted,) = yield from perform_all((note_session(request, found.session.session_id),))
    if isinstance(noted, ConditionFailed):
        loss = WriteRobot(robot.robot_id, loss_write(found.session, found.role, request.now))
        yield from attempt_all((loss,), "undo")
        raise explain_missing_note(robot, noted)


def explain_missing_note(
    robot: Robot, noted: ConditionFailed[Connection]
) -> Forbidden | TryAgain | NoSession:
    """Return why a session could not be noted, judging by the sender's item."""
    row = noted.item
    if row is None:
        return NoSession(robot.robot_id)
    if row.robot_id is not None:
        return Forbidden(None, ROBOT_CANNOT_DRIVE)
    # The sender switched to v1 in the meantime, and the session was made in the seed dialect.
    return TryAgain(robot.robot_id)


def _roll_back(
    request: Request,
    robot: Robot,
    session: Session,
    role: Role,
    *,
    stay: bool,
    gone: ConnectionId | None = None,
) -> Flow[None]:
    """End the session, or let it `stay` as a viewer's; record the robot's lost connection `gone`.

    Then notify everyone concerned. A displaced driver is notified even if the rollback fails: the
    new lease then lasts until it lapses.
    """
    notices = notices_to_displaced(robot, session) if role == "controller" else []
    if role == "viewer":
        notices += yield from _end_viewer(robot, session, gone)
    else:
        with suppress(SignalingError):
            if stay:
                notices += yield from _return_to_viewing(request, robot, session, gone)
            else:
                notices += yield from _end_holder(robot, session, gone)
    yield from notify(request, robot.robot_id, notices)


def _return_to_viewing(
    request: Request, robot: Robot, session: Session, gone: ConnectionId | None
) -> Flow[list[Notice]]:
    """Make the holder the viewer that it was; return the notices of that."""
    viewing = clear_grace(session, request.viewer_until)
    release = lease.release(viewing, request.rules.viewers)
    outcome = yield from write_robot(robot.robot_id, release, "undo")
    after = outcome.after if isinstance(outcome, Written) else None
    if gone is not None:
        lost = yield from write_robot(robot.robot_id, presence.record_loss(gone), "undo")
        after = lost.after if after is not None and isinstance(lost, Written) else after
    if after is None:
        return []
    free = control_frame(after)
    return notices_to(after, free) + notices_to_viewers(after, free, except_for=session.session_id)


def _end_holder(robot: Robot, session: Session, gone: ConnectionId | None) -> Flow[list[Notice]]:
    """End the holder's session and the robot's presence, if it is gone; return the notices."""
    ids = session.session_id, session.connection_id
    if gone is not None:
        both = lease.roll_back_with_robot(*ids, gone)
        outcome = yield from write_robot(robot.robot_id, both, "undo")
        if isinstance(outcome, Written):
            return notices_of_end(EndedSession(outcome.after, session, "controller"))
    # A robot that has registered again in the meantime keeps its new presence.
    active = ActiveSession(session, "controller")
    ended = yield from end_session(robot.robot_id, active, writes_to_roll_back(*ids), "undo")
    return [] if ended is None else notices_of_end(ended)


def _end_viewer(robot: Robot, session: Session, gone: ConnectionId | None) -> Flow[list[Notice]]:
    """End the viewer's session and the robot's presence, if it is gone; return the notices."""
    writes = writes_to_roll_back(session.session_id, session.connection_id)
    ended = None
    with suppress(SignalingError):
        # A viewer session that cannot be ended now lapses by itself.
        active = ActiveSession(session, "viewer")
        ended = yield from end_session(robot.robot_id, active, writes, "undo")
    if gone is not None:
        loss = WriteRobot(robot.robot_id, presence.record_loss(gone))
        yield from attempt_all((loss,), "undo")
    if ended is None:
        return []
    # A robot that has redialled in the meantime can be notified.
    is_gone = ended.robot.connection_id == gone
    return notices_of_free_control(ended) if is_gone else notices_of_end(ended)


def announce_driver(
    request: Request, robot: Robot, holder: Session, more: Sequence[Notice] = ()
) -> Flow[None]:
    """Notify the displaced driver and the viewers of the new driver, and send `more` notices."""
    viewers = notices_to_viewers(robot, control_frame(robot), except_for=holder.session_id)
    yield from notify(
        request, robot.robot_id, [*notices_to_displaced(robot, holder), *viewers, *more]
    )
