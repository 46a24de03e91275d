"""Robots' own keys: letting one in, by its owner or by a code, and ending it.

A robot whose key is in its item connects by itself: no person's token is needed, and no person's
token ends its connection. Only the conditions of the writes decide which key is in the item.
"""

from msgspec import structs

from robosignal.protocol.device_keys import PublicKey, fingerprint, hash_code
from robosignal.protocol.errors import BadMessage, Forbidden, SignalingError, TryAgain
from robosignal.protocol.frames import Ack, KeyEntry, KeysReply
from robosignal.protocol.frames import Code as CodeReply
from robosignal.protocol.ids import RobotId, UserId
from robosignal.protocol.limits import KEYS
from robosignal.protocol.messages import (
    ApproveKey,
    CreateCode,
    Enroll,
    Keys,
    RevokeKey,
    RotateKey,
)
from robosignal.server.core.authorization import authorize, condition_for
from robosignal.server.core.conditional_writes import AnyOf, Condition, Exists, Write
from robosignal.server.core.delivery import notify
from robosignal.server.core.notices import notices_of_ended
from robosignal.server.core.records import (
    Assertion,
    Code,
    Connection,
    Enrolment,
    Key,
    Robot,
    fleet_shard_of,
)
from robosignal.server.core.request import Request
from robosignal.server.core.steps import (
    Close,
    ConditionFailed,
    Flow,
    Written,
    attempt_all,
    check_robot,
    draw_code,
    read_code,
    read_robot,
    write_code,
    write_robot,
)
from robosignal.server.core.writes import codes
from robosignal.server.core.writes import keys as writes
from robosignal.server.core.writes.attributes import OWNER

SPENT = "this code enrols no robot any more: ask for a new one"
"""An unknown code gives the same answer."""


NO_ENDED_KEY = "has ended: let the robot make a new key"


def enroll(request: Request, message: Enroll) -> Flow[Ack]:
    """Let a key in, by the robot's owner, or by the code that the robot has sent.

    Raise BadMessage if the robot has too many keys, Forbidden without the right.
    """
    if message.public_key is not None and message.robot_id is not None:
        return (yield from _enroll_by_owner(request, message, message.robot_id, message.public_key))
    return (yield from _enroll_by_code(request, message))


def _may_create(request: Request) -> bool:
    """Say whether the sender may enrol a robot id that has no owner."""
    rules, sender = request.rules, request.sender
    if not rules.provisioned or sender.is_admin:
        return True
    return rules.provisioners is not None and rules.provisioners in sender.groups


def _new_key(public: PublicKey, by: UserId | None, now: int) -> Key:
    return Key(x=public.x, y=public.y, added_by=by, added_at=now)


def _enroll_by_owner(
    request: Request, message: Enroll, robot_id: RobotId, public: PublicKey
) -> Flow[Ack]:
    sender = request.sender
    if message.owner_user_id is not None and not sender.is_admin:
        raise Forbidden(robot_id, "only an admin enrols a robot for another user")
    owner = message.owner_user_id or sender.user_id
    key, kid = _new_key(public, sender.user_id, request.now), public.kid
    right = _right_of_owner(request, message)
    first = writes.enroll_first(kid, key, owner, right, fleet_shard_of(robot_id))
    outcome = yield from write_robot(robot_id, first)
    robot = outcome.item if isinstance(outcome, ConditionFailed) else None
    if robot is not None and robot.keys is not None:
        if kid in robot.keys and _owns(sender, robot):
            return _acknowledge(robot_id, kid, robot.keys[kid], request.now)
        further = writes.enroll(kid, key, right, _find_ended(robot, request.now))
        outcome = yield from write_robot(robot_id, further)
    if isinstance(outcome, ConditionFailed):
        raise _explain_refusal(request, message, robot_id, outcome.item)
    return Ack(robot_id=robot_id, kid=kid)


def _acknowledge(robot_id: RobotId, kid: str, known: Key, now: int) -> Ack:
    """Reply for a key that is in already, as the first answer may have been lost.

    Raise BadMessage if the robot cannot connect by it.
    """
    if known.pending:
        raise BadMessage("publicKey", "waits for approval already: send approve-key")
    if known.is_over(now):
        raise BadMessage("publicKey", NO_ENDED_KEY)
    return Ack(robot_id=robot_id, kid=kid)


