"""What must be true of a robot's item, from each version to the next.

Each rule reads a history and yields what breaks it. Rules speak of items and of who did what, not
of the names of writes, so they could check another implementation too.
"""

from collections.abc import Iterator

from robosignal.protocol.ids import ConnectionId
from robosignal.server.core.records import Robot, Session, group_of
from tests.explorer.cast import RULES
from tests.explorer.history import History
from tests.explorer.holders import (
    ADMINS,
    GROUPS,
    holder_of,
    id_of,
    may_have,
    sessions_of,
)

Found = Iterator[str]

STAYS = frozenset({"$disconnect", "ping", "release-control", "grant-control"})
"""By these a client keeps what it has; a message that takes a right away ends that as well."""


DISPOSING = frozenset({"forget", "share", "unshare", "transfer", "revoke-key"})
"""By these an owner or an admin ends what others have."""


def one_holder_an_epoch(history: History) -> Found:
    """The session that holds changes only together with the epoch, which only rises by one."""
    for write in history.wrote:
        before, after = holder_of(write.before), holder_of(write.after)
        rise = write.after.epoch - (write.before.epoch if write.before else 0)
        if rise not in (0, 1):
            yield f"the epoch went by {rise} in {write.name}"
        if rise == 0 and id_of(before) != id_of(after):
            yield f"epoch {write.after.epoch} has had two holders, since {write.name}"
        if rise and before and after and before.connection_id == after.connection_id:
            kept = before.session_id == after.session_id
            if kept and not before.has_lapsed("controller", write.by.now) and before.lost is None:
                yield f"a holder displaced themselves in {write.name}"


def rev_follows(history: History) -> Found:
    """`rev` rises by one with every change of holder or of the robot's connection."""
    for write in history.wrote:
        old = write.before
        if old is None:
            # A robot's first `rev` is near the time: newer than a life that was forgotten.
            if write.after.rev != write.by.now + 1:
                yield f"rev began at {write.after.rev} in {write.name}"
            continue
        rise = write.after.rev - old.rev
        changed = (old.epoch, old.connection_id) != (write.after.epoch, write.after.connection_id)
        if rise not in (0, 1) or (changed and rise == 0):
            yield f"rev went by {rise} in {write.name}"


def one_session_a_connection(history: History) -> Found:
    """A connection has at most one session with a robot, and a session one role.

    Of three or more invocations this is not asked of a connection whose own `resume` and offer
    cross: a session that another one opened between the two is more than a condition can name.
    """
    crossing = _crossing(history)
    for robot in history.versions:
        sessions = robot.all_sessions()
        places = [each.connection_id for each in sessions if each.connection_id not in crossing]
        if len(set(places)) < len(places):
            yield f"a connection has two sessions at epoch {robot.epoch}"
        if len({each.session_id for each in sessions}) < len(sessions):
            yield f"a session has two roles at epoch {robot.epoch}"
        if len(robot.viewers) > RULES.viewers:
            grown = history.begun is None or len(robot.viewers) > len(history.begun.viewers)
            # A holder who releases stays as a viewer, one more than may come.
            if grown and len(robot.viewers) > RULES.viewers + 1:
                yield f"{len(robot.viewers)} viewers"


def _crossing(history: History) -> set[ConnectionId]:
    """Return the connections that resume a session while they open another, among others."""
    if len(history.invocations) <= 2:
        return set()
    resume = {by.connection for by in history.invocations if by.kind == "resume"}
    opening = {by.connection for by in history.invocations if by.kind in ("offer", "takeover")}
    return resume & opening


def only_the_rightful_take(history: History) -> Found:
    """Who gets a session, a place or time of it may: the owner, operators, admins."""
    for write in history.wrote:
        after = write.after
        old = holder_of(write.before)
        had = sessions_of(write.before)
        for each, role in after.sessions():
            own = each.user_id == write.by.user and write.by.kind not in STAYS
            # A holder who stays as a viewer has less than before.
            less = role == "viewer" and id_of(old) == each.session_id
            may = may_have(after, each.user_id, role, write.by.now)
            if each not in had and own and not less and not may:
                yield f"{each.user_id} has got a session by {write.name}"
        if write.before is None or after.owner_user_id == write.before.owner_user_id:
            continue
        if write.by.kind != "transfer" or write.by.user not in {
            write.before.owner_user_id,
            *ADMINS,
        }:
            yield f"the owner changed in {write.name}"


def only_the_rightful_displace(history: History) -> Found:
    """A holder whose lease runs loses it by their own doing, the robot's, or a takeover."""
    for write in history.wrote:
        old, by = write.before, write.by
        held = holder_of(old)
        if old is None or held is None or id_of(held) == id_of(write.after.controller):
            continue
        reloaded = by.user == held.user_id and held.lost is not None
        own = by.connection == held.connection_id
        robots = by.connection in (old.connection_id, write.after.connection_id)
        may = by.user in {old.owner_user_id, held.user_id, *ADMINS}
        taken_over = by.kind == "takeover" and may
        taken_over |= by.kind in DISPOSING and by.user in {old.owner_user_id, *ADMINS}
        taken_over |= by.kind == "leave-share" and by.user == held.user_id
        if not (held.has_lapsed("controller", by.now) or own or reloaded or robots or taken_over):
            yield f"{held.user_id} lost a running lease to {by.user}'s {by.kind} ({write.name})"


