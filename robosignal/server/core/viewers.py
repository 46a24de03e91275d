"""A viewer's offer: takes a place, bounded in number, and never the lease.

A place that was not renewed is given to the next who asks when all are taken.
"""

from contextlib import suppress

from robosignal.protocol.errors import (
    Forbidden,
    RobotOffline,
    SignalingError,
    TooManyViewers,
    TryAgain,
)
from robosignal.protocol.frames import Ack
from robosignal.protocol.ids import ConnectionId
from robosignal.protocol.messages import Offer
from robosignal.server.core.acquisition import explain_missing_note, introduce
from robosignal.server.core.addressing import ActiveSession
from robosignal.server.core.authorization import authorize, condition_for
from robosignal.server.core.conditional_writes import Write
from robosignal.server.core.delivery import notify
from robosignal.server.core.dialects import translate_for_robot
from robosignal.server.core.notices import notices_to, peer_left_frame
from robosignal.server.core.records import Robot, Session
from robosignal.server.core.request import Request, reply_epoch
from robosignal.server.core.sessions import (
    end_notices,
    end_session,
    freed_notices,
    writes_to_roll_back,
)
from robosignal.server.core.steps import (
    ConditionFailed,
    Flow,
    WriteRobot,
    Written,
    attempt_all,
    in_reserve,
    write_robot,
)
from robosignal.server.core.writes import presence, viewers


def open_viewer(request: Request, message: Offer, robot: Robot) -> Flow[Ack]:
    """Open a viewer's session with a robot on whose item the sender has none."""
    if robot.dialect == "seed":
        raise Forbidden(robot.robot_id, "a seed robot takes no viewers: drive it, or take over")
    viewing = request.session_with(robot.robot_id, request.place_until)
    if robot.session(viewing.session_id) is not None:
        # It would open under the same id a second time, since ids are made from connections.
        raise Forbidden(robot.robot_id, "this connection's session has moved to a newer one")
    lapsed = _choose_replaced(request, robot)
    taking = _choose_write(request, robot, viewing, lapsed)
    outcome = yield from write_robot(robot.robot_id, taking)
    if isinstance(outcome, ConditionFailed):
        raise _explain_refusal(request, authorize(request, message, robot.robot_id, outcome.item))
    yield from _introduce_viewer(request, message, outcome.after, viewing)
    if lapsed is not None and lapsed.session_id != viewing.session_id:
        left = peer_left_frame(outcome.after, lapsed, "viewer", "evicted")
        yield from notify(request, robot.robot_id, notices_to(outcome.after, left))
    epoch = reply_epoch(request, outcome.after, "viewer")
    return Ack(session_id=viewing.session_id, role="viewer", epoch=epoch)


def _choose_replaced(request: Request, robot: Robot) -> Session | None:
    """Return the viewer whose lapsed place is given away, None while one is free."""
    if len(robot.viewers) < request.rules.viewers:
        return None
    for viewer in robot.viewers.values():
        if viewer.has_lapsed("viewer", request.now):
            return viewer
    raise TooManyViewers(robot.robot_id, request.rules.viewers)


def _choose_write(
    request: Request, robot: Robot, viewing: Session, lapsed: Session | None
) -> Write:
    may, seen = condition_for(Offer, request.sender), robot.engaged()
    if lapsed is None:
        return viewers.add(viewing, may, request.rules.viewers, seen)
    return viewers.replace_lapsed(viewing, may, lapsed.session_id, request.now, seen)


def _explain_refusal(request: Request, robot: Robot) -> RobotOffline | TooManyViewers | TryAgain:
    if robot.connection_id is None:
        return RobotOffline(robot.robot_id)
    if len(robot.viewers) >= request.rules.viewers:
        return TooManyViewers(robot.robot_id, request.rules.viewers)
    return TryAgain(robot.robot_id)


def _introduce_viewer(
    request: Request, message: Offer, robot: Robot, viewing: Session
) -> Flow[None]:
    """Hand the offer over and note the session; give the place back if either fails."""
    frame = translate_for_robot(robot, viewing, "viewer", message)
    try:
        delivered, noted = yield from introduce(request, robot, viewing, frame)
    except SignalingError:
        yield from in_reserve(_roll_back(request, robot, viewing))
        raise
    if not delivered:
        yield from in_reserve(_roll_back(request, robot, viewing, gone=robot.connection_id))
        raise RobotOffline(robot.robot_id)
    if not isinstance(noted, Written):
        yield from in_reserve(_roll_back(request, robot, viewing))
        raise explain_missing_note(robot, noted)


def _roll_back(
    request: Request, robot: Robot, viewing: Session, *, gone: ConnectionId | None = None
) -> Flow[None]:
    """End the session, and the presence of a robot found gone; tell everyone concerned."""
    ways = writes_to_roll_back(viewing.session_id, viewing.connection_id)
    ended = None
    with suppress(SignalingError):
        # A place that cannot be given back now lapses by itself.
        ended = yield from end_session(robot.robot_id, ActiveSession(viewing, "viewer"), ways)
    if gone is not None:
        yield from attempt_all(
            (WriteRobot(robot.robot_id, presence.record_loss(gone)),), "reserved"
        )
    if ended is not None:
        # A robot that has redialed since is there to be told.
        is_gone = ended.robot.connection_id == gone
        told = freed_notices(ended) if is_gone else end_notices(ended)
        yield from notify(request, robot.robot_id, told)
