"""Who held the lease when, according to one history."""

from robosignal.protocol.ids import ConnectionId, UserId
from robosignal.protocol.messages import Role
from robosignal.server.core.records import Robot, Session, group_key
from tests.explorer.history import History

ADMINS = frozenset({UserId("boss")})
"""The admins of every cast."""


GROUPS = {UserId("nina"): {group_key("crew")}}
"""The groups of every cast's users, by their keys."""


def may_have(robot: Robot, user: UserId, role: Role, now: int) -> bool:
    """Say whether a user may have a session of this role by what the item says at `now`."""
    if user == robot.owner_user_id or user in ADMINS:
        return True
    return any(
        not share.offered
        and not share.has_ended(now)
        and share.grantee in {user, *GROUPS.get(user, ())}
        and (role == "viewer" or share.role == "operator")
        for share in robot.shares()
    )


def holders_of(history: History) -> dict[int, Session | None]:
    """Return who held at each epoch."""
    return {robot.epoch: robot.controller for robot in history.versions}


def first_holders(history: History) -> dict[int, Session | None]:
    """Return who held when each epoch began, before anybody resumed."""
    found: dict[int, Session | None] = {}
    for robot in history.versions:
        found.setdefault(robot.epoch, robot.controller)
    return found


def ends_of(history: History) -> dict[int, set[int]]:
    """Return when, in epoch ms, the holder's right ends at each epoch: a resume may change it."""
    found: dict[int, set[int]] = {}
    for robot in history.versions:
        if robot.controller is not None:
            found.setdefault(robot.epoch, set()).add(right_end_of(robot.controller))
    return found


def right_end_of(session: Session) -> int:
    """Return when the right to a session ends: with the token, or the share if that is sooner."""
    share = session.expires_at if session.right_until is None else session.right_until
    return min(session.expires_at, share)


def sessions_of(robot: Robot | None) -> list[Session]:
    """Return every session, of no robot none."""
    return [] if robot is None else [each for each, _ in robot.sessions()]


def holder_of(robot: Robot | None) -> Session | None:
    """Return whose the lease is, lapsed or not."""
    return robot.controller if robot is not None else None


def id_of(session: Session | None) -> str | None:
    """Return a session's id, None for none."""
    return session.session_id if session is not None else None


def user_of(session: Session | None) -> str | None:
    """Return a session's user, None for none."""
    return session.user_id if session is not None else None


def places_of(history: History) -> set[tuple[int, str | None, ConnectionId]]:
    """Return which connections each epoch's holder was on."""
    return {
        (robot.epoch, robot.controller.session_id, robot.controller.connection_id)
        for robot in history.versions
        if robot.controller is not None
    }
