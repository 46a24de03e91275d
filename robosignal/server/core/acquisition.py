"""Taking the lease, for every message that can: the write, the robot's notice, the way back.

Knows what follows a won write and what undoes it; never by which right or why it is taken.
"""

from collections.abc import Sequence
from contextlib import suppress

from robosignal.protocol.errors import (
    Forbidden,
    NoSession,
    RobotBusy,
    RobotOffline,
    SignalingError,
    TryAgain,
)
from robosignal.protocol.ids import ConnectionId, SessionId
from robosignal.protocol.messages import Offer, RequestControl, Takeover
from robosignal.server.core.addressing import ActiveSession
from robosignal.server.core.authorization import authorize, robot_cannot_drive
from robosignal.server.core.conditional_writes import Write
from robosignal.server.core.delivery import hand_over, notify
from robosignal.server.core.dialects import AnyFrame
from robosignal.server.core.notices import (
    Notice,
    control_frame,
    displaced_notices,
    notices_to,
    viewer_notices,
)
from robosignal.server.core.records import Connection, Robot, Session
from robosignal.server.core.request import Request, clear_grace
from robosignal.server.core.sessions import (
    EndedSession,
    end_notices,
    end_session,
    writes_to_roll_back,
)
from robosignal.server.core.steps import (
    ConditionFailed,
    Flow,
    WriteConnection,
    Written,
    in_reserve,
    perform_all,
    write_robot,
)
from robosignal.server.core.writes import connections, lease, presence


def acquire(
    request: Request, message: Offer | Takeover | RequestControl, robot: Robot, taking: Write
) -> Flow[Robot]:
    """Carry out a write that takes the lease. Raise what explains a refusal."""
    outcome = yield from write_robot(robot.robot_id, taking)
    if isinstance(outcome, Written):
        return outcome.after
    raise explain_refusal(request, authorize(request, message, robot.robot_id, outcome.item))


def explain_refusal(request: Request, robot: Robot) -> RobotOffline | RobotBusy | TryAgain:
    """Return why the lease could not be taken, as the item tells it."""
    if robot.connection_id is None:
        return RobotOffline(robot.robot_id)
    held = robot.holder(request.now)
    if held is not None and held.connection_id != request.sender.connection_id:
        you = held.user_id == request.sender.user_id
        return RobotBusy(robot.robot_id, held.user_id, held.name, you=you)
    return TryAgain(robot.robot_id)


def introduce_driver(
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
        yield from in_reserve(_roll_back(request, robot, mine, viewed=viewed))
        raise
    if not delivered:
        gone = robot.connection_id
        yield from in_reserve(_roll_back(request, robot, mine, viewed=viewed, gone=gone))
        raise RobotOffline(robot.robot_id)
    if not isinstance(noted, Written):
        yield from in_reserve(_roll_back(request, robot, mine, viewed=False))
        raise explain_missing_note(robot, noted)


def _roll_back(
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
    told = displaced_notices(robot, mine)
    with suppress(SignalingError):
        if viewed:
            after = yield from _return_to_viewing(request, robot, mine, gone)
            if after is not None:
                free = control_frame(after)
                told += notices_to(after, free) + viewer_notices(
                    after, free, besides=mine.session_id
                )
        else:
            ended = yield from _end_acquired(robot, mine, gone)
            if ended is not None:
                told += end_notices(ended)
    yield from notify(request, robot.robot_id, told)


def _return_to_viewing(
    request: Request, robot: Robot, mine: Session, gone: ConnectionId | None
) -> Flow[Robot | None]:
    """Make the holder the viewer that it was, and return the robot as it then stands."""
    staying = lease.release(clear_grace(mine, request.place_until), request.rules.viewers)
    outcome = yield from write_robot(robot.robot_id, staying)
    after = outcome.after if isinstance(outcome, Written) else None
    if gone is not None:
        lost = yield from write_robot(robot.robot_id, presence.record_loss(gone))
        after = lost.after if after is not None and isinstance(lost, Written) else after
    return after


def _end_acquired(
    robot: Robot, mine: Session, gone: ConnectionId | None
) -> Flow[EndedSession | None]:
    """End the holder's session, and the presence of a robot that was found gone."""
    ends = mine.session_id, mine.connection_id
    if gone is not None:
        both = lease.roll_back_with_robot(*ends, gone)
        outcome = yield from write_robot(robot.robot_id, both)
        if isinstance(outcome, Written):
            return EndedSession(outcome.after, mine, "controller")
    # A robot that has registered anew meanwhile keeps its presence: it is not ours to end.
    return (
        yield from end_session(
            robot.robot_id, ActiveSession(mine, "controller"), writes_to_roll_back(*ends)
        )
    )


def announce_driver(
    request: Request, robot: Robot, holder: Session, more: Sequence[Notice] = ()
) -> Flow[None]:
    """Tell the displaced holder and the viewers who drives now; and whoever else is to hear."""
    told = viewer_notices(robot, control_frame(robot), besides=holder.session_id)
    yield from notify(request, robot.robot_id, [*displaced_notices(robot, holder), *told, *more])


def introduce(
    request: Request, robot: Robot, session: Session, frame: AnyFrame | None
) -> Flow[tuple[bool, Written[Connection] | ConditionFailed[Connection]]]:
    """Hand the robot the session's first frame, and note the session on the sender's row.

    A robot that is told nothing, `frame` being None, counts as reached. Return whether the robot
    was, and what became of the note. Raise TryAgain when AWS was too busy for either.
    """
    noting = note_session(request, session.session_id)
    telling = [] if frame is None else [hand_over(robot, frame, request.now)]
    *delivered, noted = yield from perform_all((*telling, noting))
    return all(delivered), noted


def note_session(request: Request, session_id: SessionId) -> WriteConnection:
    """Return the step that notes a session on the sender's row."""
    me = request.sender.connection_id
    return WriteConnection(me, connections.note_session(me, session_id, request.sender.dialect))


def explain_missing_note(
    robot: Robot, noted: Written[Connection] | ConditionFailed[Connection]
) -> Forbidden | TryAgain | NoSession:
    """Return why a session could not be noted: the row as it is now tells."""
    row = noted.item if isinstance(noted, ConditionFailed) else None
    if row is None:
        return NoSession(robot.robot_id)
    if row.robot_id is not None:
        return robot_cannot_drive()
    # The sender asked for v1 meanwhile, and the session was made in the seed's dialect.
    return TryAgain(robot.robot_id)
