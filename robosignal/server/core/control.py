"""The control lease as messages see it: taking it, taking it over, releasing it.

One driver at a time. Each change is one conditional write that raises the epoch; whoever is
concerned is told once it stands and the new holder is known to reach the robot.
"""

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
    announce_driver,
    explain_refusal,
    introduce_driver,
)
from robosignal.server.core.addressing import resolve_robot_id
from robosignal.server.core.authorization import authorize, condition_for, refuse_robot_connections
from robosignal.server.core.conditional_writes import Write
from robosignal.server.core.delivery import deliver, notify
from robosignal.server.core.dialects import takeover_frame
from robosignal.server.core.notices import (
    Notice,
    can_hear_control,
    control_frame,
    notices_to,
    replaced_notices,
    takeover_reason,
    unacknowledged_notices,
    viewer_notices,
)
from robosignal.server.core.records import Robot, Session
from robosignal.server.core.request import Request, clear_grace
from robosignal.server.core.steps import ConditionFailed, Flow, Written, read_robot, write_robot
from robosignal.server.core.writes import lease


def take_over(request: Request, message: Takeover) -> Flow[Ack]:
    """Move the lease to the sender at once; from the holder's own connection nothing changes."""
    robot_id = yield from resolve_robot_id(request, message)
    refuse_robot_connections(request)
    mine = request.session_with(robot_id, request.lease_until)
    may = condition_for(Takeover, request.sender)
    outcome = yield from write_robot(robot_id, lease.take_over(mine, may))
    if isinstance(outcome, Written):
        return (yield from _announce_takeover(request, message, outcome.after, mine))
    robot = authorize(request, message, robot_id, outcome.item)
    found = robot.session_at(mine.connection_id)
    if found is None:
        taking = lease.take_over_among_viewers(mine, may, robot.engaged())
        return (yield from _acquire(request, message, robot, mine, taking))
    own, role = found
    if role == "controller" and not own.has_lapsed(role, request.now):
        return Ack(session_id=own.session_id, epoch=robot.epoch)
    mine = request.moved(own.session_id, request.lease_until)
    if role == "controller":
        # Anybody's next offer would take a lapsed lease: it is taken anew, as by an offer.
        again = lease.acquire_again(mine, may, request.now)
        return (yield from _acquire(request, message, robot, mine, again))
    taking = lease.take_over_as_viewer(mine, may)
    return (yield from _acquire(request, message, robot, mine, taking, viewed=True))


def _acquire(
    request: Request,
    message: Takeover,
    robot: Robot,
    mine: Session,
    taking: Write,
    *,
    viewed: bool = False,
) -> Flow[Ack]:
    after = yield from acquire(request, message, robot, taking)
    return (yield from _announce_takeover(request, message, after, mine, viewed=viewed))


def _announce_takeover(
    request: Request, message: Takeover, robot: Robot, mine: Session, *, viewed: bool = False
) -> Flow[Ack]:
    told = takeover_frame(robot, mine, takeover_reason(robot, request.sender.user_id))
    yield from introduce_driver(request, robot, mine, told, viewed=viewed)
    yield from announce_driver(request, robot, mine, unacknowledged_notices(message, robot, mine))
    return Ack(session_id=mine.session_id, epoch=robot.epoch)


def release_control(request: Request, message: ReleaseControl) -> Flow[Ack]:
    """Free the lease; the holder becomes a viewer."""
    robot_id = yield from resolve_robot_id(request, message)
    robot = authorize(request, message, robot_id, (yield from read_robot(robot_id)))
    held = robot.controller
    if held is None or held.connection_id != request.sender.connection_id:
        raise NoSession(robot_id)
    if message.session_id not in (None, held.session_id):
        raise NoSession(robot_id)
    after, _, is_told = yield from release_to_viewer(request, robot, held)
    return Ack(epoch=after.epoch, robot_told=is_told)


def release_to_viewer(
    request: Request, robot: Robot, held: Session
) -> Flow[tuple[Robot, Session, bool]]:
    """Make the holder a viewer; tell the robot and the other viewers that control is free.

    Return the robot, the viewer's session, and whether the robot has been told.
    """
    if robot.dialect == "seed":
        raise Forbidden(robot.robot_id, "a seed robot takes no viewers: send bye instead")
    viewing = clear_grace(held, request.place_until)
    limit = request.rules.viewers
    outcome = yield from write_robot(robot.robot_id, lease.release(viewing, limit))
    if isinstance(outcome, ConditionFailed):
        raise _explain_unreleased(outcome.item, viewing, limit) or NoSession(robot.robot_id)
    after = outcome.after
    free = control_frame(after)
    told = notices_to(after, free) + viewer_notices(after, free, besides=viewing.session_id)
    is_told = yield from notify(request, after.robot_id, told)
    return after, viewing, is_told and can_hear_control(after)


