"""A client's `offer`: opens a session as driver or viewer, or renegotiates an existing one.

A first offer as driver is one conditional write without a read: the condition authorises it, and
the item that it returns addresses the post. If the condition fails, the item explains why.
"""

from robosignal.protocol.errors import BadMessage, NoSession, RobotOffline
from robosignal.protocol.frames import Ack
from robosignal.protocol.ids import RobotId
from robosignal.protocol.messages import Offer
from robosignal.server.core.acquisition import (
    acquire_and_introduce,
    confirm_session,
    introduce_driver,
    write_or_undo,
)
from robosignal.server.core.addressing import ActiveSession, find_own_session, resolve_robot_id
from robosignal.server.core.authorization import (
    authorize,
    condition_for,
    find_driving_share,
    refuse_robot_connections,
)
from robosignal.server.core.control import release_to_viewer
from robosignal.server.core.delivery import refuse_oversize
from robosignal.server.core.dialects import has_description
from robosignal.server.core.records import Robot
from robosignal.server.core.relay import relay_on, relay_to_robot
from robosignal.server.core.request import Request, reply_epoch
from robosignal.server.core.steps import Flow, Written, read_robot
from robosignal.server.core.viewers import open_viewer
from robosignal.server.core.writes import lease


def offer(request: Request, message: Offer) -> Flow[Ack]:
    """Carry out an offer. Raise the error that keeps it from the robot."""
    refuse_oversize(message)
    robot_id = yield from resolve_robot_id(request, message)
    in_session = message.session_id is not None or request.sender.robot_id == robot_id
    # Not every robot accepts an offer without a description, so such an offer needs a read first.
    if in_session or message.role == "viewer" or not has_description(message.payload):
        robot = authorize(request, message, robot_id, (yield from read_robot(robot_id)))
        return (yield from _offer_on(request, message, robot))
    return (yield from _offer_first(request, message, robot_id))


def _offer_first(request: Request, message: Offer, robot_id: RobotId) -> Flow[Ack]:
    """Try to take the free lease without reading anything first."""
    refuse_robot_connections(request)
    mine = request.new_session(robot_id, request.lease_until)
    write = lease.acquire(mine, condition_for(Offer, request.sender), request.now)
    outcome = yield from write_or_undo(request, robot_id, write)
    if isinstance(outcome, Written):
        return (yield from introduce_driver(request, message, outcome.after, mine))
    robot = authorize(request, message, robot_id, outcome.item)
    return (yield from _offer_on(request, message, robot))


def _offer_on(request: Request, message: Offer, robot: Robot) -> Flow[Ack]:
    """Carry out an offer, given an item that was just read."""
    if robot.connection_id == request.sender.connection_id:
        return (yield from relay_on(request, message, robot))
    if robot.connection_id is None:
        raise RobotOffline(robot.robot_id)
    if robot.dialect == "seed" and not has_description(message.payload):
        raise BadMessage("sdp", "must be text: a seed robot stops reading at an offer without it")
    found = find_own_session(request, robot, message)
    if found is not None:
        return (yield from _renegotiate(request, message, robot, found))
    if message.session_id is not None:
        raise NoSession(robot.robot_id)
    refuse_robot_connections(request)
    if message.role == "viewer":
        return (yield from open_viewer(request, message, robot))
    share = find_driving_share(request, robot)
    mine = request.new_session(robot.robot_id, request.lease_until, share)
    may, seen = condition_for(Offer, request.sender, share), robot.all_sessions()
    write = lease.acquire_among_viewers(mine, may, request.now, seen)
    return (yield from acquire_and_introduce(request, message, robot, mine, write))


def _renegotiate(request: Request, message: Offer, robot: Robot, found: ActiveSession) -> Flow[Ack]:
    """Relay in the session, after the change of role that the offer asks for."""
    yield from confirm_session(request, robot, found)
    wanted = message.role or found.role
    lapsed = found.role == "controller" and found.session.has_lapsed(found.role, request.now)
    if wanted == "controller" and (lapsed or found.role == "viewer"):
        share = find_driving_share(request, robot)
        mine = request.own_session(found.session.session_id, request.lease_until, share)
        acquire_write = lease.acquire_again if lapsed else lease.acquire_as_viewer
        write = acquire_write(mine, condition_for(Offer, request.sender, share), request.now)
        return (
            yield from acquire_and_introduce(
                request, message, robot, mine, write, was_viewer=not lapsed
            )
        )
    if wanted == "viewer" and found.role == "controller":
        robot, viewing, _ = yield from release_to_viewer(request, robot, found.session)
        found = ActiveSession(viewing, "viewer")
    yield from relay_to_robot(request, message, robot, found)
    return Ack(
        session_id=found.session.session_id,
        role=found.role,
        epoch=reply_epoch(request, robot, found.role),
    )
