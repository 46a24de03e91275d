"""A robot's own messages: register and unregister.

The same instance registering again is a redial, and sessions stay; another one is a new
process, and they end. Ownership is decided by the write's condition alone.
"""

import msgspec

from robosignal.protocol.errors import (
    Forbidden,
    NotRegistered,
    OwnedByAnother,
    SignalingError,
    TryAgain,
)
from robosignal.protocol.frames import (
    Ack,
    Engaged,
    Registered,
    Replaced,
)
from robosignal.protocol.ids import InstanceId, RobotId, token_of
from robosignal.protocol.messages import Register, Unregister
from robosignal.server.core.delivery import hand_over, notify
from robosignal.server.core.notices import control_state, ended_notices
from robosignal.server.core.records import Connection, Robot, fleet_shard_of
from robosignal.server.core.request import Request
from robosignal.server.core.steps import (
    Close,
    ConditionFailed,
    Flow,
    Step,
    WriteConnection,
    WriteRobot,
    Written,
    attempt_all,
    find_ice_servers,
    write_robot,
)
from robosignal.server.core.writes import connections, presence
from robosignal.server.core.writes.presence import Claim

IN_USE = "this connection is in use otherwise: open another one"


def register(request: Request, message: Register) -> Flow[Registered]:
    """Claim presence, tell whoever it replaces or ends, and answer with where things stand."""
    claim = _make_claim(request, message)
    won = yield from _write_claim(claim, message.robot_id)
    yield from _announce(request, won, claim)
    ice = yield from find_ice_servers(request.sender, turn=True)
    robot = won.after
    return Registered(
        robot_id=robot.robot_id,
        control=control_state(robot),
        sessions=[
            Engaged(session_id=each.session_id, person=each.person, role=role)
            for each, role in robot.sessions()
        ],
        heartbeat_seconds=request.rules.heartbeat_seconds,
        lease_seconds=request.presence_seconds,
        ice_servers=ice.servers,
        turn=ice.turn,
    )


def _make_claim(request: Request, message: Register) -> Claim:
    sender = request.sender
    if message.force and not sender.is_admin:
        raise Forbidden(message.robot_id, "only an admin registers by force")
    if sender.robot_id not in (None, message.robot_id):
        raise Forbidden(message.robot_id, f"this connection is {sender.robot_id}: open another one")
    if sender.sessions:
        # Before the write: it would end what stands there for a claim that the note refuses.
        raise Forbidden(message.robot_id, IN_USE)
    said = message.metadata
    return Claim(
        row=sender,
        # Without an instance of its own, a connection stands for one: repeating is harmless.
        instance_id=message.instance_id or InstanceId(token_of(sender.connection_id)),
        metadata=None if said is None else msgspec.json.encode(said).decode(),
        ice_restart=message.ice_restart,
        fleet_shard=fleet_shard_of(message.robot_id),
        until=request.presence_until,
        now=request.now,
        force=message.force,
        provisioned=request.rules.provisioned,
    )


def _write_claim(claim: Claim, robot_id: RobotId) -> Flow[Written[Robot]]:
    """Write the claim, as a new process first, and as a redial if it is one."""
    outcome = yield from write_robot(robot_id, presence.register_process(claim))
    if isinstance(outcome, ConditionFailed) and _is_redial(claim, outcome.item):
        outcome = yield from write_robot(robot_id, presence.register_redial(claim))
    if isinstance(outcome, ConditionFailed):
        raise _explain_refusal(claim, robot_id, outcome.item)
    return outcome


def _is_redial(claim: Claim, robot: Robot | None) -> bool:
    return robot is not None and robot.instance_id == claim.instance_id


def _explain_refusal(claim: Claim, robot_id: RobotId, robot: Robot | None) -> SignalingError:
    if robot is None:
        return Forbidden(robot_id, "this deployment takes no new robot ids: ask its operator")
    if robot.owner_user_id != claim.row.user_id and not claim.force:
        return OwnedByAnother(robot_id)
    if robot.connection_id is not None and robot.connected_at > claim.row.ts:
        return NotRegistered(robot_id)
    return TryAgain(robot_id)


def _announce(request: Request, won: Written[Robot], claim: Claim) -> Flow[None]:
    """Note the robot on its row, and tell its older socket and the sessions that ended."""
    me, robot = claim.row.connection_id, won.after
    note = WriteConnection(me, connections.note_robot(me, robot.robot_id, claim.row.dialect))
    (noted, *_) = yield from attempt_all((note, *_replacement_steps(request, won, claim)), "needed")
    if isinstance(noted, ConditionFailed):
        yield from attempt_all((WriteRobot(robot.robot_id, presence.record_loss(me)),), "reserved")
    # Sessions have ended either way, and the older socket has been replaced.
    yield from notify(request, robot.robot_id, ended_notices(won.before, won.after, "restarted"))
    if isinstance(noted, SignalingError):
        # The claim stands, and may be another message's of this connection: it is sent again.
        raise noted
    if isinstance(noted, ConditionFailed):
        raise _explain_missing_note(robot.robot_id, noted.item)


def _explain_missing_note(robot_id: RobotId, row: Connection | None) -> SignalingError:
    """Return why a robot could not be noted: the row as it is now tells."""
    if row is None:
        return NotRegistered(robot_id)
    if row.sessions or row.robot_id not in (None, robot_id):
        return Forbidden(robot_id, IN_USE)
    # It asked for v1 meanwhile, and the claim was made in the seed's dialect.
    return TryAgain(robot_id)


def _replacement_steps(request: Request, won: Written[Robot], claim: Claim) -> list[Step]:
    """Return what tells the robot's older socket; a seed's, which could not read it, is closed."""
    older = won.before
    if older is None or older.connection_id in (None, claim.row.connection_id):
        return []
    if older.dialect == "seed" and older.connection_id is not None:
        return [Close(older.connection_id)]
    told = Replaced(robot_id=older.robot_id, instance_id=claim.instance_id)
    return [hand_over(older, told, request.now)]


def unregister(request: Request, message: Unregister) -> Flow[Ack]:
    """End presence and every session. Raise NotRegistered unless the sender is the robot."""
    me = request.sender.connection_id
    outcome = yield from write_robot(message.robot_id, presence.unregister(me))
    if isinstance(outcome, ConditionFailed):
        raise NotRegistered(message.robot_id)
    told = ended_notices(outcome.before, outcome.after, "unregistered")
    yield from notify(request, message.robot_id, told)
    return Ack()
