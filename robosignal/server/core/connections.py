"""A connection's life: opening, choosing its dialect (`ready`), ICE servers, and closing."""

from robosignal.protocol import limits
from robosignal.protocol.errors import Forbidden, SignalingError, Unauthorized
from robosignal.protocol.frames import IceServersReply, Limits, Welcome
from robosignal.protocol.ids import ConnectionId, RobotId, SessionId, robot_of
from robosignal.protocol.messages import IceServers, Offer, Ready
from robosignal.server.core.authorization import find_shares_needed, is_allowed
from robosignal.server.core.delivery import loss_write
from robosignal.server.core.records import Connection
from robosignal.server.core.request import Request, grace_end
from robosignal.server.core.steps import (
    AddConnection,
    ConditionFailed,
    DropGroupWatch,
    Flow,
    WriteRobot,
    attempt_all,
    find_ice_servers,
    read_connection,
    read_robots,
    remove_connection,
    write_connection,
    write_robot,
)
from robosignal.server.core.writes import connections, lease, presence


def connect(row: Connection) -> Flow[None]:
    """Write the item of a connection whose token was verified."""
    yield AddConnection(row)


def disconnect(connection_id: ConnectionId, now: int) -> Flow[Connection | None]:
    """Delete the item, and record the loss in the robot and sessions that are on this connection.

    `now` is in epoch ms. Return the item as it was; None if there was none, as after a refused
    `$connect`. On AWS this is best effort: `$disconnect` may come late, twice or never.
    """
    row = yield from remove_connection(connection_id)
    if row is None:
        return None
    if row.robot_id is not None:
        yield from write_robot(row.robot_id, presence.record_loss(connection_id))
    yield from _record_losses(sorted(row.sessions), connection_id, now)
    if row.watcher_user_id == row.user_id:
        yield from attempt_all(DropGroupWatch(connection_id, each) for each in row.groups)
    return row


def _record_losses(sessions: list[SessionId], gone: ConnectionId, now: int) -> Flow[None]:
    """Record the lost connection in each session, in parallel, first as if each held the lease."""

    def as_holder(session_id: SessionId) -> WriteRobot:
        write = lease.begin_grace(session_id, gone, now, grace_end(now))
        return WriteRobot(robot_of(session_id), write)

    first = yield from attempt_all(map(as_holder, sessions), "decide")
    second: dict[SessionId, WriteRobot] = {}
    for session_id, outcome in zip(sessions, first, strict=True):
        robot = outcome.item if isinstance(outcome, ConditionFailed) else None
        session, role = (robot and robot.session(session_id)) or (None, None)
        if session and role and session.connection_id == gone:
            second[session_id] = WriteRobot(robot_of(session_id), loss_write(session, role, now))
    others = yield from attempt_all(second.values(), "decide")
    # A viewer whose write failed too may have been granted control in the meantime.
    again = [
        as_holder(session_id)
        for session_id, outcome in zip(second, others, strict=True)
        if isinstance(outcome, ConditionFailed)
    ]
    third = yield from attempt_all(again, "decide")
    for outcome in (*first, *others, *third):
        if isinstance(outcome, SignalingError):
            # Raised last: a failure in one session must not keep the others from their grace.
            raise outcome


def ready(request: Request, message: Ready) -> Flow[Welcome]:
    """Tell the sender who it is; switch it to v1 if it asks for that.

    Raise Forbidden if it asks after it has registered or opened a session.
    """
    sender = request.sender
    if message.protocol is not None and sender.dialect == "seed":
        sender = yield from _switch_to_v1(request)
    # TURN servers need a right to a robot, and looking for one would cost every sender a read.
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
        groups_left_out=sender.groups_left_out,
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
    """Reply with ICE servers; with TURN servers too, if the sender may view the robot it names.

    A sender that names no robot is judged by the robot that it has registered and those that it
    has sessions with. A stranger gets a normal reply, and so learns nothing about the robot.
    """
    ice = yield from find_ice_servers(request.sender, turn=False)
    until = (yield from _find_turn_end(request, message)) if ice.turn else None
    if until is not None:
        ice = yield from find_ice_servers(request.sender, turn=True, until=until)
    return IceServersReply(ice_servers=ice.servers, ttl_seconds=ice.ttl_seconds, turn=ice.turn)


def _find_turn_end(request: Request, message: IceServers) -> Flow[int | None]:
    """Return when the sender's right to use TURN ends (epoch ms); None if it has none.

    That is the token's end, or the last end of the shares that give the right.
    """
    named = message.robot_id
    robot_ids = (yield from _find_own_robots(request)) if named is None else (named,)
    robots = (yield from read_robots(robot_ids)) if robot_ids else []
    sender, now = request.sender, request.now
    ends = []
    for robot in robots:
        if is_allowed(Offer, sender, robot, now):
            is_robot = robot.connection_id == sender.connection_id
            shares = [] if is_robot else find_shares_needed(sender, robot, now)
            lasts = [sender.expires_at if each.until is None else each.until for each in shares]
            ends.append(min(sender.expires_at, max(lasts, default=sender.expires_at)))
    return max(ends, default=None)


def _find_own_robots(request: Request) -> Flow[tuple[RobotId, ...]]:
    """Return the robots that the sender's connection has registered, or has sessions with."""
    row = yield from read_connection(request.sender.connection_id)
    if row is None:
        return ()
    own = () if row.robot_id is None else (row.robot_id,)
    others = sorted({robot_of(each) for each in row.sessions})
    return (*own, *others)[: limits.ROBOTS_PER_PAGE]
