"""Invitations: codes by which users get a share of a robot, made by its owner or an admin.

People do not know each other's user ids, so an owner hands over a code, and the user who accepts it
has the share at once. A transfer or a forget voids every invitation, by the condition of the write
that makes the share: the robot's `inviting` is not the invitation's any more.
"""

from robosignal.protocol import limits
from robosignal.protocol.device_keys import hash_code
from robosignal.protocol.errors import BadMessage, Forbidden, TryAgain
from robosignal.protocol.frames import Ack, Code
from robosignal.protocol.ids import SessionId, UserId
from robosignal.protocol.messages import Accept, Invite
from robosignal.server.core.authorization import authorize, condition_for
from robosignal.server.core.ownership import (
    TRIES,
    find_uncovered,
    notify_unshared,
    refuse_end,
    remove_share_note,
    viewers_of,
)
from robosignal.server.core.records import Invitation, Robot, RobotShare, offer_key
from robosignal.server.core.request import Request
from robosignal.server.core.steps import (
    ConditionFailed,
    DropShare,
    Flow,
    NoteShare,
    attempt_all,
    draw_code,
    perform_all,
    read_invitation,
    read_robot,
    write_invitation,
    write_robot,
)
from robosignal.server.core.writes import codes, ownership

VOID = "this invitation is not valid, or not any more: ask for a new one"
"""An unknown code gives the same answer as one that has expired, is used up, or is void."""


