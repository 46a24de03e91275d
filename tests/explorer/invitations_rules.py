"""What must be true of invitations, and of the shares that come of them.

Each rule reads a history and yields what breaks it.
"""

from collections.abc import Iterator

from robosignal.server.core.records import Invitation, Robot, RobotShare
from tests.explorer.history import History, Replied, Wrote, WroteCode

Found = Iterator[str]


def _find_accepted(robot: Robot | None, user: str) -> RobotShare | None:
    """Return the share that a user has accepted, whether it has ended or not."""
    shares = robot.shares() if robot else ()
    return next((each for each in shares if each.grantee == user and not each.offered), None)


def _rank(share: RobotShare) -> tuple[bool, float]:
    return share.role == "operator", float("inf") if share.until is None else share.until


def shares_are_the_invitations(history: History) -> Found:
    """Who accepts gets what the invitation says, after a use of it was noted as theirs."""
    taken: dict[int, Invitation] = {}
    for each in history.happened:
        if (
            isinstance(each, WroteCode)
            and isinstance(each.after, Invitation)
            and each.name == "take_use"
        ):
            taken[each.by.number] = each.after
        if isinstance(each, Wrote) and each.by.kind == "accept":
            invitation, share = taken.get(each.by.number), _find_accepted(each.after, each.by.user)
            if invitation is None or not invitation.takers.get(each.by.user):
                yield f"{each.by.event} has a share without a use"
            elif share != invitation.share_with(each.by.user):
                yield f"{each.by.event} has got {share}"


def no_use_comes_back(history: History) -> Found:
    """A use that is complete stays so: its user is not let in a second time."""
    for each in history.happened:
        if isinstance(each, WroteCode) and isinstance(each.after, Invitation):
            before = each.before.takers if each.before else {}
            for user, aim in before.items():
                if aim == "" and each.after.takers.get(user) != "":
                    yield f"{each.by.event} took {user}'s use again"
            others = {user for user in each.after.takers if user != each.by.user} - set(before)
            if others:
                yield f"{each.by.event} took a use of {sorted(others)}"


def a_new_owner_voids_them(history: History) -> Found:
    """Nothing comes of an invitation of before a transfer, or of before the robot was forgotten."""
    void = False
    for each in history.wrote:
        if void and each.by.kind == "accept":
            yield f"{each.by.event} accepted a void invitation"
        void |= each.before is None or each.before.owner_user_id != each.after.owner_user_id


def no_right_is_lessened(history: History) -> Found:
    """Accepting leaves a user's greater share as it is: the role first, then the end."""
    for each in history.wrote:
        old, new = (_find_accepted(robot, each.by.user) for robot in (each.before, each.after))
        lives = old is not None and not old.has_ended(each.by.now)
        if each.by.kind == "accept" and old and lives and (new is None or _rank(new) < _rank(old)):
            yield f"{each.by.event} has lost {old} for {new}"


def what_was_acknowledged_was_there(history: History) -> Found:
    """Who is told that they have a role has had it at some time of the schedule."""
    for each in history.happened:
        if not isinstance(each, Replied) or each.by.kind != "accept":
            continue
        if each.frame.get("type") == "ack":
            shares = [_find_accepted(robot, each.by.user) for robot in history.versions]
            if not any(share and share.role == each.frame["role"] for share in shares):
                yield f"{each.by.event} was told of a share that it never had"
