"""Relays offers, answers and candidates between the two ends of a session, never elsewhere.

One read, one post. Both ends, and the sender's rights, are judged on the item that was read.
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
from robosignal.server.core.authorization import authorize, refuse_former_robot
from robosignal.server.core.delivery import deliver
from robosignal.server.core.dialects import translate_for_client, translate_for_robot
from robosignal.server.core.notices import Notice
from robosignal.server.core.records import Robot
from robosignal.server.core.request import Request
from robosignal.server.core.steps import Flow, read_robot

Relayable = Offer | Answer | IceCandidate


def relay(request: Request, message: Relayable) -> Flow[Ack]:
    """Relay a message in a session. Raise whatever keeps it from the other end."""
    robot_id = yield from resolve_robot_id(request, message)
    robot = yield from read_robot(robot_id)
    return (yield from relay_on(request, message, authorize(request, message, robot_id, robot)))


def relay_on(request: Request, message: Relayable, robot: Robot) -> Flow[Ack]:
    """Relay a message on an item just read, on which the sender's right has been checked."""
    if robot.connection_id == request.sender.connection_id:
        return (yield from _from_robot(request, message, robot))
    found = find_own_session(request, robot, message)
    if found is None:
        found = yield from _before_its_offer(request, message, robot)
    return (yield from to_robot(request, message, robot, found))


def to_robot(request: Request, message: Relayable, robot: Robot, found: ActiveSession) -> Flow[Ack]:
    """Hand a client's message to the robot. Raise RobotOffline if it is not there."""
    frame = translate_for_robot(robot, found.session, found.role, message)
    if robot.connection_id is None:
        raise RobotOffline(robot.robot_id)
    if not (yield from deliver(request, robot.robot_id, Notice(robot, frame))):
        raise RobotOffline(robot.robot_id)
    return Ack(session_id=found.session.session_id)


def _from_robot(request: Request, message: Relayable, robot: Robot) -> Flow[Ack]:
    found = find_named_session(robot, message)
    if found is None:
        raise NoSession(robot.robot_id)
    frame = translate_for_client(robot, found.session, found.role, message)
    sent = Notice(found.session, frame, found.role)
    if not (yield from deliver(request, robot.robot_id, sent)):
        raise PeerGone(robot.robot_id)
    return Ack(session_id=found.session.session_id)


def _before_its_offer(request: Request, message: Relayable, robot: Robot) -> Flow[ActiveSession]:
    """Let a seed client's candidate overtake its own offer, if that offer could succeed.

    A seed client cannot hold its candidates; the robot keeps them by the sender. The session
    named is the one that the offer will open, since its id is made from the connection.
    """
    sender = request.sender
    is_client = sender.robot_id is None
    early = is_client and isinstance(message, IceCandidate) and sender.dialect == "seed"
    if early and message.session_id is None and is_free_for(request, robot):
        mine = request.session_with(robot.robot_id, request.lease_until)
        return ActiveSession(mine, "controller")
    refuse_former_robot((yield from refresh_sender(request)), robot.robot_id, robot)
    raise NoSession(robot.robot_id)


def is_free_for(request: Request, robot: Robot) -> bool:
    """Say whether the sender's user could take this robot's lease at this moment."""
    held = robot.holder(request.now)
    return held is None or (held.user_id == request.sender.user_id and held.lost is not None)
