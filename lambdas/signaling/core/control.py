"""The control lease as messages see it: taking it, taking it over, releasing it.

One driver at a time. Each change is one conditional write that raises the epoch; whoever is
concerned is told once it stands and the new holder is known to reach the robot.
"""

from signaling.core.address import Found, robot_addressed
from signaling.core.delivery import notify
from signaling.core.dialects import takeover_notice
from signaling.core.expressions import Write
from signaling.core.notices import (
    can_be_told,
    control_of,
    notice,
    takeover_reason,
    told_viewers,
    told_without_ack,
)
from signaling.core.policy import right
from signaling.core.records import Robot, Session
from signaling.core.request import Request, without_grace
from signaling.core.rights import permitted, refuse_robots
from signaling.core.steps import (
    Flow,
    Refused,
    Won,
    read_robot,
    write_robot,
)
from signaling.core.taking import confirm, hold, present, take, tell_change
from signaling.core.writes import lease
from signaling.wire.errors import (
    Forbidden,
    NoSession,
    TooManyViewers,
)
from signaling.wire.frames import Ack
from signaling.wire.messages import ReleaseControl, Takeover


def take_over(request: Request, message: Takeover) -> Flow[Ack]:
    """Move the lease to the sender at once; from the holder's own connection nothing changes."""
    robot_id = yield from robot_addressed(request, message)
    refuse_robots(request)
    mine = request.session_with(robot_id, request.lease_until)
    may = right(Takeover, request.sender)
    outcome = yield from take(request, robot_id, lease.take_over(mine, may))
    if isinstance(outcome, Won):
        return (yield from _took_over(request, message, outcome.after, mine))
    robot = permitted(request, message, robot_id, outcome.item)
    found = robot.session_at(mine.connection_id)
    if found is None:
        taking = lease.take_over_among_viewers(mine, may, robot.engaged())
        return (yield from _take(request, message, robot, mine, taking))
    own, role = found
    if role == "controller" and not own.has_lapsed(role, request.now):
        yield from confirm(request, robot, Found(own, role))
        return Ack(session_id=own.session_id, epoch=robot.epoch)
    mine = request.moved(own.session_id, request.lease_until)
    if role == "controller":
        # Anybody's next offer would take a lapsed lease: it is taken anew, as by an offer.
        again = lease.acquire_again(mine, may, request.now)
        return (yield from _take(request, message, robot, mine, again))
    taking = lease.take_over_as_viewer(mine, may)
    return (yield from _take(request, message, robot, mine, taking, viewed=True))


def _take(
    request: Request,
    message: Takeover,
    robot: Robot,
    mine: Session,
    taking: Write,
    *,
    viewed: bool = False,
) -> Flow[Ack]:
    after = yield from hold(request, message, robot, taking)
    return (yield from _took_over(request, message, after, mine, viewed=viewed))


def _took_over(
    request: Request, message: Takeover, robot: Robot, mine: Session, *, viewed: bool = False
) -> Flow[Ack]:
    told = takeover_notice(robot, mine, takeover_reason(robot, request.sender.user_id))
    yield from present(request, robot, mine, told, viewed=viewed)
    yield from tell_change(request, robot, mine, told_without_ack(message, robot, mine))
    return Ack(session_id=mine.session_id, epoch=robot.epoch)


def release_control(request: Request, message: ReleaseControl) -> Flow[Ack]:
    """Free the lease; the holder becomes a viewer."""
    robot_id = yield from robot_addressed(request, message)
    robot = permitted(request, message, robot_id, (yield from read_robot(robot_id)))
    held = robot.controller
    if held is None or held.connection_id != request.sender.connection_id:
        raise NoSession(robot_id)
    if message.session_id not in (None, held.session_id):
        raise NoSession(robot_id)
    after, _, is_told = yield from released(request, robot, held)
    return Ack(epoch=after.epoch, robot_told=is_told)


def released(request: Request, robot: Robot, held: Session) -> Flow[tuple[Robot, Session, bool]]:
    """Make the holder a viewer; tell the robot and the other viewers that control is free.

    Return the robot, the viewer's session, and whether the robot has been told.
    """
    if robot.dialect == "seed":
        raise Forbidden(robot.robot_id, "a seed robot takes no viewers: send bye instead")
    viewing = without_grace(held, request.place_until)
    limit = request.rules.viewers
    outcome = yield from write_robot(robot.robot_id, lease.release(viewing, limit))
    if isinstance(outcome, Refused):
        raise _unreleased(outcome.item, viewing, limit) or NoSession(robot.robot_id)
    after = outcome.after
    free = control_of(after)
    told = notice(after, free) + told_viewers(after, free, besides=viewing.session_id)
    is_told = yield from notify(request, after.robot_id, told)
    return after, viewing, is_told and can_be_told(after)


def _unreleased(robot: Robot | None, viewing: Session, limit: int) -> TooManyViewers | None:
    """Return what keeps a holder from becoming a viewer, if it holds still."""
    if robot is None or robot.controller is None or len(robot.viewers) <= limit:
        return None
    same = robot.controller.session_id == viewing.session_id
    return TooManyViewers(robot.robot_id, limit) if same else None
