"""A viewer's `offer`: opens a viewer session, bounded in number, and never takes the lease.

When a robot has all the viewers that it may have, a new one replaces one that did not renew.
"""

from robosignal.protocol.errors import Forbidden, RobotOffline, TooManyViewers, TryAgain
from robosignal.protocol.frames import Ack
from robosignal.protocol.messages import Offer
from robosignal.server.core.acquisition import introduce, write_or_undo
from robosignal.server.core.authorization import authorize, condition_for, find_right, find_share
from robosignal.server.core.conditional_writes import Write
from robosignal.server.core.delivery import notify
from robosignal.server.core.dialects import translate_for_robot
from robosignal.server.core.notices import notices_to, peer_left_frame
from robosignal.server.core.records import Robot, RobotShare, Session
from robosignal.server.core.request import Request, reply_epoch
from robosignal.server.core.steps import ConditionFailed, Flow
from robosignal.server.core.writes import viewers


def open_viewer(request: Request, message: Offer, robot: Robot) -> Flow[Ack]:
    """Open a viewer session with a robot on whose item the sender has none.

    Raise TooManyViewers if no viewer can be replaced, and what else keeps it from the robot.
    """
    if robot.dialect == "seed":
        raise Forbidden(robot.robot_id, "a seed robot takes no viewers: drive it, or take over")
    share = find_share(request.sender, robot, request.now)
    viewing = request.new_session(robot.robot_id, request.viewer_until, share)
    if robot.session(viewing.session_id) is not None:
        # Session ids are derived from connections, so it would open under the same id again.
        raise Forbidden(robot.robot_id, "this connection's session has moved to a newer one")
    lapsed = _choose_replaced(request, robot)
    write = _choose_write(request, robot, viewing, share, lapsed)
    outcome = yield from write_or_undo(request, robot.robot_id, write)
    if isinstance(outcome, ConditionFailed):
        raise _explain_refusal(request, authorize(request, message, robot.robot_id, outcome.item))
    after = outcome.after
    right = find_right(request, after, viewing)
    frame = translate_for_robot(after, viewing, "viewer", message, right)
    yield from introduce(request, after, viewing, "viewer", frame)
    if lapsed is not None and lapsed.session_id != viewing.session_id:
        left = peer_left_frame(after, lapsed, "viewer", "evicted")
        yield from notify(request, robot.robot_id, notices_to(after, left))
    epoch = reply_epoch(request, after, "viewer")
    return Ack(session_id=viewing.session_id, role="viewer", epoch=epoch)


def _choose_replaced(request: Request, robot: Robot) -> Session | None:
    """Return the lapsed viewer to replace; None while the robot may have another viewer."""
    if len(robot.viewers) < request.rules.viewers:
        return None
    for viewer in robot.viewers.values():
        if viewer.has_lapsed("viewer", request.now):
            return viewer
    raise TooManyViewers(robot.robot_id, request.rules.viewers)


def _choose_write(
    request: Request,
    robot: Robot,
    viewing: Session,
    share: RobotShare | None,
    lapsed: Session | None,
) -> Write:
    may, seen = condition_for(Offer, request.sender, share), robot.all_sessions()
    if lapsed is None:
        return viewers.add(viewing, may, request.rules.viewers, seen)
    return viewers.replace_lapsed(viewing, may, lapsed.session_id, request.now, seen)


def _explain_refusal(request: Request, robot: Robot) -> RobotOffline | TooManyViewers | TryAgain:
    if robot.connection_id is None:
        return RobotOffline(robot.robot_id)
    if len(robot.viewers) >= request.rules.viewers:
        return TooManyViewers(robot.robot_id, request.rules.viewers)
    return TryAgain(robot.robot_id)
