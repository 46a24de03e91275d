"""Control of a robot: taking it over, releasing it, requesting it, and granting or denying that.

One connection drives at a time. Each change of driver is one conditional write that increments
the epoch; the others are notified after the robot has been told of its new driver.

A request for control is not stored: the two pages remember it for 30 s. Only the grant is a write.
"""

from msgspec import structs

from robosignal.protocol.errors import (
    Forbidden,
    NoSession,
    PeerGone,
    TooManyViewers,
    TryAgain,
)
from robosignal.protocol.frames import Ack, ControlDenied, ControlRequested
from robosignal.protocol.ids import robot_of
from robosignal.protocol.messages import (
    DenyControl,
    GrantControl,
    ReleaseControl,
    RequestControl,
    Takeover,
)
from robosignal.server.core.acquisition import (
    acquire,
    acquire_and_introduce,
    announce_driver,
    confirm_session,
    explain_refusal,
    introduce,
    introduce_driver,
    write_or_undo,
)
from robosignal.server.core.addressing import ActiveSession, resolve_robot_id
from robosignal.server.core.authorization import (
    authorize,
    condition_for,
    find_driving_share,
    is_shared,
    refuse_robot_connections,
)
from robosignal.server.core.conditional_writes import AllOf, Compare, Condition
from robosignal.server.core.delivery import deliver, notify
from robosignal.server.core.notices import (
    Notice,
    can_hear_control,
    control_frame,
    notices_of_replaced,
    notices_to,
    notices_to_viewers,
    notices_without_ack,
    robot_control_frame,
)
from robosignal.server.core.records import Robot, Session, group_key
from robosignal.server.core.request import Request, clear_grace
from robosignal.server.core.steps import (
    ConditionFailed,
    Delivery,
    Flow,
    Written,
    read_robot,
    write_robot,
)
from robosignal.server.core.writes import lease


def take_over(request: Request, message: Takeover) -> Flow[Ack]:
    """Move the lease to the sender at once. If the sender holds it already, change nothing.

    Raise Forbidden unless the sender is the owner, an admin, or an operator whose other session
    holds the lease; RobotOffline if the robot cannot be reached.
    """
    robot_id = yield from resolve_robot_id(request, message)
    refuse_robot_connections(request)
    mine = request.new_session(robot_id, request.lease_until)
    may = condition_for(Takeover, request.sender)
    outcome = yield from write_or_undo(request, robot_id, lease.take_over(mine, may))
    if isinstance(outcome, Written):
        return (yield from introduce_driver(request, message, outcome.after, mine))
    robot = authorize(request, message, robot_id, outcome.item)
    share = find_driving_share(request, robot)
    may = condition_for(Takeover, request.sender, share)
    mine = request.new_session(robot_id, request.lease_until, share)
    found = robot.session_at(mine.connection_id)
    if found is None:
        write = lease.take_over_among_viewers(mine, may, robot.all_sessions())
        return (yield from acquire_and_introduce(request, message, robot, mine, write))
    own, role = found
    if role == "controller" and not own.has_lapsed(role, request.now):
        yield from confirm_session(request, robot, ActiveSession(own, role))
        return Ack(session_id=own.session_id, epoch=robot.epoch)
    mine = request.own_session(own.session_id, request.lease_until, share)
    if role == "controller":
        # Anybody's next offer could take a lapsed lease, so it is acquired again, as by an offer.
        again = lease.acquire_again(mine, may, request.now)
        return (yield from acquire_and_introduce(request, message, robot, mine, again))
    write = lease.take_over_as_viewer(mine, may)
    return (yield from acquire_and_introduce(request, message, robot, mine, write, was_viewer=True))