def only_the_owner_of_time_lengthens_it(history: History) -> Found:
    """A lease, a place, presence: renewed only by the connection that has it."""
    for write in history.wrote:
        old, new, by = write.before, write.after, write.by
        if old is None:
            continue
        if new.presence_until > old.presence_until and by.connection != new.connection_id:
            yield f"presence was lengthened by {by.event}"
        standing = {each.session_id: each for each, _ in old.sessions()}
        for each, _ in new.sessions():
            was = standing.get(each.session_id)
            own = by.connection == each.connection_id and by.kind != "$disconnect"
            if was is None or old.epoch != new.epoch or own:
                continue
            if each.until > was.until:
                yield f"{each.user_id}'s time was lengthened by {by.event}"
            if was.lost is not None and each != was:
                yield f"{each.user_id}'s grace was changed by {by.event}"


def a_lost_socket_keeps_nothing(history: History) -> Found:
    """What a lost socket had lasts no longer by anything that it sent before, however late."""
    for write in history.wrote:
        standing = {each.session_id: each for each, _ in write.after.sessions()}
        for was in sessions_of(write.before):
            each = standing.get(was.session_id)
            same = each is not None and each.connection_id == was.connection_id
            if was.lost is None or each is None or not same:
                continue
            # A lease that had lapsed may be taken by it, and is given back: no row, no session.
            taken = write.after.epoch != write.before.epoch if write.before else True
            if not taken and (each.lost is None or each.until > was.until):
                yield f"{was.user_id}'s lost socket has got more time by {write.by.event}"


def sessions_are_as_their_connections(history: History) -> Found:
    """A session moves to who resumes it alone, and takes on that connection's facts."""
    known = {
        (each.connection_id): each for robot in (history.begun,) for each in sessions_of(robot)
    }
    for write in history.wrote:
        for each in sessions_of(write.after):
            was = known.get(each.connection_id, each)
            if _facts(was) != _facts(each) or (was.dialect, each.dialect) == ("v1", "seed"):
                yield f"{each.connection_id} is said to be another in {write.name}"
            known[each.connection_id] = each
        old = {each.session_id: each for each in sessions_of(write.before)}
        for each in sessions_of(write.after):
            before = old.get(each.session_id, each)
            if before.connection_id != each.connection_id != write.by.connection:
                yield f"{each.user_id}'s session was moved by {write.by.event}"
            older = each.connected_at < before.connected_at
            if older and write.by.kind in ("resume", "request-control"):
                yield f"an older connection of {each.user_id} took a session back"


def _facts(session: Session) -> tuple[object, ...]:
    return session.connected_at, session.expires_at, session.user_id


def newest_socket_wins(history: History) -> Found:
    """A robot's live connection gives way only to a newer one, or by its own end."""
    for write in history.wrote:
        old, new, by = write.before, write.after, write.by
        if old is None or old.connection_id in (None, new.connection_id):
            continue
        if new.connection_id is not None and new.connected_at < old.connected_at:
            yield f"an older socket took the robot's place in {write.name}"
        ended = by.connection == old.connection_id and by.kind in ("unregister", "$disconnect")
        ended |= by.kind in DISPOSING and by.user in {old.owner_user_id, *ADMINS}
        gone = (each.to == old.connection_id and not each.delivered for each in history.posted)
        noted = by.connection == old.connection_id and by.kind == "register"
        if new.connection_id is None and not (ended or noted or any(gone)):
            yield f"a live robot went offline by {by.event} ({write.name})"


def nothing_outlasts_a_share(history: History) -> Found:
    """A session ends with the share that it comes from, at the latest, whatever renews it."""
    for write in history.wrote:
        had = sessions_of(write.before)
        for each, _ in write.after.sessions():
            if each.right_until is not None and each.until > each.right_until:
                yield f"{each.user_id}'s session outlasts its right by {write.by.event}"
            own = write.after.owner_user_id == each.user_id or each.user_id in ADMINS
            if each in had or own or write.by.user != each.user_id or write.by.kind in STAYS:
                continue
            ends = _right_ends(write.after, each, write.by.now)
            if not any(end is None or each.until <= end for end in ends):
                yield f"{each.user_id}'s session outlasts its share by {write.by.event}"


def _right_ends(robot: Robot, session: Session, now: int) -> list[int | None]:
    """Return the ends of the shares that may give a session's user the right."""
    keys = {session.user_id, *GROUPS.get(session.user_id, ())}
    shares = (each for each in robot.shares() if each.grantee in keys and not each.offered)
    return [each.until for each in shares if not each.has_ended(now)]


def only_the_user_accepts(history: History) -> Found:
    """A user gets a right to a robot by accepting it; a group, by who may share the robot."""
    for write in history.wrote:
        if write.before is None or write.before.owner_user_id != write.after.owner_user_id:
            continue
        had = {each.grantee for each in write.before.shares() if not each.offered}
        offered = {each.grantee for each in write.before.shares() if each.offered}
        for each in write.after.shares():
            if each.offered or each.grantee in had:
                continue
            accepted = write.by.kind == "accept-share" and write.by.user == each.grantee
            accepted &= each.grantee in offered
            # Which users an invitation lets in is a rule of its own.
            accepted |= write.by.kind == "accept" and write.by.user == each.grantee
            shared = write.by.user in {write.after.owner_user_id, *ADMINS}
            if not (shared if group_of(each.grantee) else accepted):
                yield f"{each.grantee} has got a share by {write.by.event}"


def only_the_rightful_end_shares(history: History) -> Found:
    """A share ends by the owner, an admin, its own user, or its end."""
    for write in history.wrote:
        old, by = write.before, write.by
        if old is None:
            continue
        kept = {each.grantee for each in write.after.shares()}
        for each in old.shares():
            may = by.user in {old.owner_user_id, each.grantee, *ADMINS} or each.has_ended(by.now)
            if each.grantee not in kept and not may:
                yield f"{each.grantee} lost a share by {by.event}"
