"""A connection's own life: opening, saying what it speaks, asking for ICE servers, closing.

Closing is best effort on AWS, so it cleans up only what still names this very connection.
"""

from dataclasses import dataclass

from robosignal.protocol import limits
from robosignal.protocol.errors import Forbidden, SignalingError, Unauthorized
from robosignal.protocol.frames import IceServersReply, Limits, Welcome
from robosignal.protocol.ids import ConnectionId, RobotId, SessionId, robot_of
from robosignal.protocol.messages import IceServers, Offer, Ready
from robosignal.server.core.authorization import is_allowed
from robosignal.server.core.records import Connection, Robot
from robosignal.server.core.request import Request, grace_end
from robosignal.server.core.steps import (
    AddConnection,
    ConditionFailed,
    Flow,
    Step,
    WriteRobot,
    attempt_all,
    find_ice_servers,
    read_connection,
    read_robots,
    remove_connection,
    write_connection,
    write_robot,
)
from robosignal.server.core.writes import connections, lease, presence, viewers


def connect(row: Connection) -> Flow[None]:
    """Write the row of a connection whose token was verified."""
    yield AddConnection(row)


def disconnect(connection_id: ConnectionId, now: int) -> Flow[Connection | None]:
    """Delete the row and record the lost socket wherever this connection still stands.

    Return the row as it was; None when there was none, as after a refused `$connect`.
    """
    row = yield from remove_connection(connection_id)
    if row is None:
        return None
    if row.robot_id is not None:
        yield from write_robot(row.robot_id, presence.record_loss(connection_id))
    lost = _LostSocket(connection_id, now, grace_end(now))
    yield from _lose_sessions(sorted(row.sessions), lost)
    return row


@dataclass(frozen=True, slots=True)
class _LostSocket:
    """A lost socket: which, when it was known, and when its grace is over."""

    gone: ConnectionId
    now: int
    until: int

    def as_holder(self, session_id: SessionId) -> Step:
        write = lease.begin_grace(session_id, self.gone, self.now, self.until)
        return WriteRobot(robot_of(session_id), write)

    def otherwise(self, session_id: SessionId, robot: Robot) -> Step | None:
        """Return what to write where the session was no holder's with a lease that long."""
        found = robot.session(session_id)
        if found is None or found[0].connection_id != self.gone:
            return None
        session, role = found
        late = viewers.record_late_loss if role == "viewer" else lease.record_late_loss
        lose = viewers.begin_grace if role == "viewer" and session.until > self.until else late
        return WriteRobot(robot_of(session_id), lose(session_id, self.gone, self.now, self.until))


def _lose_sessions(sessions: list[SessionId], lost: _LostSocket) -> Flow[None]:
    """Record the lost socket in each session, side by side: first as if each were the holder's."""
    first = yield from attempt_all((lost.as_holder(each) for each in sessions), "needed")
    steps = {
        each: lost.otherwise(each, outcome.item)
        for each, outcome in zip(sessions, first, strict=True)
        if isinstance(outcome, ConditionFailed) and outcome.item is not None
    }
    second = {each: step for each, step in steps.items() if step is not None}
    others = yield from attempt_all(second.values(), "needed")
    # One that was refused as a viewer as well was granted control between the two, perhaps.
    again = [
        lost.as_holder(each)
        for each, outcome in zip(second, others, strict=True)
        if isinstance(outcome, ConditionFailed)
    ]
    third = yield from attempt_all(again, "needed")
    for outcome in (*first, *others, *third):
        if isinstance(outcome, SignalingError):
            # Only now: a failure at one session must not keep the others from their grace.
            raise outcome


def ready(request: Request, message: Ready) -> Flow[Welcome]:
    """Answer with who the sender is; change its dialect if it asks for v1 in time."""
    sender = request.sender
    if message.protocol is not None and sender.dialect == "seed":
        sender = yield from _switch_to_v1(request)
    # The sender's rights are not known yet, and a look would cost each of them a read.
    ice = yield from find_ice_servers(sender, turn=False)
    return Welcome(
        connection_id=sender.connection_id,
        user_id=sender.user_id,
        name=sender.name,
        protocol=1 if sender.dialect == "v1" else 0,
        ice_servers=ice.servers,
        turn=ice.turn,
        heartbeat_seconds=request.rules.heartbeat_seconds,
        expires_at=sender.expires_at,
        limits=Limits(
            frame_bytes=limits.FRAME_BYTES,
            message_bytes=limits.MESSAGE_BYTES,
            sdp_bytes=limits.SDP_BYTES,
            viewers=request.rules.viewers,
        ),
    )


def _switch_to_v1(request: Request) -> Flow[Connection]:
    me = request.sender.connection_id
    outcome = yield from write_connection(me, connections.switch_to_v1(me))
    if not isinstance(outcome, ConditionFailed):
        return outcome.after
    if outcome.item is None:
        raise Unauthorized("connection is gone")
    raise Forbidden(None, "the dialect is settled: ask for protocol 1 before anything else")


def ice_servers(request: Request, message: IceServers) -> Flow[IceServersReply]:
    """Answer with ICE servers: with TURN servers too, if the sender may watch the robot it names.

    A sender that names none is judged by the robot that it is, and those that it has sessions
    with. A stranger is refused nothing here, and so learns nothing of the robot.
    """
    ice = yield from find_ice_servers(request.sender, turn=False)
    if ice.turn and (yield from _may_use_turn(request, message)):
        ice = yield from find_ice_servers(request.sender, turn=True)
    return IceServersReply(ice_servers=ice.servers, ttl_seconds=ice.ttl_seconds, turn=ice.turn)


def _may_use_turn(request: Request, message: IceServers) -> Flow[bool]:
    named = message.robot_id
    robot_ids = (yield from _find_own_robots(request)) if named is None else (named,)
    robots = (yield from read_robots(robot_ids)) if robot_ids else []
    return any(is_allowed(Offer, request.sender, robot) for robot in robots)


def _find_own_robots(request: Request) -> Flow[tuple[RobotId, ...]]:
    """Return the robots that the sender's connection has registered or has sessions with."""
    row = yield from read_connection(request.sender.connection_id)
    if row is None:
        return ()
    own = () if row.robot_id is None else (row.robot_id,)
    others = sorted({robot_of(each) for each in row.sessions})
    return (*own, *others)[: limits.ROBOTS_PER_PAGE]