def release_control(request: Request, message: ReleaseControl) -> Flow[Ack]:
    """Free the lease; the holder becomes a viewer. Raise NoSession if the sender holds nothing."""
    robot_id = yield from resolve_robot_id(request, message)
    robot = authorize(request, message, robot_id, (yield from read_robot(robot_id)))
    held = robot.controller
    if held is None or held.connection_id != request.sender.connection_id:
        raise NoSession(robot_id)
    if message.session_id not in (None, held.session_id):
        raise NoSession(robot_id)
    after, _, is_robot_told = yield from release_to_viewer(request, robot, held)
    return Ack(epoch=after.epoch, robot_told=is_robot_told)


def release_to_viewer(
    request: Request, robot: Robot, held: Session
) -> Flow[tuple[Robot, Session, bool]]:
    """Make the holder a viewer; tell the robot and the other viewers that control is free.

    Return the robot's item, the viewer session, and whether the robot has been told. Raise
    Forbidden for a seed robot, TooManyViewers, or NoSession if the holder has changed.
    """
    if robot.dialect == "seed":
        raise Forbidden(robot.robot_id, "a seed robot takes no viewers: send bye instead")
    viewing = clear_grace(held, request.viewer_until)
    limit = request.rules.viewers
    outcome = yield from write_robot(robot.robot_id, lease.release(viewing, limit))
    if isinstance(outcome, ConditionFailed):
        raise _explain_unreleased(outcome.item, viewing, limit) or NoSession(robot.robot_id)
    after = outcome.after
    free = control_frame(after)
    notices = notices_to(after, free) + notices_to_viewers(
        after, free, except_for=viewing.session_id
    )
    is_robot_told = yield from notify(request, after.robot_id, notices)
    return after, viewing, is_robot_told and can_hear_control(after)


def _explain_unreleased(robot: Robot | None, viewing: Session, limit: int) -> TooManyViewers | None:
    """Return what keeps a holder from becoming a viewer, if it still holds the lease."""
    if robot is None or robot.controller is None or len(robot.viewers) <= limit:
        return None
    is_same = robot.controller.session_id == viewing.session_id
    return TooManyViewers(robot.robot_id, limit) if is_same else None


def request_control(request: Request, message: RequestControl) -> Flow[Ack]:
    """Ask the holder for control; take a free lease at once.

    Raise NoSession if the sender has no session, RobotBusy if the holder is a seed client, which
    cannot be asked, and PeerGone if the holder cannot be reached.
    """
    robot_id = yield from resolve_robot_id(request, message)
    robot = authorize(request, message, robot_id, (yield from read_robot(robot_id)))
    refuse_seed_robot(robot)
    found = robot.session_at(request.sender.connection_id)
    if found is None or message.session_id not in (None, found[0].session_id):
        raise NoSession(robot_id)
    mine, role = found
    holder = robot.holder(request.now)
    if holder is None:
        return (yield from _acquire_free(request, message, robot, mine))
    if role == "controller":
        return Ack(epoch=robot.epoch)
    if holder.dialect == "seed":
        raise explain_refusal(request, robot)
    asked = ControlRequested(robot_id=robot_id, session_id=mine.session_id, by=mine.person)
    delivery = yield from deliver(request, robot_id, Notice(holder, asked, "controller"))
    if delivery is not Delivery.SENT:
        raise PeerGone(robot_id)
    return Ack()


def refuse_seed_robot(robot: Robot) -> None:
    """Raise Forbidden for a seed robot: it obeys the last offer, and knows no handover."""
    if robot.dialect == "seed":
        raise Forbidden(robot.robot_id, "a seed robot knows no handover: take over instead")


