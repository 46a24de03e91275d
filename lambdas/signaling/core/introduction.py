"""Brings a new session to the robot's notice and to its client's row, side by side.

Knows the two steps, and what a failed note means; never what is to be undone then.
"""

from signaling.core.address import Found
from signaling.core.delivery import handing_over, losing
from signaling.core.dialects import AnyFrame
from signaling.core.records import Connection, Robot, Session
from signaling.core.request import Request
from signaling.core.rights import robots_drive_nothing
from signaling.core.steps import (
    Flow,
    Refused,
    Won,
    WriteConnection,
    WriteRobot,
    attempted,
    together,
)
from signaling.core.writes import rows
from signaling.wire.errors import Forbidden, NoSession, TryAgain
from signaling.wire.ids import SessionId


def introduce(
    request: Request, robot: Robot, session: Session, frame: AnyFrame | None
) -> Flow[tuple[bool, Won[Connection] | Refused[Connection]]]:
    """Hand the robot the session's first frame, and note the session on the sender's row.

    A robot that is told nothing, `frame` being None, counts as reached. Return whether the robot
    was, and what became of the note. Raise TryAgain when AWS was too busy for either.
    """
    noting = note(request, session.session_id)
    telling = [] if frame is None else [handing_over(robot, frame, request.now)]
    *delivered, noted = yield from together((*telling, noting))
    return all(delivered), noted


def note(request: Request, session_id: SessionId) -> WriteConnection:
    """Return the step that notes a session on the sender's row."""
    me = request.sender.connection_id
    return WriteConnection(me, rows.note_session(me, session_id, request.sender.dialect))


def note_or_lose(request: Request, robot: Robot, found: Found) -> Flow[None]:
    """Note an existing session on the sender's row.

    If the row refuses, treat the session's socket as lost, and raise why.
    """
    (noted,) = yield from together((note(request, found.session.session_id),))
    if isinstance(noted, Refused):
        lost = WriteRobot(robot.robot_id, losing(found.session, found.role, request.now))
        yield from attempted((lost,), "reserved")
        raise unnoted(robot, noted)


def unnoted(
    robot: Robot, noted: Won[Connection] | Refused[Connection]
) -> Forbidden | TryAgain | NoSession:
    """Return why a session could not be noted: the row as it is now tells."""
    row = noted.item if isinstance(noted, Refused) else None
    if row is None:
        return NoSession(robot.robot_id)
    if row.robot_id is not None:
        return robots_drive_nothing()
    # The sender asked for v1 meanwhile, and the session was made in the seed's dialect.
    return TryAgain(robot.robot_id)
