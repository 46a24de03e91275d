"""Taking the lease, for every message that can: the write, the robot's notice, the way back.

Knows what follows a won write and what undoes it; never by which right or why it is taken.
"""

from collections.abc import Sequence
from contextlib import suppress

from msgspec import structs

from signaling.core.address import Found
from signaling.core.delivery import notify
from signaling.core.dialects import AnyFrame
from signaling.core.ending import Ended, end, giving_back, told_of_end
from signaling.core.expressions import Write
from signaling.core.introduction import introduce, note_or_lose, unnoted
from signaling.core.notices import (
    Notice,
    control_of,
    notice,
    told_displaced,
    told_viewers,
)
from signaling.core.records import Robot, Session
from signaling.core.request import Request, without_grace
from signaling.core.rights import permitted
from signaling.core.steps import CheckRobot, Flow, Refused, Won, in_reserve, write_robot
from signaling.core.writes import lease, places, presence
from signaling.wire.errors import RobotBusy, RobotOffline, SignalingError, TryAgain
from signaling.wire.ids import ConnectionId, RobotId
from signaling.wire.messages import Offer, RequestControl, Role, Takeover


def hold(
    request: Request, message: Offer | Takeover | RequestControl, robot: Robot, taking: Write
) -> Flow[Robot]:
    """Carry out a write that takes the lease. Raise what explains a refusal."""
    outcome = yield from take(request, robot.robot_id, taking)
    if isinstance(outcome, Won):
        return outcome.after
    raise refusal(request, permitted(request, message, robot.robot_id, outcome.item))


def take(request: Request, robot_id: RobotId, taking: Write) -> Flow[Won[Robot] | Refused[Robot]]:
    """Carry out a write that takes the lease or a viewer's place.

    If it is never answered, it may have been carried out all the same. A v1 session lapses soon;
    a seed session lasts until its token ends, so undo the write. Then raise TryAgain.
    """
    try:
        return (yield from write_robot(robot_id, taking))
    except TryAgain as unanswered:
        if unanswered.stamp is not None and request.sender.dialect == "seed":
            mine = request.session_with(robot_id, request.lease_until)
            yield from in_reserve(_undo(request, robot_id, mine, taking, unanswered.stamp))
        raise


def _undo(
    request: Request, robot_id: RobotId, mine: Session, taking: Write, stamp: str
) -> Flow[None]:
    """End the session that a write has opened, if the item is still as that write left it.

    A write that took the lease for an older session is not undone: that session is noted on its
    row, so it ends with its socket.
    """
    if taking.name not in lease.OPENING | places.OPENING:
        return
    role: Role = "controller" if taking.name in lease.OPENING else "viewer"
    undo = lease.undo if role == "controller" else places.undo
    undoing = undo(mine.session_id, mine.connection_id, stamp)
    with suppress(SignalingError):
        # Read first: usually nothing was written, and the key may be throttled for writes.
        found: object = yield CheckRobot(robot_id, undoing)
        if not isinstance(found, Won):
            return
        outcome = yield from write_robot(robot_id, undoing)
        if isinstance(outcome, Won):
            yield from notify(request, robot_id, _told_of_undoing(outcome.after, mine, role))


def _told_of_undoing(robot: Robot, mine: Session, role: Role) -> list[Notice]:
    ended = Ended(robot, mine, role)
    if role == "viewer":
        return told_of_end(ended)
    # The undone write held at one epoch less, and told nobody.
    displaced = told_displaced(structs.replace(robot, epoch=robot.epoch - 1), mine)
    return displaced + told_of_end(ended)


def confirm(request: Request, robot: Robot, found: Found) -> Flow[None]:
    """Note a seed's session on the sender's row if it isn't noted there.

    The message that opened it may be about to undo it, so write to the session first: that
    changes the stamp. Raise TryAgain if the session is gone.
    """
    session_id, role = found.session.session_id, found.role
    if found.session.dialect != "seed" or session_id in request.sender.sessions:
        return
    renew = lease.renew if role == "controller" else places.renew
    touching = renew(session_id, found.session.connection_id, found.session.until)
    # Not as a renewal, which would leave the stamp as it is.
    outcome = yield from write_robot(robot.robot_id, structs.replace(touching, renewal=False))
    if not isinstance(outcome, Won):
        raise TryAgain(robot.robot_id)
    yield from note_or_lose(request, robot, found)