def _acquire_free(
    request: Request, message: RequestControl, robot: Robot, mine: Session
) -> Flow[Ack]:
    """Acquire the free lease for the sender's existing session."""
    share = find_driving_share(request, robot)
    may = condition_for(RequestControl, request.sender, share)
    held = request.own_session(mine.session_id, request.lease_until, share)
    is_lapsed = robot.controller is not None and robot.controller.session_id == mine.session_id
    acquire_write = lease.acquire_again if is_lapsed else lease.acquire_as_viewer
    write = acquire_write(held, may, request.now)
    after = yield from acquire(request, message, robot, write)
    # A robot that has just come back as a seed, with its sessions, does not know this frame.
    if after.dialect == "v1":
        frame = robot_control_frame(after, request.now)
        yield from introduce(request, after, held, "controller", frame, was_viewer=not is_lapsed)
    more = notices_of_replaced(after, held) + notices_without_ack(message, after, held)
    yield from announce_driver(request, after, held, more)
    return Ack(epoch=after.epoch)


def grant_control(request: Request, message: GrantControl) -> Flow[Ack]:
    """Hand the lease to a viewer; the holder becomes a viewer.

    Raise PeerGone if the viewer's connection is lost, because the robot would have no driver;
    TryAgain if either session has changed since it was read.
    """
    robot, mine, viewer = yield from _find_both_sessions(request, message)
    if viewer.lost is not None:
        raise PeerGone(robot.robot_id)
    right, until = _find_viewers_right(request, robot, viewer)
    theirs = structs.replace(viewer, right_until=until)
    theirs = clear_grace(theirs, request.lease_until_for(viewer))
    viewing = clear_grace(mine, request.viewer_until)
    write = lease.grant(viewing, theirs, viewer.connection_id, robot.epoch, right)
    outcome = yield from write_robot(robot.robot_id, write)
    if isinstance(outcome, ConditionFailed):
        raise TryAgain(robot.robot_id)
    after = outcome.after
    frame = control_frame(after)
    is_robot_told = yield from notify(
        request,
        after.robot_id,
        notices_to(after, robot_control_frame(after, request.now))
        + notices_to(theirs, frame, "controller")
        + notices_to_viewers(after, frame, except_for=viewing.session_id),
    )
    return Ack(epoch=after.epoch, robot_told=is_robot_told and can_hear_control(after))


def _find_viewers_right(
    request: Request, robot: Robot, viewer: Session
) -> tuple[Condition, int | None]:
    """Return the condition under which a viewer may drive, and when that right ends.

    Raise Forbidden if its user may only view. An admin's right is in no item.
    """
    if viewer.user_id == robot.owner_user_id:
        return Compare(("ownerUserId",), "=", viewer.user_id), None
    key = viewer.user_id if viewer.group is None else group_key(viewer.group)
    share = robot.share_with(key, request.now)
    if share is not None and share.role == "operator" and not share.offered:
        return is_shared(share), share.until
    if share is None and viewer.group is None and viewer.right_until is None:
        return AllOf(()), None
    raise Forbidden(robot.robot_id, "that viewer may only view this robot")


def deny_control(request: Request, message: DenyControl) -> Flow[Ack]:
    """Tell the viewer who asked that the holder keeps control. Raise PeerGone if it is gone."""
    robot, mine, viewer = yield from _find_both_sessions(request, message)
    denied = ControlDenied(robot_id=robot.robot_id, by=mine.person)
    for notice in notices_to(viewer, denied, "viewer"):
        delivery = yield from deliver(request, robot.robot_id, notice)
        if delivery is not Delivery.SENT:
            raise PeerGone(robot.robot_id)
    return Ack()


def _find_both_sessions(
    request: Request, message: GrantControl | DenyControl
) -> Flow[tuple[Robot, Session, Session]]:
    """Return the robot, the holder's session, which is the sender's, and the viewer's session."""
    robot_id = message.robot_id
    if robot_of(message.session_id) != robot_id:
        raise NoSession(robot_id)
    robot = authorize(request, message, robot_id, (yield from read_robot(robot_id)))
    refuse_seed_robot(robot)
    mine = robot.controller
    if mine is None or mine.connection_id != request.sender.connection_id:
        raise NoSession(robot_id)
    viewer = robot.viewers.get(message.session_id)
    if viewer is None:
        raise NoSession(robot_id)
    return robot, mine, viewer
