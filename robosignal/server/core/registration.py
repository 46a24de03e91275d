"""A robot's own messages: `register` and `unregister`.

If the instance id is the same as before, it is a redial, and sessions continue. If it is another
one, the robot's process has restarted, and sessions end. The write's condition alone decides who
may register.
"""

import msgspec
from msgspec import structs

from robosignal.protocol.errors import (
    Forbidden,
    NotRegistered,
    OwnedByAnother,
    SignalingError,
    TokenExpired,
    TryAgain,
)
from robosignal.protocol.frames import Ack, Registered, Replaced
from robosignal.protocol.ids import InstanceId, RobotId, token_of
from robosignal.protocol.messages import Register, Unregister
from robosignal.server.core.conditional_writes import Write
from robosignal.server.core.delivery import hand_over, notify
from robosignal.server.core.notices import control_state, notices_of_ended, session_entries
from robosignal.server.core.records import Assertion, Connection, Robot, fleet_shard_of
from robosignal.server.core.request import Request
from robosignal.server.core.steps import (
    Close,
    ConditionFailed,
    Flow,
    Post,
    WriteConnection,
    WriteRobot,
    Written,
    attempt_all,
    find_ice_servers,
    write_robot,
)
from robosignal.server.core.writes import connections, presence
from robosignal.server.core.writes.presence import Claim

ENROLLED_ONLY = (
    "this deployment registers only robots that were enrolled: "
    "enrol this one with a code of its owner's, and let it connect with its own key"
)

IN_USE = "this connection already has a session or another robot: open another one"


def register(request: Request, message: Register) -> Flow[Registered]:
    """Register the robot on the sender's connection, and reply with who controls it.

    Notify the older connection that this replaces, and the clients whose sessions end. Raise
    Forbidden, OwnedByAnother, NotRegistered if a newer connection has registered, or TryAgain.
    """
    claim = _make_claim(request, message)
    written = yield from _write_claim(claim, message.robot_id)
    yield from _note_and_notify(request, written, claim)
    ice = yield from find_ice_servers(request.sender, turn=True)
    robot = written.after
    return Registered(
        robot_id=robot.robot_id,
        control=control_state(robot, request.now),
        sessions=session_entries(robot, request.now),
        heartbeat_seconds=request.rules.heartbeat_seconds,
        presence_seconds=request.presence_seconds,
        lease_seconds=request.presence_seconds,
        ice_servers=ice.servers,
        turn=ice.turn,
    )


def _make_claim(request: Request, message: Register) -> Claim:
    sender = request.sender
    _refuse_strangers(request, message.robot_id)
    if message.force and not sender.is_admin:
        raise Forbidden(message.robot_id, "only an admin registers by force")
    if sender.robot_id not in (None, message.robot_id):
        raise Forbidden(message.robot_id, f"this connection is {sender.robot_id}: open another one")
    if sender.sessions:
        # Checked before the write, which would end sessions although the note must fail then.
        raise Forbidden(message.robot_id, IN_USE)
    metadata = message.metadata
    return Claim(
        row=sender,
        # Without an instance id the connection serves as one, so repeating it is harmless.
        instance_id=message.instance_id or InstanceId(token_of(sender.connection_id)),
        metadata=None if metadata is None else msgspec.json.encode(metadata).decode(),
        ice_restart=message.ice_restart,
        fleet_shard=fleet_shard_of(message.robot_id),
        until=request.presence_until,
        now=request.now,
        force=message.force,
    )


def _refuse_strangers(request: Request, robot_id: RobotId) -> None:
    """Raise Forbidden if this connection may never register this robot."""
    assertion = request.sender.assertion
    if assertion is None:
        if request.rules.provisioned:
            raise Forbidden(robot_id, ENROLLED_ONLY)
    elif assertion.robot_id != robot_id:
        raise Forbidden(robot_id, f"this connection is {assertion.robot_id}: open another one")


def _write_claim(claim: Claim, robot_id: RobotId) -> Flow[Written[Robot]]:
    """Write the claim as a new process's first; then as what the item shows that it is."""
    outcome = yield from write_robot(robot_id, presence.register_process(claim))
    if isinstance(outcome, ConditionFailed):
        write = _choose_write(claim, outcome.item)
        if write is not None:
            outcome = yield from write_robot(robot_id, write)
    if isinstance(outcome, ConditionFailed):
        raise _explain_refusal(claim, robot_id, outcome.item)
    return outcome