def refusal(request: Request, robot: Robot) -> RobotOffline | RobotBusy | TryAgain:
    """Return why the lease could not be taken, as the item tells it."""
    if robot.connection_id is None:
        return RobotOffline(robot.robot_id)
    held = robot.holder(request.now)
    if held is not None and held.connection_id != request.sender.connection_id:
        you = held.user_id == request.sender.user_id
        return RobotBusy(robot.robot_id, held.user_id, held.name, you=you)
    return TryAgain(robot.robot_id)


def present(
    request: Request, robot: Robot, mine: Session, frame: AnyFrame | None, *, viewed: bool
) -> Flow[None]:
    """Tell the robot of its new holder and, side by side, note the session on the sender's row.

    If either fails, the lease is given back, since nobody holds a robot that they cannot
    reach: raise RobotOffline, NoSession when the sender itself is gone, or what kept the frame
    or the note from being made. Whoever `viewed` before does so again.
    """
    try:
        delivered, noted = yield from introduce(request, robot, mine, frame)
    except SignalingError:
        yield from in_reserve(_give_back(request, robot, mine, viewed=viewed))
        raise
    if not delivered:
        gone = robot.connection_id
        yield from in_reserve(_give_back(request, robot, mine, viewed=viewed, gone=gone))
        raise RobotOffline(robot.robot_id)
    if not isinstance(noted, Won):
        yield from in_reserve(_give_back(request, robot, mine, viewed=False))
        raise unnoted(robot, noted)


def _give_back(
    request: Request,
    robot: Robot,
    mine: Session,
    *,
    viewed: bool,
    gone: ConnectionId | None = None,
) -> Flow[None]:
    """Free the lease, end the presence of a robot found gone, and tell everyone concerned.

    Whoever was displaced for nothing is told as well: they do not hold any more. So they are
    when the lease cannot be given back either, and lasts until it lapses.
    """
    told = told_displaced(robot, mine)
    with suppress(SignalingError):
        if viewed:
            after = yield from _viewing_again(request, robot, mine, gone)
            if after is not None:
                free = control_of(after)
                told += notice(after, free) + told_viewers(after, free, besides=mine.session_id)
        else:
            ended = yield from _ended(robot, mine, gone)
            if ended is not None:
                told += told_of_end(ended)
    yield from notify(request, robot.robot_id, told)


def _viewing_again(
    request: Request, robot: Robot, mine: Session, gone: ConnectionId | None
) -> Flow[Robot | None]:
    """Make the holder the viewer that it was, and return the robot as it then stands."""
    staying = lease.release(without_grace(mine, request.place_until), request.rules.viewers)
    outcome = yield from write_robot(robot.robot_id, staying)
    after = outcome.after if isinstance(outcome, Won) else None
    if gone is not None:
        lost = yield from write_robot(robot.robot_id, presence.lose(gone))
        after = lost.after if after is not None and isinstance(lost, Won) else after
    return after


def _ended(robot: Robot, mine: Session, gone: ConnectionId | None) -> Flow[Ended | None]:
    """End the holder's session, and the presence of a robot that was found gone."""
    ends = mine.session_id, mine.connection_id
    if gone is not None:
        both = lease.give_back_with_robot(*ends, gone)
        outcome = yield from write_robot(robot.robot_id, both)
        if isinstance(outcome, Won):
            return Ended(outcome.after, mine, "controller")
    # A robot that has registered anew meanwhile keeps its presence: it is not ours to end.
    return (yield from end(robot.robot_id, Found(mine, "controller"), giving_back(*ends)))


def tell_change(
    request: Request, robot: Robot, holder: Session, more: Sequence[Notice] = ()
) -> Flow[None]:
    """Tell the displaced holder and the viewers who drives now; and whoever else is to hear."""
    told = told_viewers(robot, control_of(robot), besides=holder.session_id)
    yield from notify(request, robot.robot_id, [*told_displaced(robot, holder), *told, *more])