def _right_of_owner(request: Request, message: Enroll) -> Condition:
    """Require that the id is free and the sender may create it, or that its owner is meant."""
    free = (writes.has_no_owner(),) if _may_create(request) else ()
    if message.owner_user_id is not None:
        return AnyOf((*free, writes.is_owned_by(message.owner_user_id)))
    if request.sender.is_admin:
        return AnyOf((*free, Exists(OWNER)))
    return AnyOf((*free, writes.is_owned_by(request.sender.user_id)))


def _owns(sender: Connection, robot: Robot) -> bool:
    return sender.is_admin or robot.owner_user_id == sender.user_id


def _find_ended(robot: Robot, now: int) -> list[str]:
    return [kid for kid, key in (robot.keys or {}).items() if key.is_over(now)]


def _explain_refusal(
    request: Request, message: Enroll, robot_id: RobotId, robot: Robot | None
) -> SignalingError:
    """Return why a key was not added, judging by the item."""
    if robot is None:
        return Forbidden(robot_id, "only admins and provisioners enrol new robot ids here")
    if not _owns(request.sender, robot):
        return Forbidden(robot_id)
    if message.owner_user_id not in (None, robot.owner_user_id):
        return BadMessage("ownerUserId", "is not the robot's owner: transfer the robot first")
    return _explain_full(robot_id, robot, request.now)


def _explain_full(robot_id: RobotId, robot: Robot, now: int) -> SignalingError:
    if len(robot.keys or {}) - len(_find_ended(robot, now)) >= KEYS:
        return BadMessage(
            "publicKey", f"cannot be added: the robot has {KEYS} keys already; revoke one first"
        )
    return TryAgain(robot_id)


def _enroll_by_code(request: Request, message: Enroll) -> Flow[Ack]:
    """Let in the key of the sender's assertion: judge, then take a use, then write the key.

    A robot may repeat this at any point: the use and the key are its own already. At last the use
    is completed: a key that is ended after that does not come back by the same code.
    """
    assertion = request.sender.assertion
    if assertion is None or assertion.enrolment is None:
        raise Forbidden(None)
    kid, enrolment = assertion.kid, assertion.enrolment
    code = yield from _read_sent_code(enrolment, message)
    robot_id = _choose_robot_id(assertion, message, code)
    key = _key_by_code(enrolment.public_key, code, request.now)
    write, outcome = yield from _judge(request, robot_id, code, kid, key)
    if isinstance(outcome, Written):
        outcome = yield from _take_and_write(request, robot_id, code, kid, write)
    robot = outcome.item if isinstance(outcome, ConditionFailed) else outcome.after
    known = ((robot.keys if robot else None) or {}).get(kid)
    if robot is None or known is None or not _is_let_in(robot, known, code):
        raise _explain_code(request, code, robot_id, robot)
    if known.is_over(request.now):
        raise BadMessage("code", "comes with a key that has ended: let the robot make a new one")
    yield from write_code(code.code_hash, codes.complete_use(robot_id, kid))
    return Ack(robot_id=robot_id, kid=kid, pending=known.pending)


def _is_let_in(robot: Robot, known: Key, code: Code) -> bool:
    """Say whether a key in the item needs this code no more: it or its creator has let it in."""
    return known.code_hash == code.code_hash or robot.owner_user_id == code.for_user_id


def _take_and_write(
    request: Request, robot_id: RobotId, code: Code, kid: str, write: Write
) -> Flow[Written[Robot] | ConditionFailed[Robot]]:
    """Take a use and write the key. Raise Forbidden if no use is left, and the key is not in."""
    use = codes.take_use(robot_id, kid, code, request.now)
    if isinstance((yield from write_code(code.code_hash, use)), Written):
        return (yield from write_robot(robot_id, write))
    # Another try of the same robot may have let the key in since the item was judged.
    robot = yield from read_robot(robot_id)
    if kid not in ((robot.keys if robot else None) or {}):
        raise Forbidden(robot_id, SPENT)
    return ConditionFailed(robot)