def _choose_write(claim: Claim, robot: Robot | None) -> Write | None:
    """Return the write that fits this item; None for `register_process` as it was."""
    if robot is None:
        return None
    assertion = claim.row.assertion
    same_second = assertion is not None and robot.last_iat == assertion.iat
    fitting = structs.replace(claim, same_second=same_second)
    if robot.instance_id == claim.instance_id:
        return presence.register_redial(fitting)
    return presence.register_process(fitting) if same_second else None


def _explain_refusal(claim: Claim, robot_id: RobotId, robot: Robot | None) -> SignalingError:
    if claim.row.assertion is not None:
        return _explain_device(claim, claim.row.assertion, robot_id, robot)
    if robot is None:
        return TryAgain(robot_id)
    if robot.owner_user_id != claim.row.user_id and not claim.force:
        return OwnedByAnother(robot_id)
    if robot.connection_id is not None and robot.connected_at > claim.row.ts:
        return NotRegistered(robot_id)
    return TryAgain(robot_id)


def _explain_device(
    claim: Claim, assertion: Assertion, robot_id: RobotId, robot: Robot | None
) -> SignalingError:
    """Return why a robot could not register by its key, judging by its item."""
    key = None if robot is None else (robot.keys or {}).get(assertion.kid)
    if robot is None or key is None or key.pending or key.is_over(claim.now):
        return Forbidden(robot_id, "this key is enrolled no longer: ask the robot's owner")
    if robot.connection_id is not None and robot.connected_at > claim.row.ts:
        return NotRegistered(robot_id)
    used_by = robot.assertions.get(assertion.jti)
    if assertion.iat < robot.last_iat or used_by not in (None, claim.row.connection_id):
        # It is used up: a new connection needs a new one.
        return TokenExpired(robot_id)
    return TryAgain(robot_id)


def _note_and_notify(request: Request, written: Written[Robot], claim: Claim) -> Flow[None]:
    """Note the robot on its item; notify its older connection, and clients whose sessions ended."""
    me, robot = claim.row.connection_id, written.after
    note = WriteConnection(me, connections.note_robot(me, robot.robot_id, claim.row.dialect))
    steps = (note, *_replacement_steps(request, written, claim))
    (noted, *_) = yield from attempt_all(steps, "decide")
    if isinstance(noted, ConditionFailed):
        yield from attempt_all((WriteRobot(robot.robot_id, presence.record_loss(me)),), "undo")
    # Sessions have ended in any case, and the older connection is replaced.
    notices = notices_of_ended(written.before, written.after, "restarted")
    yield from notify(request, robot.robot_id, notices)
    if isinstance(noted, SignalingError):
        # The claim is not undone, as another `register` of this connection may have made it too.
        raise noted
    if isinstance(noted, ConditionFailed):
        raise _explain_missing_note(robot.robot_id, noted.item)


def _explain_missing_note(robot_id: RobotId, row: Connection | None) -> SignalingError:
    """Return why a robot could not be noted, judging by the sender's item."""
    if row is None:
        return NotRegistered(robot_id)
    if row.sessions or row.robot_id not in (None, robot_id):
        return Forbidden(robot_id, IN_USE)
    # The sender switched to v1 in the meantime, and the claim was made in the seed dialect.
    return TryAgain(robot_id)


def _replacement_steps(
    request: Request, written: Written[Robot], claim: Claim
) -> list[Post | Close]:
    """Return the step that tells the robot's older connection, or closes a seed's."""
    older = written.before
    if older is None or older.connection_id in (None, claim.row.connection_id):
        return []
    if older.dialect == "seed" and older.connection_id is not None:
        return [Close(older.connection_id)]
    frame = Replaced(robot_id=older.robot_id, instance_id=claim.instance_id)
    return [hand_over(older, frame, request.now)]


def unregister(request: Request, message: Unregister) -> Flow[Ack]:
    """End presence and every session. Raise NotRegistered unless the sender is the robot."""
    me = request.sender.connection_id
    outcome = yield from write_robot(message.robot_id, presence.unregister(me))
    if isinstance(outcome, ConditionFailed):
        raise NotRegistered(message.robot_id)
    notices = notices_of_ended(outcome.before, outcome.after, "unregistered")
    yield from notify(request, message.robot_id, notices)
    return Ack()
