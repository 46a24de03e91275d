"""Brings a new session to the robot's notice and to its client's row, side by side.

Knows the two steps; never what is to be undone when one of them fails.
"""

from signaling.core.delivery import handing_over
from signaling.core.dialects import AnyFrame
from signaling.core.records import Connection, Robot, Session
from signaling.core.request import Request
from signaling.core.steps import Flow, Refused, Won, WriteConnection, together
from signaling.core.writes import rows


def introduce(
    request: Request, robot: Robot, session: Session, frame: AnyFrame
) -> Flow[tuple[bool, Won[Connection] | Refused[Connection]]]:
    """Hand the robot the session's first frame, and note the session on the sender's row.

    Return whether the robot was reached, and what became of the note: it fails when the
    sender's row is gone, or says that the sender is a robot.
    """
    me = request.sender.connection_id
    noting = WriteConnection(me, rows.note_session(me, session.session_id))
    delivered, noted = yield from together((handing_over(robot, frame, request.now), noting))
    return bool(delivered), noted
