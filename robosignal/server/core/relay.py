"""Relaying offers, answers and candidates between the two ends of a session.

A relay is one read and one post. The item that was read says who the two ends are, and what the
sender may do.
"""

from robosignal.protocol.errors import NoSession, PeerGone, RobotOffline
from robosignal.protocol.frames import Ack
from robosignal.protocol.messages import Answer, IceCandidate, Offer
from robosignal.server.core.addressing import (
    ActiveSession,
    find_named_session,
    find_own_session,
    refresh_sender,
    resolve_robot_id,
)
from robosignal.server.core.authorization import (
    DRIVERS,
    authorize,
    find_relations,
    find_right,
    refuse_former_robot,
)
from robosignal.server.core.delivery import deliver
from robosignal.server.core.dialects import translate_for_client, translate_for_robot
from robosignal.server.core.notices import Notice
from robosignal.server.core.records import Robot
from robosignal.server.core.request import Request
from robosignal.server.core.steps import Delivery, Flow, read_robot

Relayable = Offer | Answer | IceCandidate


def relay(request: Request, message: Relayable) -> Flow[Ack]:
    """Relay a message in a session. Raise the error that keeps it from the other end."""
    robot_id = yield from resolve_robot_id(request, message)
    robot = yield from read_robot(robot_id)
    return (yield from relay_on(request, message, authorize(request, message, robot_id, robot)))


def relay_on(request: Request, message: Relayable, robot: Robot) -> Flow[Ack]:
    """Relay an authorised message, given an item that was just read."""
    if robot.connection_id == request.sender.connection_id:
        return (yield from _relay_to_client(request, message, robot))
    found = find_own_session(request, robot, message)
    if found is None:
        found = yield from _expect_session(request, message, robot)
    return (yield from relay_to_robot(request, message, robot, found))


def relay_to_robot(
    request: Request, message: Relayable, robot: Robot, found: ActiveSession
) -> Flow[Ack]:
    """Send a client's message to the robot. Raise RobotOffline if the robot is not connected."""
    right = find_right(request, robot, found.session)
    frame = translate_for_robot(robot, found.session, found.role, message, right)
    delivery = yield from deliver(request, robot.robot_id, Notice(robot, frame))
    if delivery is not Delivery.SENT:
        raise RobotOffline(robot.robot_id)
    return Ack(session_id=found.session.session_id)


def _relay_to_client(request: Request, message: Relayable, robot: Robot) -> Flow[Ack]:
    found = find_named_session(robot, message)
    if found is None or not found.session.has_right(request.now):
        raise NoSession(robot.robot_id)
    frame = translate_for_client(robot, found.session, found.role, message)
    notice = Notice(found.session, frame, found.role)
    delivery = yield from deliver(request, robot.robot_id, notice)
    if delivery is not Delivery.SENT:
        raise PeerGone(robot.robot_id)
    return Ack(session_id=found.session.session_id)


def _expect_session(request: Request, message: Relayable, robot: Robot) -> Flow[ActiveSession]:
    """Return the session that a seed client's candidate will belong to, if it precedes the offer.

    A seed client cannot hold its candidates back, and a seed robot keeps them by sender. The
    session's id is derived from the connection, so it is known before the offer arrives. Raise
    NoSession for any other message, and if that offer could not succeed.
    """
    sender = request.sender
    is_client = sender.robot_id is None
    is_early = is_client and isinstance(message, IceCandidate) and sender.dialect == "seed"
    may_drive = bool(find_relations(sender, robot, request.now) & DRIVERS)
    if is_early and may_drive and message.session_id is None and _is_free_for(request, robot):
        mine = request.new_session(robot.robot_id, request.lease_until)
        return ActiveSession(mine, "controller")
    refuse_former_robot((yield from refresh_sender(request)), robot.robot_id, robot)
    raise NoSession(robot.robot_id)


def _is_free_for(request: Request, robot: Robot) -> bool:
    """Say whether the sender's user could take this robot's lease now."""
    held = robot.holder(request.now)
    return held is None or (held.user_id == request.sender.user_id and held.lost is not None)