def _explain_unreleased(robot: Robot | None, viewing: Session, limit: int) -> TooManyViewers | None:
    """Return what keeps a holder from becoming a viewer, if it holds still."""
    if robot is None or robot.controller is None or len(robot.viewers) <= limit:
        return None
    same = robot.controller.session_id == viewing.session_id
    return TooManyViewers(robot.robot_id, limit) if same else None


def request_control(request: Request, message: RequestControl) -> Flow[Ack]:
    """Ask the holder for control; a free lease is granted at once."""
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
        # A seed client cannot be asked: it would not know the frame.
        raise explain_refusal(request, robot)
    asked = ControlRequested(robot_id=robot_id, session_id=mine.session_id, by=mine.person)
    if not (yield from deliver(request, robot_id, Notice(holder, asked, "controller"))):
        raise PeerGone(robot_id)
    return Ack()


def refuse_seed_robot(robot: Robot) -> None:
    """Raise for a robot that would hear of no handover: it obeys whose offer came last."""
    if robot.dialect == "seed":
        raise Forbidden(robot.robot_id, "a seed robot knows no handover: take over instead")


def _acquire_free(
    request: Request, message: RequestControl, robot: Robot, mine: Session
) -> Flow[Ack]:
    """Take the free lease in one's own session, once the robot has heard of it."""
    may = condition_for(RequestControl, request.sender)
    held = request.moved(mine.session_id, request.lease_until)
    lapsed = robot.controller is not None and robot.controller.session_id == mine.session_id
    take = lease.acquire_again if lapsed else lease.acquire_as_viewer
    after = yield from acquire(request, message, robot, take(held, may, request.now))
    # A robot that has just come back as a seed, with its sessions, knows no such frame.
    if after.dialect == "v1":
        yield from introduce_driver(request, after, held, control_frame(after), viewed=not lapsed)
    told = replaced_notices(after, held) + unacknowledged_notices(message, after, held)
    yield from announce_driver(request, after, held, told)
    return Ack(epoch=after.epoch)


def grant_control(request: Request, message: GrantControl) -> Flow[Ack]:
    """Hand the lease to a viewer; the granter becomes a viewer.

    Raise PeerGone when the viewer's socket is lost: then the robot would have no driver.
    """
    robot, mine, asker = yield from _find_both_sessions(request, message)
    if asker.lost is not None:
        raise PeerGone(robot.robot_id)
    theirs = clear_grace(asker, request.lease_of(asker))
    staying = clear_grace(mine, request.place_until)
    write = lease.grant(staying, theirs, asker.connection_id, robot.epoch)
    outcome = yield from write_robot(robot.robot_id, write)
    if isinstance(outcome, ConditionFailed):
        raise TryAgain(robot.robot_id)
    after = outcome.after
    told = control_frame(after)
    besides = staying.session_id
    is_told = yield from notify(
        request,
        after.robot_id,
        notices_to(after, told)
        + notices_to(theirs, told, "controller")
        + viewer_notices(after, told, besides),
    )
    return Ack(epoch=after.epoch, robot_told=is_told and can_hear_control(after))


def deny_control(request: Request, message: DenyControl) -> Flow[Ack]:
    """Tell the viewer who asked that the holder keeps control."""
    robot, mine, asker = yield from _find_both_sessions(request, message)
    denied = ControlDenied(robot_id=robot.robot_id, by=mine.person)
    for told in notices_to(asker, denied, "viewer"):
        if not (yield from deliver(request, robot.robot_id, told)):
            raise PeerGone(robot.robot_id)
    return Ack()


def _find_both_sessions(
    request: Request, message: GrantControl | DenyControl
) -> Flow[tuple[Robot, Session, Session]]:
    """Return the robot, the holder's session, which is the sender's, and the viewer's."""
    robot_id = message.robot_id
    if robot_of(message.session_id) != robot_id:
        raise NoSession(robot_id)
    robot = authorize(request, message, robot_id, (yield from read_robot(robot_id)))
    refuse_seed_robot(robot)
    mine = robot.controller
    if mine is None or mine.connection_id != request.sender.connection_id:
        raise NoSession(robot_id)
    asker = robot.viewers.get(message.session_id)
    if asker is None:
        raise NoSession(robot_id)
    return robot, mine, asker