def invite(request: Request, message: Invite) -> Flow[Code]:
    """Make an invitation. Raise Forbidden for others than the owner and admins.

    Raise BadMessage for an end of the share in the past, or too far ahead. The invitation ends with
    the share at the latest.
    """
    robot_id = message.robot_id
    refuse_end(request, message)
    typed = yield from draw_code()
    code_hash = hash_code(typed)
    right = condition_for(Invite, request.sender)
    noted = yield from write_robot(robot_id, ownership.invite(code_hash, right))
    if isinstance(noted, ConditionFailed):
        authorize(request, message, robot_id, noted.item)
        raise TryAgain(robot_id)
    expires_at = request.time_after(message.ttl_seconds)
    if message.until is not None:
        expires_at = min(expires_at, message.until)
    invitation = Invitation(
        code_hash=code_hash,
        by_user_id=request.sender.user_id,
        robot_id=robot_id,
        inviting=noted.after.inviting or code_hash,
        role=message.role,
        until=message.until,
        uses=message.uses,
        expires_at=expires_at,
        # Rounded up, in seconds: it is not deleted before it has expired.
        ttl=-(-expires_at // 1000),
    )
    outcome = yield from write_invitation(code_hash, codes.create(invitation))
    if isinstance(outcome, ConditionFailed):
        # This very write, if its first answer was lost: no two codes are drawn alike.
        raise TryAgain(robot_id)
    return Code(code=typed, expires_at=expires_at)


def accept(request: Request, message: Accept) -> Flow[Ack]:
    """Turn an invitation into the sender's share: judge, take a use, share, complete the use.

    A user may repeat this at any point: the use and the share are theirs already. A user whose
    share was ended does not come back by the same code. So if a share of the robot, anyone's, is
    taken back between the use and a repeat that finds no share, the use is lost: the share may have
    been this one. Only in the message that took the use is it known that there was none.

    Who has as much already keeps it, and takes no use. Raise Forbidden if the invitation is not
    valid, BadMessage for the robot's owner, and if the robot has too many shares.
    """
    invitation = yield from _read_sent(request, message)
    user, wanted = request.sender.user_id, invitation.share_with(request.sender.user_id)
    robot = yield from read_robot(invitation.robot_id)
    held = invitation.takers.get(user)
    taken: str | None = None
    is_first = is_refused = False
    for _ in range(TRIES):
        robot = _require_valid(invitation, robot, user)
        current = robot.share_with(user, request.now)
        if current is not None and _gives_as_much(current, wanted):
            if held:
                if current == wanted and _find_outlasting(request, robot, wanted):
                    # They were opened between the read and the write.
                    robot = yield from _share(request, invitation, robot, wanted)
                    continue
                use = codes.complete_use(user, held)
                yield from write_invitation(invitation.code_hash, use)
            return Ack(robot_id=robot.robot_id, role=current.role)
        if is_refused:
            raise Forbidden(None, VOID)
        _refuse_full(robot, wanted)
        aim = codes.aim_at_share(robot)
        if taken != aim:
            old = taken if is_first else None
            use = codes.take_use(user, aim, invitation, request.now, old)
            outcome = yield from write_invitation(invitation.code_hash, use)
            if isinstance(outcome, ConditionFailed):
                is_refused = True
                # Another try of the same user may have shared it since it was read.
                robot = yield from read_robot(invitation.robot_id)
                continue
            is_first |= outcome.before is not None and user not in outcome.before.takers
            held = taken = aim
        robot = yield from _share(request, invitation, robot, wanted)
    raise TryAgain(invitation.robot_id)


def _read_sent(request: Request, message: Accept) -> Flow[Invitation]:
    """Return the invitation of this code. Raise BadMessage if it is no code."""
    try:
        code_hash = hash_code(message.code)
    except ValueError as error:
        raise BadMessage("code", str(error)) from error
    invitation = yield from read_invitation(code_hash)
    if invitation is None or invitation.expires_at <= request.now:
        raise Forbidden(None, VOID)
    return invitation


def _require_valid(invitation: Invitation, robot: Robot | None, user: UserId) -> Robot:
    """Return the robot, if its owner is still the one for whom the invitation was made."""
    if robot is None or robot.inviting != invitation.inviting:
        raise Forbidden(None, VOID)
    if robot.owner_user_id == user:
        raise BadMessage("code", f"is for other users: you own {robot.robot_id}")
    return robot


def _gives_as_much(current: RobotShare, wanted: RobotShare) -> bool:
    """Say whether a share gives a right, and no less than wanted: the role first, then the end."""
    return not current.offered and _measure(current) >= _measure(wanted)


def _measure(share: RobotShare) -> tuple[bool, bool, int]:
    return share.role == "operator", share.until is None, share.until or 0


def _refuse_full(robot: Robot, wanted: RobotShare) -> None:
    """Raise BadMessage if there is no room for a new share."""
    shares = list(robot.shares())
    is_new = all(each.grantee != wanted.grantee for each in shares)
    if is_new and len(shares) >= limits.SHARES:
        raise BadMessage(
            "code",
            f"cannot be accepted: the robot has {limits.SHARES} shares and offers already; "
            "ask its owner to end one",
        )


def _share(
    request: Request, invitation: Invitation, robot: Robot, wanted: RobotShare
) -> Flow[Robot | None]:
    """Try to write the share; return the robot's newest item, which tells whether that was done.

    The share is noted for the user's list before and after, as by `share`.
    """
    robot_id, user = robot.robot_id, wanted.grantee
    note = NoteShare(robot_id, user)
    yield from perform_all((note,))
    ended = _find_outlasting(request, robot, wanted)
    write = ownership.accept_invitation(user, invitation, robot, ended)
    outcome = yield from write_robot(robot_id, write)
    if isinstance(outcome, ConditionFailed):
        yield from remove_share_note(robot_id, user)
        return outcome.item
    yield from notify_unshared(request, outcome.before or robot, outcome.after)
    had_offer = any(each.grantee == user and each.offered for each in robot.shares())
    drop = (DropShare(robot_id, offer_key(user)),) if had_offer else ()
    yield from attempt_all((note, *drop), "decide")
    return outcome.after


def _find_outlasting(request: Request, robot: Robot, wanted: RobotShare) -> list[SessionId]:
    """Return the viewer sessions that would outlast the share: one that ends before the old one."""
    current = robot.share_with(wanted.grantee, request.now)
    if current is None or current.offered:
        return []
    return viewers_of(find_uncovered(robot, wanted.grantee, wanted))
