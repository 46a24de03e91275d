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
from robosignal.server.core.address import Found
from robosignal.server.core.delivery import notify
from robosignal.server.core.dialects import relayed_to_robot
from robosignal.server.core.ending import end, giving_back, told_freed, told_of_end
from robosignal.server.core.expressions import Write
from robosignal.server.core.introduction import introduce, unnoted
from robosignal.server.core.notices import notice, peer_left
from robosignal.server.core.policy import right
from robosignal.server.core.records import Robot, Session
from robosignal.server.core.request import Request, epoch_told
from robosignal.server.core.rights import permitted
from robosignal.server.core.steps import (
    Flow,
    Refused,
    Won,
    WriteRobot,
    attempted,
    in_reserve,
    write_robot,
)
from robosignal.server.core.writes import places, presence


def view(request: Request, message: Offer, robot: Robot) -> Flow[Ack]:
    """Open a viewer's session with a robot on whose item the sender has none."""
    if robot.dialect == "seed":
        raise Forbidden(robot.robot_id, "a seed robot takes no viewers: drive it, or take over")
    viewing = request.session_with(robot.robot_id, request.place_until)
    if robot.session(viewing.session_id) is not None:
        # It would open under the same id a second time, since ids are made from connections.
        raise Forbidden(robot.robot_id, "this connection's session has moved to a newer one")
    lapsed = _to_replace(request, robot)
    taking = _taking(request, robot, viewing, lapsed)
    outcome = yield from write_robot(robot.robot_id, taking)
    if isinstance(outcome, Refused):
        raise _refusal(request, permitted(request, message, robot.robot_id, outcome.item))
    yield from _present(request, message, outcome.after, viewing)
    if lapsed is not None and lapsed.session_id != viewing.session_id:
        left = peer_left(outcome.after, lapsed, "viewer", "evicted")
        yield from notify(request, robot.robot_id, notice(outcome.after, left))
    epoch = epoch_told(request, outcome.after, "viewer")
    return Ack(session_id=viewing.session_id, role="viewer", epoch=epoch)


def _to_replace(request: Request, robot: Robot) -> Session | None:
    """Return the viewer whose lapsed place is given away, None while one is free."""
    if len(robot.viewers) < request.rules.viewers:
        return None
    for viewer in robot.viewers.values():
        if viewer.has_lapsed("viewer", request.now):
            return viewer
    raise TooManyViewers(robot.robot_id, request.rules.viewers)


def _taking(request: Request, robot: Robot, viewing: Session, lapsed: Session | None) -> Write:
    may, seen = right(Offer, request.sender), robot.engaged()
    if lapsed is None:
        return places.take(viewing, may, request.rules.viewers, seen)
    return places.take_lapsed(viewing, may, lapsed.session_id, request.now, seen)


def _refusal(request: Request, robot: Robot) -> RobotOffline | TooManyViewers | TryAgain:
    if robot.connection_id is None:
        return RobotOffline(robot.robot_id)
    if len(robot.viewers) >= request.rules.viewers:
        return TooManyViewers(robot.robot_id, request.rules.viewers)
    return TryAgain(robot.robot_id)


def _present(request: Request, message: Offer, robot: Robot, viewing: Session) -> Flow[None]:
    """Hand the offer over and note the session; give the place back if either fails."""
    frame = relayed_to_robot(robot, viewing, "viewer", message)
    try:
        delivered, noted = yield from introduce(request, robot, viewing, frame)
    except SignalingError:
        yield from in_reserve(_give_back(request, robot, viewing))
        raise
    if not delivered:
        yield from in_reserve(_give_back(request, robot, viewing, gone=robot.connection_id))
        raise RobotOffline(robot.robot_id)
    if not isinstance(noted, Won):
        yield from in_reserve(_give_back(request, robot, viewing))
        raise unnoted(robot, noted)


def _give_back(
    request: Request, robot: Robot, viewing: Session, *, gone: ConnectionId | None = None
) -> Flow[None]:
    """End the session, and the presence of a robot found gone; tell everyone concerned."""
    ways = giving_back(viewing.session_id, viewing.connection_id)
    ended = None
    with suppress(SignalingError):
        # A place that cannot be given back now lapses by itself.
        ended = yield from end(robot.robot_id, Found(viewing, "viewer"), ways)
    if gone is not None:
        yield from attempted((WriteRobot(robot.robot_id, presence.lose(gone)),), "reserved")
    if ended is not None:
        # A robot that has redialed since is there to be told.
        is_gone = ended.robot.connection_id == gone
        told = told_freed(ended) if is_gone else told_of_end(ended)
        yield from notify(request, robot.robot_id, told)
