"""A viewer's offer: takes a place, bounded in number, and never the lease.

A place that was not renewed is given to the next who asks when all are taken.
"""

from contextlib import suppress

from signaling.core.address import Found
from signaling.core.delivery import notify
from signaling.core.dialects import relayed_to_robot
from signaling.core.ending import end, giving_back, told_freed, told_of_end
from signaling.core.expressions import Write
from signaling.core.introduction import introduce, unnoted
from signaling.core.notices import notice, peer_left
from signaling.core.policy import right
from signaling.core.records import Robot, Session
from signaling.core.request import Request, epoch_told
from signaling.core.rights import permitted
from signaling.core.steps import (
    Flow,
    Refused,
    Won,
    WriteRobot,
    attempted,
    in_reserve,
)
from signaling.core.taking import take
from signaling.core.writes import places, presence
from signaling.wire.errors import Forbidden, RobotOffline, SignalingError, TooManyViewers, TryAgain
from signaling.wire.frames import Ack
from signaling.wire.ids import ConnectionId
from signaling.wire.messages import Offer


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
    outcome = yield from take(request, robot.robot_id, taking)
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
