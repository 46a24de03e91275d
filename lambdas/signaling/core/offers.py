"""A client's offer: opens a session as controller or viewer, or renegotiates in one.

A first offer as controller is one conditional write, sight unseen: its condition authorises
it, and what it returns addresses the post. A refusal comes with the item, which explains it.
"""

from signaling.core.address import Found, robot_addressed, session_of_client
from signaling.core.control import released
from signaling.core.delivery import refuse_oversize
from signaling.core.dialects import has_description, relayed_to_robot
from signaling.core.expressions import Write
from signaling.core.notices import told_replaced
from signaling.core.policy import right
from signaling.core.records import Robot, Session
from signaling.core.relays import relay_on, to_robot
from signaling.core.request import Request, epoch_told
from signaling.core.rights import permitted, refuse_robots
from signaling.core.steps import Flow, Won, read_robot
from signaling.core.taking import confirm, hold, present, take, tell_change
from signaling.core.viewing import view
from signaling.core.writes import lease
from signaling.wire.errors import BadMessage, NoSession, RobotOffline
from signaling.wire.frames import Ack
from signaling.wire.ids import RobotId
from signaling.wire.messages import Offer


def offer(request: Request, message: Offer) -> Flow[Ack]:
    """Carry out an offer. Raise whatever keeps it from the robot."""
    refuse_oversize(message)
    robot_id = yield from robot_addressed(request, message)
    in_session = message.session_id is not None or request.sender.robot_id == robot_id
    # One without a description is not for every robot: which one this is, must be known first.
    if in_session or message.role == "viewer" or not has_description(message.payload):
        robot = permitted(request, message, robot_id, (yield from read_robot(robot_id)))
        return (yield from _on(request, message, robot))
    return (yield from _first(request, message, robot_id))


def _first(request: Request, message: Offer, robot_id: RobotId) -> Flow[Ack]:
    """Try to take the free lease without reading anything first."""
    refuse_robots(request)
    mine = request.session_with(robot_id, request.lease_until)
    taking = lease.acquire(mine, right(Offer, request.sender), request.now)
    outcome = yield from take(request, robot_id, taking)
    if isinstance(outcome, Won):
        return (yield from _opened(request, message, outcome.after, mine))
    robot = permitted(request, message, robot_id, outcome.item)
    return (yield from _on(request, message, robot))


def _on(request: Request, message: Offer, robot: Robot) -> Flow[Ack]:
    """Carry out an offer on an item that was just read."""
    if robot.connection_id == request.sender.connection_id:
        return (yield from relay_on(request, message, robot))
    if robot.connection_id is None:
        raise RobotOffline(robot.robot_id)
    if robot.dialect == "seed" and not has_description(message.payload):
        raise BadMessage("sdp", "must be text: a seed robot stops reading at an offer without it")
    found = session_of_client(request, robot, message)
    if found is not None:
        return (yield from _renegotiate(request, message, robot, found))
    if message.session_id is not None:
        raise NoSession(robot.robot_id)
    refuse_robots(request)
    if message.role == "viewer":
        return (yield from view(request, message, robot))
    mine = request.session_with(robot.robot_id, request.lease_until)
    may, seen = right(Offer, request.sender), robot.engaged()
    taking = lease.acquire_among_viewers(mine, may, request.now, seen)
    return (yield from _control(request, message, robot, mine, taking))


def _renegotiate(request: Request, message: Offer, robot: Robot, found: Found) -> Flow[Ack]:
    """Relay in the session, after the change of role that the offer asks for."""
    yield from confirm(request, robot, found)
    wants = message.role or found.role
    lapsed = found.role == "controller" and found.session.has_lapsed(found.role, request.now)
    if wants == "controller" and (lapsed or found.role == "viewer"):
        mine = request.moved(found.session.session_id, request.lease_until)
        acquire = lease.acquire_again if lapsed else lease.acquire_as_viewer
        taking = acquire(mine, right(Offer, request.sender), request.now)
        return (yield from _control(request, message, robot, mine, taking, viewed=not lapsed))
    if wants == "viewer" and found.role == "controller":
        robot, viewing, _ = yield from released(request, robot, found.session)
        found = Found(viewing, "viewer")
    yield from to_robot(request, message, robot, found)
    return Ack(
        session_id=found.session.session_id,
        role=found.role,
        epoch=epoch_told(request, robot, found.role),
    )


def _control(
    request: Request,
    message: Offer,
    robot: Robot,
    mine: Session,
    taking: Write,
    *,
    viewed: bool = False,
) -> Flow[Ack]:
    after = yield from hold(request, message, robot, taking)
    return (yield from _opened(request, message, after, mine, viewed=viewed))


def _opened(
    request: Request, message: Offer, robot: Robot, mine: Session, *, viewed: bool = False
) -> Flow[Ack]:
    """Hand the robot the offer that took the lease; then tell the others."""
    frame = relayed_to_robot(robot, mine, "controller", message)
    yield from present(request, robot, mine, frame, viewed=viewed)
    yield from tell_change(request, robot, mine, told_replaced(robot, mine))
    return Ack(session_id=mine.session_id, role="controller", epoch=robot.epoch)
