"""Handing control over by consent: a viewer asks, the holder grants or denies.

A request is not stored: it lives in the two pages for 30 s. Only the grant is a write.
"""

from robosignal.protocol.errors import Forbidden, NoSession, PeerGone, TryAgain
from robosignal.protocol.frames import Ack, ControlDenied, ControlRequested
from robosignal.protocol.ids import robot_of
from robosignal.protocol.messages import DenyControl, GrantControl, RequestControl
from robosignal.server.core.address import robot_addressed
from robosignal.server.core.delivery import deliver, notify
from robosignal.server.core.notices import (
    Notice,
    can_be_told,
    control_of,
    notice,
    told_replaced,
    told_viewers,
    told_without_ack,
)
from robosignal.server.core.policy import right
from robosignal.server.core.records import Robot, Session
from robosignal.server.core.request import Request, without_grace
from robosignal.server.core.rights import permitted
from robosignal.server.core.steps import Flow, Refused, read_robot, write_robot
from robosignal.server.core.taking import hold, present, refusal, tell_change
from robosignal.server.core.writes import lease


def request_control(request: Request, message: RequestControl) -> Flow[Ack]:
    """Ask the holder for control; a free lease is granted at once."""
    robot_id = yield from robot_addressed(request, message)
    robot = permitted(request, message, robot_id, (yield from read_robot(robot_id)))
    refuse_seed_robot(robot)
    found = robot.session_at(request.sender.connection_id)
    if found is None or message.session_id not in (None, found[0].session_id):
        raise NoSession(robot_id)
    mine, role = found
    holder = robot.holder(request.now)
    if holder is None:
        return (yield from _take_free(request, message, robot, mine))
    if role == "controller":
        return Ack(epoch=robot.epoch)
    if holder.dialect == "seed":
        # A seed client cannot be asked: it would not know the frame.
        raise refusal(request, robot)
    asked = ControlRequested(robot_id=robot_id, session_id=mine.session_id, by=mine.person)
    if not (yield from deliver(request, robot_id, Notice(holder, asked, "controller"))):
        raise PeerGone(robot_id)
    return Ack()


def refuse_seed_robot(robot: Robot) -> None:
    """Raise for a robot that would hear of no handover: it obeys whose offer came last."""
    if robot.dialect == "seed":
        raise Forbidden(robot.robot_id, "a seed robot knows no handover: take over instead")


def _take_free(request: Request, message: RequestControl, robot: Robot, mine: Session) -> Flow[Ack]:
    """Take the free lease in one's own session, once the robot has heard of it."""
    may = right(RequestControl, request.sender)
    held = request.moved(mine.session_id, request.lease_until)
    lapsed = robot.controller is not None and robot.controller.session_id == mine.session_id
    take = lease.acquire_again if lapsed else lease.acquire_as_viewer
    after = yield from hold(request, message, robot, take(held, may, request.now))
    # A robot that has just come back as a seed, with its sessions, knows no such frame.
    if after.dialect == "v1":
        yield from present(request, after, held, control_of(after), viewed=not lapsed)
    told = told_replaced(after, held) + told_without_ack(message, after, held)
    yield from tell_change(request, after, held, told)
    return Ack(epoch=after.epoch)


def grant_control(request: Request, message: GrantControl) -> Flow[Ack]:
    """Hand the lease to a viewer; the granter becomes a viewer.

    Raise PeerGone when the viewer's socket is lost: then the robot would have no driver.
    """
    robot, mine, asker = yield from _both_ends(request, message)
    if asker.lost is not None:
        raise PeerGone(robot.robot_id)
    theirs = without_grace(asker, request.lease_of(asker))
    staying = without_grace(mine, request.place_until)
    write = lease.grant(staying, theirs, asker.connection_id, robot.epoch)
    outcome = yield from write_robot(robot.robot_id, write)
    if isinstance(outcome, Refused):
        raise TryAgain(robot.robot_id)
    after = outcome.after
    told = control_of(after)
    besides = staying.session_id
    is_told = yield from notify(
        request,
        after.robot_id,
        notice(after, told)
        + notice(theirs, told, "controller")
        + told_viewers(after, told, besides),
    )
    return Ack(epoch=after.epoch, robot_told=is_told and can_be_told(after))


def deny_control(request: Request, message: DenyControl) -> Flow[Ack]:
    """Tell the viewer who asked that the holder keeps control."""
    robot, mine, asker = yield from _both_ends(request, message)
    denied = ControlDenied(robot_id=robot.robot_id, by=mine.person)
    for told in notice(asker, denied, "viewer"):
        if not (yield from deliver(request, robot.robot_id, told)):
            raise PeerGone(robot.robot_id)
    return Ack()


def _both_ends(
    request: Request, message: GrantControl | DenyControl
) -> Flow[tuple[Robot, Session, Session]]:
    """Return the robot, the holder's session, which is the sender's, and the viewer's."""
    robot_id = message.robot_id
    if robot_of(message.session_id) != robot_id:
        raise NoSession(robot_id)
    robot = permitted(request, message, robot_id, (yield from read_robot(robot_id)))
    refuse_seed_robot(robot)
    mine = robot.controller
    if mine is None or mine.connection_id != request.sender.connection_id:
        raise NoSession(robot_id)
    asker = robot.viewers.get(message.session_id)
    if asker is None:
        raise NoSession(robot_id)
    return robot, mine, asker