def _judge(
    request: Request, robot_id: RobotId, code: Code, kid: str, key: Key
) -> Flow[tuple[Write, Written[Robot] | ConditionFailed[Robot]]]:
    """Return the write that lets the key in, and what it would come to."""
    right = _right_of_code(code)
    write = writes.enroll_first(kid, key, code.for_user_id, right, fleet_shard_of(robot_id))
    judged = yield from check_robot(robot_id, write)
    robot = judged.item if isinstance(judged, ConditionFailed) else None
    # Without approval a code lets in no second key: who has the code may be a thief by now.
    if robot is not None and robot.keys is not None and code.approve:
        write = writes.enroll(kid, key, right, _find_ended(robot, request.now))
        judged = yield from check_robot(robot_id, write)
    return write, judged


def _key_by_code(public: PublicKey, code: Code, now: int) -> Key:
    return structs.replace(
        _new_key(public, code.by_user_id, now), code_hash=code.code_hash, pending=code.approve
    )


def _read_sent_code(enrolment: Enrolment, message: Enroll) -> Flow[Code]:
    """Return the code, which must be the one with which the connection was opened."""
    try:
        code_hash = hash_code(message.code or "")
    except ValueError as error:
        raise BadMessage("code", str(error)) from error
    if code_hash != enrolment.code_hash:
        raise Forbidden(None, "send the code with which this connection was opened")
    code = yield from read_code(code_hash)
    if code is None:
        raise Forbidden(None, SPENT)
    return code


def _choose_robot_id(assertion: Assertion, message: Enroll, code: Code) -> RobotId:
    named = {each for each in (message.robot_id, assertion.robot_id) if each is not None}
    if len(named) > 1:
        raise BadMessage("robotId", f"is not {assertion.robot_id}, which the assertion names")
    robot_id = next(iter(named), code.robot_id)
    if robot_id is None:
        raise BadMessage("robotId", f"is missing: this code enrols {code.pattern}, so choose one")
    if not code.admits(robot_id):
        raise Forbidden(robot_id, f"this code enrols {code.pattern or code.robot_id} alone")
    return robot_id


def _right_of_code(code: Code) -> Condition:
    """Require that the code's creator may still enrol this robot."""
    free = (writes.has_no_owner(),) if code.may_create else ()
    return AnyOf((*free, writes.is_owned_by(code.for_user_id)))


def _explain_code(
    request: Request, code: Code, robot_id: RobotId, robot: Robot | None
) -> SignalingError:
    if robot is None or robot.owner_user_id != code.for_user_id:
        return Forbidden(robot_id, "this code does not enrol this robot: its owner is another user")
    if not code.approve:
        return Forbidden(
            robot_id,
            "this robot was enrolled before: a code that asks for approval replaces its key",
        )
    return _explain_full(robot_id, robot, request.now)


def create_code(request: Request, message: CreateCode) -> Flow[CodeReply]:
    """Make a code. Raise Forbidden for who may not enrol such ids."""
    sender = request.sender
    if message.owner_user_id is not None and not sender.is_admin:
        raise Forbidden(message.robot_id, "only an admin makes codes for another user's robots")
    owner = message.owner_user_id or sender.user_id
    may_create = _may_create(request)
    if not may_create or message.robot_id is not None:
        yield from _check_code_right(message, sender, owner, may_create=may_create)
    typed = yield from draw_code()
    expires_at = request.time_after(message.ttl_seconds)
    code = Code(
        code_hash=hash_code(typed),
        by_user_id=sender.user_id,
        for_user_id=owner,
        robot_id=message.robot_id,
        pattern=message.pattern,
        uses=1 if message.robot_id is not None else message.uses,
        approve=message.approve,
        may_create=may_create,
        expires_at=expires_at,
        ttl=expires_at // 1000,
    )
    outcome = yield from write_code(code.code_hash, codes.create(code))
    if isinstance(outcome, ConditionFailed):
        # This very write, if its first answer was lost: no two codes are drawn alike.
        raise TryAgain
    return CodeReply(code=typed, expires_at=expires_at)


def _check_code_right(
    message: CreateCode, sender: Connection, owner: UserId, *, may_create: bool
) -> Flow[None]:
    """Raise Forbidden unless the code could enrol the robot that it names."""
    robot_id = message.robot_id
    robot = None if robot_id is None else (yield from read_robot(robot_id))
    if robot is None:
        if not may_create:
            raise Forbidden(robot_id, "only admins and provisioners enrol new robot ids here")
    elif not _owns(sender, robot):
        raise Forbidden(robot_id)
    elif robot.owner_user_id != owner:
        raise BadMessage("ownerUserId", f"must be {robot.owner_user_id}, who owns the robot")


