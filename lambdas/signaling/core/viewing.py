"""A viewer's offer: takes a place, bounded in number, and never the lease.

A place that was not renewed is given to the next who asks when all are taken.
"""

from signaling.core.dialects import relayed_to_robot
from signaling.core.expressions import Write
from signaling.core.introduction import introduce
from signaling.core.policy import right
from signaling.core.records import Robot, Session
from signaling.core.request import Request
from signaling.core.rights import permitted
from signaling.core.steps import Flow, Refused, Won, write_robot
from signaling.core.writes import places, presence
from signaling.wire.errors import Forbidden, NoSession, RobotOffline, TooManyViewers, TryAgain
from signaling.wire.frames import Ack
from signaling.wire.messages import Offer


def view(request: Request, message: Offer, robot: Robot) -> Flow[Ack]:
    """Open a viewer's session with a robot on whose item the sender has none."""
    if robot.dialect == "seed":
        raise Forbidden(robot.robot_id, "a seed robot takes no viewers: drive it, or take over")
    viewing = request.session_with(robot.robot_id, request.place_until)
    if robot.session(viewing.session_id) is not None:
        # It would open under the same id a second time, since ids are made from connections.
        raise Forbidden(robot.robot_id, "this connection's session has moved to a newer one")
    outcome = yield from write_robot(robot.robot_id, _taking(request, robot, viewing))
    if isinstance(outcome, Won):
        return (yield from _present(request, message, outcome.after, viewing))
    seen = permitted(request, message, robot.robot_id, outcome.item)
    if seen.connection_id is not None and seen.viewers.get(viewing.session_id) == viewing:
        # An earlier try of this very write was carried out, and its answer lost.
        return (yield from _present(request, message, seen, viewing))
    raise _refusal(request, seen)


def _taking(request: Request, robot: Robot, viewing: Session) -> Write:
    may = right(Offer, request.sender)
    if len(robot.viewers) < request.rules.viewers:
        return places.take(viewing, may, request.rules.viewers, robot.engaged())
    for viewer in robot.viewers.values():
        if viewer.until < request.now:
            lapsed, seen = viewer.session_id, robot.engaged()
            return places.take_lapsed(viewing, may, lapsed, request.now, seen)
    raise TooManyViewers(robot.robot_id, request.rules.viewers)


def _refusal(request: Request, robot: Robot) -> RobotOffline | TooManyViewers | TryAgain:
    if robot.connection_id is None:
        return RobotOffline(robot.robot_id)
    if len(robot.viewers) >= request.rules.viewers:
        return TooManyViewers(robot.robot_id, request.rules.viewers)
    return TryAgain(robot.robot_id)


def _present(request: Request, message: Offer, robot: Robot, viewing: Session) -> Flow[Ack]:
    """Hand the offer over and note the session; give the place back if either fails."""
    me = request.sender.connection_id
    frame = relayed_to_robot(robot, viewing, "viewer", message)
    delivered, noted = yield from introduce(request, robot, viewing, frame)
    if delivered and isinstance(noted, Won):
        return Ack(session_id=viewing.session_id, role="viewer")
    yield from write_robot(robot.robot_id, places.leave(viewing.session_id, me))
    if not delivered and robot.connection_id is not None:
        yield from write_robot(robot.robot_id, presence.lose(robot.connection_id))
    raise NoSession(robot.robot_id) if isinstance(noted, Refused) else RobotOffline(robot.robot_id)