def list_keys(request: Request, message: Keys) -> Flow[KeysReply]:
    """List a robot's keys, the oldest first."""
    robot_id = message.robot_id
    robot = authorize(request, message, robot_id, (yield from read_robot(robot_id)))
    entries = sorted((robot.keys or {}).items(), key=lambda each: each[1].added_at)
    return KeysReply(
        robot_id=robot_id,
        keys=[_entry(kid, key) for kid, key in entries if not key.is_over(request.now)],
    )


def _entry(kid: str, key: Key) -> KeyEntry:
    return KeyEntry(
        kid=kid,
        fingerprint=fingerprint(kid),
        added_at=key.added_at,
        added_by=key.added_by,
        last_used_at=key.last_used_at,
        not_after=key.not_after,
        pending=key.pending,
    )


def approve(request: Request, message: ApproveKey) -> Flow[Ack]:
    """Let in a key that waits; no-op if it was let in already."""
    robot_id, kid = message.robot_id, message.kid
    right = condition_for(ApproveKey, request.sender)
    outcome = yield from write_robot(robot_id, writes.approve(kid, right))
    if isinstance(outcome, ConditionFailed):
        robot = authorize(request, message, robot_id, outcome.item)
        if kid not in (robot.keys or {}):
            raise BadMessage("kid", "is no key of this robot: list its keys")
    return Ack(robot_id=robot_id, kid=kid)


def revoke(request: Request, message: RevokeKey) -> Flow[Ack]:
    """End a key, or all; with it, the presence and sessions of a robot that is connected by it.

    No-op for a key that the robot does not have, and for a robot that never had any.
    """
    robot_id, kid = message.robot_id, message.kid
    right = condition_for(RevokeKey, request.sender)
    write = writes.revoke_all(right) if kid is None else writes.revoke(kid, right)
    outcome = yield from write_robot(robot_id, write)
    if isinstance(outcome, Written):
        return Ack(robot_id=robot_id, kid=kid)
    robot = authorize(request, message, robot_id, outcome.item)
    if robot.keys is None or (kid is not None and kid not in robot.keys):
        return Ack(robot_id=robot_id, kid=kid)
    present = writes.revoke_all_present(right) if kid is None else writes.revoke_present(kid, right)
    outcome = yield from write_robot(robot_id, present)
    if isinstance(outcome, ConditionFailed):
        authorize(request, message, robot_id, outcome.item)
        raise TryAgain(robot_id)
    before = outcome.before or robot
    notices = notices_of_ended(before, outcome.after, "revoked")
    yield from notify(request, robot_id, notices)
    if before.connection_id is not None:
        yield from attempt_all((Close(before.connection_id),))
    # It may be a thief's by now, and is told nothing.
    return Ack(robot_id=robot_id, kid=kid, robot_told=before.controller is None)


def rotate(request: Request, message: RotateKey) -> Flow[Ack]:
    """Replace the key of the sender's connection. The proof was verified before.

    Raise BadMessage for the same key, and if the robot has too many.
    """
    sender = request.sender
    assertion = sender.assertion
    if assertion is None or assertion.robot_id is None:
        raise Forbidden(None)
    robot_id, kid = assertion.robot_id, message.public_key.kid
    if kid == assertion.kid:
        raise BadMessage("publicKey", "is this connection's own key: make a new one")
    key = _new_key(message.public_key, None, request.now)
    robot = yield from read_robot(robot_id)
    if robot is not None and kid in (robot.keys or {}):
        return Ack(robot_id=robot_id, kid=kid)
    ended = _find_ended(robot, request.now) if robot else []
    # The write's condition refuses a key in use that has ended, which it would also change.
    ended = [each for each in ended if each != assertion.kid]
    write = writes.rotate(sender.connection_id, assertion.kid, kid, key, ended)
    outcome = yield from write_robot(robot_id, write)
    if isinstance(outcome, ConditionFailed):
        robot = authorize(request, message, robot_id, outcome.item)
        raise _explain_full(robot_id, robot, request.now)
    return Ack(robot_id=robot_id, kid=kid)
